package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/topup"
)

var (
	// sqlEnd: an order in doubt is held when its time is over.
	sqlEnd    = sqls.Get("end")
	sqlCancel = sqls.Get("cancel")
)

// End ends an order that waits and whose time is over: it is failed (expired, or retries_exhausted once it was tried)
// or, where an attempt is in doubt, unknown. topup.ErrLost means that it does not wait, or that its time is not over.
func (j *Journal) End(ctx context.Context, id topup.ID, now time.Time) (topup.Order, *topup.Event, error) {
	now = whole(now)
	done, err := write(ctx, j, string(id), func(t *tx) (settled, error) {
		r, found, err := t.order(sqlEnd, string(id), now.UnixMicro())
		if err != nil || !found {
			return settled{}, orLost(err)
		}
		return t.changed(r, now)
	})
	if err != nil {
		return topup.Order{}, nil, fmt.Errorf("end %s: %w", id, err)
	}
	return done.order, done.event, nil
}

// Cancel withdraws an order that waits, for its caller or, with an empty caller, for the operator. One
// that was canceled before is returned without an event.
//
// Errors: topup.ErrNotFound, also for another caller's order; *topup.TransitionError when the order is
// under way or final, or an earlier attempt may have moved money.
func (j *Journal) Cancel(ctx context.Context, id topup.ID, caller string,
	now time.Time) (topup.Order, *topup.Event, error) {
	now = whole(now)
	refusal := func(r record) error {
		switch {
		case caller != "" && r.Caller != caller:
			return topup.ErrNotFound
		case r.State == topup.StateCanceled:
			return nil
		}
		return &topup.TransitionError{ID: id, From: r.State, By: topup.OpCancel}
	}
	done, err := write(ctx, j, string(id), func(t *tx) (settled, error) {
		r, found, err := t.order(sqlCancel, string(id), now.UnixMicro(), caller)
		if err != nil {
			return settled{}, err
		}
		if found {
			return t.changed(r, now)
		}
		r, err = t.known(id)
		return settled{order: r.Order}, cmp.Or(err, refusal(r))
	})
	if errors.Is(err, topup.ErrNotFound) {
		left, readErr := j.archivedRecord(ctx, id)
		done.order, err = left.Order, readErr
		if err == nil {
			err = refusal(left)
		}
	}
	if err != nil {
		return topup.Order{}, nil, fmt.Errorf("cancel %s: %w", id, err)
	}
	return done.order, done.event, nil
}

// known is an order's row, or topup.ErrNotFound.
func (t *tx) known(id topup.ID) (record, error) {
	r, found, err := t.order(sqlOrder, string(id))
	if err == nil && !found {
		err = topup.ErrNotFound
	}
	return r, err
}
