package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/topup"
)

// sqlResolves: a person who says that nothing was charged speaks of all attempts of the order; one who
// has it sent again proves nothing, so their doubt stays.
var sqlResolves = map[topup.ResolvedAs]string{
	topup.ResolvedSucceeded: sqls.Get("resolve_succeeded"),
	topup.ResolvedFailed:    sqls.Get("resolve_failed"),
	topup.ResolvedResend:    sqls.Get("resolve_resend"),
}

var (
	sqlResolution = sqls.Get("resolution")
	// sqlResolvedSo is one row: whether the last resolution of an order is this very one.
	sqlResolvedSo    = sqls.Get("resolved_so")
	sqlResolutionsOf = sqls.Get("resolutions_of")
	// sqlSettledBy is one row: the deadline after which no attempt of the order can still be under way.
	sqlSettledBy = sqls.Get("settled_by")
)

// Resolve settles an order that is held as unknown, by what a person or a statement says, and keeps
// who, when and why. The event is nil for one that is to be sent again.
//
// The repeat of the order's last resolution, because its answer was lost, changes nothing and returns the
// order as it now is, without an event. On an order that is unknown again it is no repeat, but a new one.
//
// Errors: those of topup.FieldErrors; topup.ErrNotFound; *topup.TransitionError when the order is not
// unknown; *topup.MovedOnError when the resolution names another attempt than its latest; *topup.TooEarlyError when,
// unless it is forced, a worker might still act on an attempt that is to be failed or sent again: its answer would
// come after the decision.
func (j *Journal) Resolve(
	ctx context.Context, id topup.ID, r topup.Resolution, now time.Time,
) (topup.Order, *topup.Event, error) {
	if err := r.Check(); err != nil {
		return topup.Order{}, nil, err
	}
	now = whole(now)
	endsAt := j.limits.afterFirst(now)
	done, err := write(ctx, j, string(id), func(t *tx) (settled, error) { return t.resolve(id, r, endsAt, now) })
	if errors.Is(err, topup.ErrNotFound) {
		left, readErr := j.archivedRecord(ctx, id)
		if err = readErr; err == nil {
			err = &topup.TransitionError{ID: id, From: left.State, By: topup.OpResolve}
		}
	}
	if err != nil {
		return topup.Order{}, nil, fmt.Errorf("resolve %s: %w", id, err)
	}
	return done.order, done.event, nil
}

// resolve takes when the tries of an order end that is sent again.
func (t *tx) resolve(id topup.ID, r topup.Resolution, endsAt any, now time.Time) (settled, error) {
	held, err := t.known(id)
	if err != nil {
		return settled{}, err
	}
	decision := decisionColumns(held.key, r)
	if !topup.Allowed(held.State, r.Outcome.State(), topup.OpResolve) {
		return t.resolvedSo(held, decision)
	}
	if err := t.resolvable(held, r, now); err != nil {
		return settled{}, err
	}
	args := append([]any{string(id), now.UnixMicro()}, decision[len(decision)-3:]...)
	if r.Outcome == topup.ResolvedResend {
		args = append(args, endsAt)
	}
	o, found, err := t.order(sqlResolves[r.Outcome], args...)
	if err != nil || !found {
		return settled{}, orLost(err) // PostgreSQL: it moved on between the two statements
	}
	if _, err := t.Exec(sqlResolution, append(decision, o.AttemptCount, now.UnixMicro())...); err != nil {
		return settled{}, err
	}
	return t.changed(o, now)
}

// decisionColumns are what a resolution says of an order, the receipts last.
func decisionColumns(order int64, r topup.Resolution) []any {
	forced := 0
	if r.Forced {
		forced = 1
	}
	return []any{order, string(r.Outcome), text(r.Reason), text(r.By), forced, text(string(r.TransactionID)),
		text(string(r.Reference)), text(string(r.AuthCode))}
}

// resolvedSo is the order as it is, if its last resolution is the very same decision.
func (t *tx) resolvedSo(o record, decision []any) (settled, error) {
	n, err := t.number(sqlResolvedSo, decision...)
	if err == nil && n == 0 {
		err = &topup.TransitionError{ID: o.ID, From: o.State, By: topup.OpResolve}
	}
	return settled{order: o.Order}, err
}

// resolvable refuses what could be overtaken by the truth, and what the caller does not want any more.
func (t *tx) resolvable(held record, r topup.Resolution, now time.Time) error {
	if r.Attempt != 0 && r.Attempt != held.AttemptCount {
		return &topup.MovedOnError{ID: held.ID, Attempt: r.Attempt, Latest: held.AttemptCount}
	}
	if r.Outcome == topup.ResolvedResend && held.ExpiresAt != nil && !now.Before(*held.ExpiresAt) {
		return &topup.FieldError{Field: "outcome", Value: string(r.Outcome),
			Allowed: "succeeded or failed: the order has expired"}
	}
	if r.Outcome == topup.ResolvedSucceeded || r.Forced {
		return nil
	}
	until, err := t.number(sqlSettledBy, held.key)
	if err == nil && now.UnixMicro() < until {
		return &topup.TooEarlyError{ID: held.ID, Until: time.UnixMicro(until)}
	}
	return err
}

func orLost(err error) error {
	if err != nil {
		return err
	}
	return topup.ErrLost
}

func scanResolution(row scanner) (r topup.Resolution, err error) {
	var forced int
	err = row.Scan(&r.Attempt, &r.Outcome, &r.Reason, &r.By, &forced, &r.TransactionID, &r.Reference, &r.AuthCode,
		when{&r.At})
	r.Forced = forced != 0
	return r, err
}
