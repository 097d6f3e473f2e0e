// Package journal is the book of record: every order, attempt and event, in SQLite or PostgreSQL.
//
// Every change is a compare-and-set on the order's state and attempt count, in one transaction with
// the event that announces it, and is on disk before the method returns. topup.ErrLost means that
// somebody else was first and that nothing was done. All methods are safe for concurrent use, by any
// number of processes on the same database.
//
// # What an error leaves behind
//
// Writes wait in a queue and share commits. One whose context ends while it waits returns the
// context's error and has not happened. Once it has been picked it is waited for, which takes
// milliseconds, and at most about a minute when the database does not answer. ErrInDoubt says that the
// database did not say whether the commit happened. Every other error means that it did not.
//
// PostgreSQL is asked about a commit whose answer is lost (commit/doubt.go), so ErrInDoubt comes only when that has no
// answer for seconds either. Every write may be repeated after any error: Accept replays, Finish returns what it
// wrote, the others return topup.ErrLost or the same refusal as for anybody who comes second. After an ErrInDoubt that
// hid a success, an attempt ends at its deadline, and an event is delivered when it is due.
//
// # What is confirmed
//
// Every write is as durable as the database makes one, also when it changes nothing and answers from what it has read:
// a synchronous standby has it. So is a pending event that Event returns. Other reads return what the primary has now,
// which a failover may still take back if somebody's commit is in doubt.
package journal
