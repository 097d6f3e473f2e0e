package worker

import (
	"context"
	"errors"
	"time"

	"recarga/topup"
)

// deferUntil reports whether nothing is sent for the order now, and when to process it again. An order that waits for
// its release is enqueued then.
func (w *Worker) deferUntil(ctx context.Context, o topup.Order) (again time.Time, deferred bool) {
	if again, deferred := w.notDue(ctx, o); deferred {
		return again, true
	}
	d := w.admission.Admit(ctx, o)
	return d.Until, !d.Buy
}

// notDue reports whether an order needs no purchase now, and when to process it again. It ends an order whose time is
// over.
func (w *Worker) notDue(ctx context.Context, o topup.Order) (again time.Time, deferred bool) {
	now := time.Now()
	switch {
	case o.State != topup.StateQueued && o.State != topup.StateRetrying:
		// Final, held, or an attempt is under way: the worker that makes it continues, and if that worker dies, the
		// sweep settles the attempt at its deadline.
		return time.Time{}, true
	case o.EndsAt != nil && !now.Before(*o.EndsAt):
		if err := w.end(ctx, o.ID); err != nil {
			w.Log.ErrorContext(ctx, "order not ended in time yet", "order", o.ID, "error", err)
			return now.Add(time.Second), true
		}
		return time.Time{}, true
	case o.WaitsFor == topup.NullString(topup.WaitOperator):
		return time.Time{}, true // whoever lets it go wakes it
	case o.NextAttemptAt != nil && now.Before(*o.NextAttemptAt):
		return nextAttempt(o), true
	}
	return time.Time{}, false
}

// nextAttempt is when an order that waits is processed again; zero: it does not wait.
func nextAttempt(o topup.Order) time.Time {
	if o.State != topup.StateQueued && o.State != topup.StateRetrying || o.NextAttemptAt == nil {
		return time.Time{}
	}
	if o.EndsAt != nil && o.EndsAt.Before(*o.NextAttemptAt) {
		return *o.EndsAt
	}
	return *o.NextAttemptAt
}

// end ends an order whose time is over. An order that has changed since is left alone.
func (w *Worker) end(ctx context.Context, id topup.ID) error {
	ended, event, err := w.Journal.End(ctx, id, time.Now())
	if errors.Is(err, topup.ErrLost) {
		return nil
	}
	if err != nil {
		return err
	}
	w.logChanged(ctx, ended, topup.Result{Error: "its time is over"})
	w.deliver(ctx, event)
	return nil
}
