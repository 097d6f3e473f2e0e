package journal

import (
	"context"
	"slices"
	"strings"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// sqlCorrects take the receipts of a purchase that was charged; one that was not has none.
var sqlCorrects = map[topup.ResolvedAs]string{
	topup.ResolvedSucceeded: sqls.Get("correct_succeeded"),
	topup.ResolvedFailed:    sqls.Get("correct_failed"),
}

// Correct changes a final state that was wrong, by a person's word, ends the order's dispute, and keeps who, when and
// why.
//
// The repeat of the order's last correction, because its answer was lost, changes nothing and returns the order
// without an event.
//
// Errors: those of topup.FieldErrors; topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when the order is
// not final, or is so already.
func (j *Journal) Correct(
	ctx context.Context, id topup.ID, c topup.Correction, now time.Time,
) (topup.Order, *topup.Event, error) {
	if err := c.Check(); err != nil {
		return topup.Order{}, nil, err
	}
	now = tables.Whole(now)
	return j.change(ctx, "correct", id, unchangeable, func(t tx) (settled, error) { return t.correct(id, c, now) })
}

func (t tx) correct(id topup.ID, c topup.Correction, now time.Time) (settled, error) {
	was, err := t.Known(id)
	if err != nil {
		return settled{}, err
	}
	receipts := receiptColumns(c.TransactionID, c.Reference, c.AuthCode)
	decision := append([]any{was.Key, string(c.Outcome), tables.Text(c.Reason), tables.Text(c.By)}, receipts...)
	r, found, err := t.Order(sqlCorrects[c.Outcome], append([]any{string(id), now.UnixMicro()}, receipts...)...)
	if err != nil {
		return settled{}, err
	}
	if !found {
		refused := &topup.TransitionError{ID: id, From: was.State, By: topup.OpCorrect}
		return settled{order: was.Order}, t.repeats(refused, sqls.Get("corrected_so"), decision...)
	}
	if _, err := t.Exec(sqls.Get("correction"), append(decision, string(was.State), string(was.TransactionID),
		now.UnixMicro())...); err != nil {
		return settled{}, err
	}
	if _, err := t.Exec(sqlEndDispute, r.Key, now.UnixMicro(), string(topup.DisputeCorrected), tables.Text(c.Reason),
		tables.Text(c.By)); err != nil {
		return settled{}, err
	}
	t.Finished()[was.State]--
	t.count(r.State)
	return t.notified(r, topup.EventCorrected, now)
}

var sqlEndDispute = sqls.Get("end_dispute")

// Dispute marks a final order as disputed by evidence that contradicts its state, which it keeps. Further evidence is
// added to an open dispute. Evidence that was brought before, in a dispute that a person has ended too, changes
// nothing.
//
// Errors: topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when the order is not final.
func (j *Journal) Dispute(ctx context.Context, id topup.ID, d topup.Dispute, now time.Time) (topup.Order, error) {
	now = tables.Whole(now)
	o, _, err := j.change(ctx, "dispute", id, unchangeable, func(t tx) (settled, error) {
		r, err := t.Known(id)
		if err == nil && !r.State.Final() {
			err = &topup.TransitionError{ID: id, From: r.State, By: topup.OpDispute}
		}
		if err != nil {
			return settled{order: r.Order}, err
		}
		r, err = t.dispute(r, d.Evidence, d.RaisedBy, now)
		return settled{order: r.Order}, err
	})
	return o, err
}

func (t tx) dispute(r tables.Record, evidence, raisedBy string, now time.Time) (tables.Record, error) {
	evidence = tables.Text(evidence)
	said, err := t.Number(sqls.Get("said_before"), r.Key, evidence)
	if err != nil || said > 0 || strings.TrimSpace(evidence) == "" {
		return r, err
	}
	disputed, found, err := t.Order(sqls.Get("dispute"), string(r.ID), now.UnixMicro())
	if err != nil {
		return r, err
	}
	if !found {
		_, err = t.Exec(sqls.Get("more_dispute"), r.Key, evidence)
		return r, err
	}
	_, err = t.Exec(sqls.Get("new_dispute"), r.Key, now.UnixMicro(), evidence, tables.Text(raisedBy))
	return disputed, err
}

// Uphold ends an order's dispute: a person says that its state is right. The repeat of the same decision changes
// nothing.
//
// Errors: those of topup.FieldErrors; topup.ErrNotFound; topup.ErrArchived; topup.ErrNotDisputed.
func (j *Journal) Uphold(ctx context.Context, id topup.ID, u topup.Upholding, now time.Time) (topup.Order, error) {
	if err := u.Check(); err != nil {
		return topup.Order{}, err
	}
	now = tables.Whole(now)
	o, _, err := j.change(ctx, "end dispute of", id, unchangeable, func(t tx) (settled, error) {
		decision := []any{string(u.Outcome), tables.Text(u.Reason), tables.Text(u.By)}
		r, found, err := t.Order(sqls.Get("uphold"), string(id), now.UnixMicro())
		if err == nil && found {
			_, err = t.Exec(sqlEndDispute, slices.Concat([]any{r.Key, now.UnixMicro()}, decision)...)
			return settled{order: r.Order}, err
		}
		if err == nil {
			r, err = t.Known(id)
		}
		if err != nil {
			return settled{}, err
		}
		return settled{order: r.Order}, t.repeats(topup.ErrNotDisputed, sqls.Get("upheld_so"),
			slices.Concat([]any{r.Key}, decision)...)
	})
	return o, err
}
