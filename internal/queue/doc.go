// Package queue opens the Redis that asynq's queues live in, embedded or given, and builds asynq's
// parts with the options that are safe for money.
//
// The queue only wakes: it may lose, repeat, delay or reorder tasks, because the journal decides.
package queue
