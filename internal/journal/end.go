package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/topup"
)

// sqlEnd is without a condition on the attempts made for the operation that has none.
func sqlEnd(by string, to topup.State, condition string) string {
	return `UPDATE orders SET state = '` + string(to) + `', reason = $2, updated_at = $3, finished_at = $3, next_attempt_at = NULL, due_at = NULL, line = NULL, waits_for = '',
event_count = event_count + 1 WHERE id = $1 AND ` + from(by, to) + ` AND unknown_attempts = 0 AND ` + condition + ` RETURNING ` + orderColumns
}

var (
	sqlExpire  = sqlEnd("expire", topup.StateFailed, "attempt_count = $4")
	sqlExhaust = sqlEnd("exhaust", topup.StateFailed, "attempt_count = $4")
	sqlCancel  = sqlEnd("cancel", topup.StateCanceled, "($4 = '' OR caller = $4)")
)

// End fails an order that waits and has had exactly the given number of attempts. by is "expire", or
// "exhaust" for one that is retrying.
//
// Errors: topup.ErrLost when it is not so; *topup.TransitionError when an earlier attempt may have
// moved money, which no clock can undo.
func (j *Journal) End(ctx context.Context, id topup.ID, attempts int, by string, reason topup.Reason, now time.Time) (topup.Order, *topup.Event, error) {
	query, ok := map[string]string{"expire": sqlExpire, "exhaust": sqlExhaust}[by]
	if !ok || reason == "" {
		return topup.Order{}, nil, fmt.Errorf("end %s by %q for %q: no such end", id, by, reason)
	}
	refusal := func(r record) error {
		if r.doubts > 0 && r.AttemptCount == attempts && topup.Allowed(r.State, topup.StateFailed, by) {
			return &topup.TransitionError{ID: id, From: r.State, By: by}
		}
		return topup.ErrLost
	}
	o, event, err := j.end(ctx, id, whole(now), query, refusal, string(reason), attempts)
	if errors.Is(err, topup.ErrNotFound) {
		err = topup.ErrLost
	}
	if err != nil {
		return topup.Order{}, nil, fmt.Errorf("%s %s: %w", by, id, err)
	}
	return o, event, nil
}

// Cancel withdraws an order that waits, for its caller or, with an empty caller, for the operator. One
// that was canceled before is returned without an event.
//
// Errors: topup.ErrNotFound, also for another caller's order; *topup.TransitionError when the order is
// under way or final, or an earlier attempt may have moved money.
func (j *Journal) Cancel(ctx context.Context, id topup.ID, caller string, now time.Time) (topup.Order, *topup.Event, error) {
	refusal := func(r record) error {
		switch {
		case caller != "" && r.Caller != caller:
			return topup.ErrNotFound
		case r.State == topup.StateCanceled:
			return nil
		}
		return &topup.TransitionError{ID: id, From: r.State, By: "cancel"}
	}
	o, event, err := j.end(ctx, id, whole(now), sqlCancel, refusal, "", caller)
	if err != nil {
		return topup.Order{}, nil, fmt.Errorf("cancel %s: %w", id, err)
	}
	return o, event, nil
}

// end runs one of the queries of sqlEnd; refusal says what its failure means, given the order.
func (j *Journal) end(ctx context.Context, id topup.ID, now time.Time, query string, refusal func(record) error, reason string, condition any) (topup.Order, *topup.Event, error) {
	done, err := write(ctx, j, string(id), func(t *tx) (settled, error) {
		r, found, err := t.order(query, string(id), reason, now.UnixMicro(), condition)
		if err != nil {
			return settled{}, err
		}
		if found {
			return t.changed(r, now)
		}
		r, found, err = t.order(sqlOrder, string(id))
		switch {
		case err != nil:
			return settled{}, err
		case !found:
			return settled{}, topup.ErrNotFound
		}
		return settled{order: r.Order}, refusal(r)
	})
	if errors.Is(err, topup.ErrNotFound) {
		left, readErr := j.archivedRecord(ctx, id)
		if readErr == nil {
			return left.Order, nil, refusal(left)
		}
		err = readErr
	}
	return done.order, done.event, err
}
