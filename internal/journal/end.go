package journal

import (
	"cmp"
	"context"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// End ends an order that waits and whose time is over: it is failed (expired, or retries_exhausted once it was tried)
// or, where an attempt is in doubt, unknown. topup.ErrLost means that it does not wait, or that its time is not over.
func (j *Journal) End(ctx context.Context, id topup.ID, now time.Time) (topup.Order, *topup.Event, error) {
	now = tables.Whole(now)
	return j.change(ctx, "end", id, unchangeable, func(t tx) (settled, error) {
		r, found, err := t.Order(sqls.Get("end"), string(id), now.UnixMicro())
		if err = lostUnless(found, err); err != nil {
			return settled{}, err
		}
		return t.changed(r, now)
	})
}

// Cancel withdraws an order that waits, for its caller or, with an empty caller, for the operator. One
// that was canceled before is returned without an event.
//
// Errors: topup.ErrNotFound, also for another caller's order; *topup.TransitionError when the order is
// under way or final, or an earlier attempt may have moved money.
func (j *Journal) Cancel(ctx context.Context, id topup.ID, caller string,
	now time.Time) (topup.Order, *topup.Event, error) {
	now = tables.Whole(now)
	refusal := func(r tables.Record) error {
		switch {
		case caller != "" && r.Caller != caller:
			return topup.ErrNotFound
		case r.State == topup.StateCanceled:
			return nil
		}
		return &topup.TransitionError{ID: id, From: r.State, By: topup.OpCancel}
	}
	return j.change(ctx, "cancel", id, refusal, func(t tx) (settled, error) {
		r, found, err := t.Order(sqls.Get("cancel"), string(id), now.UnixMicro(), caller)
		switch {
		case err != nil:
			return settled{}, err
		case found:
			return t.changed(r, now)
		}
		r, err = t.Known(id)
		return settled{order: r.Order}, cmp.Or(err, refusal(r))
	})
}
