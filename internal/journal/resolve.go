package journal

import (
	"context"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// sqlResolves: a person who says that nothing was charged speaks of all attempts of the order; one who
// has it sent again proves nothing, so their doubt stays.
var sqlResolves = map[topup.ResolvedAs]string{
	topup.ResolvedSucceeded: sqls.Get("resolve_succeeded"),
	topup.ResolvedFailed:    sqls.Get("resolve_failed"),
	topup.ResolvedResend:    sqls.Get("resolve_resend"),
}

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
	now = tables.Whole(now)
	endsAt := j.limits.afterFirst(now)
	left := func(r tables.Record) error {
		return &topup.TransitionError{ID: id, From: r.State, By: topup.OpResolve}
	}
	return j.change(ctx, "resolve", id, left, func(t tx) (settled, error) { return t.resolve(id, r, endsAt, now) })
}

// resolve takes when the tries of an order end that is sent again.
func (t tx) resolve(id topup.ID, r topup.Resolution, endsAt any, now time.Time) (settled, error) {
	held, err := t.Known(id)
	if err != nil {
		return settled{}, err
	}
	decision := decisionColumns(held.Key, r)
	if !topup.Allowed(held.State, r.Outcome.State(), topup.OpResolve) {
		refused := &topup.TransitionError{ID: id, From: held.State, By: topup.OpResolve}
		return settled{order: held.Order}, t.repeats(refused, sqlResolvedSo, decision...)
	}
	if err := t.resolvable(held, r, now); err != nil {
		return settled{}, err
	}
	args := append([]any{string(id), now.UnixMicro()}, decision[len(decision)-3:]...)
	if r.Outcome == topup.ResolvedResend {
		args = append(args, endsAt)
	}
	o, found, err := t.Order(sqlResolves[r.Outcome], args...)
	if err = lostUnless(found, err); err != nil { // PostgreSQL: it moved on between the two statements
		return settled{}, err
	}
	if err := t.decided(o, decision, now); err != nil {
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
	return append([]any{order, string(r.Outcome), tables.Text(r.Reason), tables.Text(r.By), forced},
		receiptColumns(r.TransactionID, r.Reference, r.AuthCode)...)
}

func receiptColumns(transaction, reference, authorisation topup.NullString) []any {
	return []any{tables.Text(string(transaction)), tables.Text(string(reference)), tables.Text(string(authorisation))}
}

// sqlResolvedSo is one row: whether the last resolution of an order is this very one.
var sqlResolvedSo = sqls.Get("resolved_so")

// decided keeps who decided what of an order, when and why.
func (t tx) decided(r tables.Record, decision []any, now time.Time) error {
	_, err := t.Exec(sqls.Get("resolution"), append(decision, r.AttemptCount, now.UnixMicro())...)
	return err
}

// repeats is refused, unless the query counts what the operation did before.
func (t tx) repeats(refused error, query string, args ...any) error {
	n, err := t.Number(query, args...)
	if err == nil && n == 0 {
		err = refused
	}
	return err
}

// resolvable refuses what could be overtaken by the truth, and what the caller does not want any more.
func (t tx) resolvable(held tables.Record, r topup.Resolution, now time.Time) error {
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
	until, err := t.Number(sqls.Get("settled_by"), held.Key)
	if err == nil && now.UnixMicro() < until {
		return &topup.TooEarlyError{ID: held.ID, Until: time.UnixMicro(until)}
	}
	return err
}
