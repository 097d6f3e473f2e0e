package topup

import (
	"encoding/json"
	"errors"
	"time"
)

// Errors of the book of record, whatever engine keeps it.
var (
	// ErrNotFound: there is no order (or event) of that id.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the id is taken by an order of other content, or of another caller.
	ErrConflict = errors.New("the id is taken by another order")
	// ErrLost: somebody else changed the order first; what the loser wanted to do must not be done.
	ErrLost = errors.New("the order has moved on")
)

// Result is everything one attempt told us. Its Outcome is decided once, by the distributor's client.
type Result struct {
	Outcome Outcome
	// HTTPStatus is 0 when there was no answer.
	HTTPStatus                         int
	Code                               Code
	Message                            string
	TransactionID, Reference, AuthCode string
	BalanceAfter                       *json.Number
	// Error says in words why the outcome is not approved, declined or unavailable by its code.
	Error string
	// Evidence, for an unknown outcome: how far the request got and the first KiB of the answer,
	// secrets masked. For any other: which fields of the answer could not be taken; empty as a rule.
	Evidence string
	// RetryAfter is how long the distributor asked to wait; 0 when it did not say.
	RetryAfter time.Duration
	// LimitedOrder: the 429 speaks of this order's number or customer alone (a daily limit, say), so other
	// orders need not wait. Set with OutcomeNotSent only.
	LimitedOrder bool
	// Probe: it was made to try an operator that is out, and spends no try.
	Probe bool
	// TooLate: it was not sent because this process was not quick enough, which says nothing of the distributor.
	TooLate bool
	// LoginAgain: the token was refused, so another try with a new one makes sense at once.
	LoginAgain bool
}

// Settlement is what the record is to say after an attempt: the attempt's result and the state that
// follows from it.
type Settlement struct {
	ID     ID
	Number int
	Result Result
	State  State
	Reason Reason
	// NextAttemptAt is set for StateRetrying only.
	NextAttemptAt *time.Time
}

// Due is an order that somebody should look at.
type Due struct {
	ID           ID
	State        State
	AttemptCount int
	// DueAt is since when: the time of the next attempt or the expiry, whichever is first, or the
	// deadline of the attempt under way.
	DueAt time.Time
}

// DueEvent is an event whose next try is due.
type DueEvent struct {
	ID    string
	DueAt time.Time
}
