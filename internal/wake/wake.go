// Package wake wakes the workers for what is in the journal.
package wake

import (
	"context"
	"log/slog"
	"time"

	"recarga/topup"
)

// Queue is what wakes the workers: internal/queue. A time that is zero or has passed means now.
type Queue interface {
	EnqueueOrder(ctx context.Context, r topup.Request, at time.Time) error
	EnqueueEvent(ctx context.Context, eventID string, at time.Time) error
}

// Waker enqueues orders and events that the journal has already. So a queue that is not reached is no failure of
// whoever enqueues: it is logged, and the sweep enqueues them again.
type Waker struct {
	// Queue takes what is enqueued.
	Queue Queue
	// Log gets a line for what it did not take.
	Log *slog.Logger
}

// Order enqueues an order, and reports whether the queue took it.
func (w Waker) Order(ctx context.Context, r topup.Request, at time.Time) bool {
	return w.took(ctx, "order", string(r.ID), w.Queue.EnqueueOrder(ctx, r, at))
}

// Event enqueues an event, and reports whether the queue took it.
func (w Waker) Event(ctx context.Context, id string, at time.Time) bool {
	return w.took(ctx, "event", id, w.Queue.EnqueueEvent(ctx, id, at))
}

func (w Waker) took(ctx context.Context, kind, id string, err error) bool {
	if err != nil {
		w.Log.WarnContext(ctx, "queue not reached; the sweep will enqueue it again", kind, id, "error", err)
	}
	return err == nil
}
