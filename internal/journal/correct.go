package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"recarga/topup"
)

// sqlCorrects take the receipts of a purchase that was charged; one that was not has none.
var sqlCorrects = map[topup.ResolvedAs]string{
	topup.ResolvedSucceeded: sqls.Get("correct_succeeded"),
	topup.ResolvedFailed:    sqls.Get("correct_failed"),
}

var (
	sqlCorrection = sqls.Get("correction")
	// sqlCorrectedSo is one row: whether the last correction of an order is this very one.
	sqlCorrectedSo   = sqls.Get("corrected_so")
	sqlCorrectionsOf = sqls.Get("corrections_of")
)

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
	now = whole(now)
	done, err := write(ctx, j, string(id), func(t *tx) (settled, error) { return t.correct(id, c, now) })
	if err = j.unlessArchived(ctx, id, err); err != nil {
		return topup.Order{}, nil, fmt.Errorf("correct %s: %w", id, err)
	}
	return done.order, done.event, nil
}

// unlessArchived is topup.ErrArchived for an order that was not found and has left for the archive.
func (j *Journal) unlessArchived(ctx context.Context, id topup.ID, err error) error {
	if !errors.Is(err, topup.ErrNotFound) {
		return err
	}
	if _, archivedErr := j.archivedRecord(ctx, id); archivedErr != nil {
		return archivedErr
	}
	return topup.ErrArchived
}

func (t *tx) correct(id topup.ID, c topup.Correction, now time.Time) (settled, error) {
	was, err := t.known(id)
	if err != nil {
		return settled{}, err
	}
	receipts := []any{text(string(c.TransactionID)), text(string(c.Reference)), text(string(c.AuthCode))}
	decision := append([]any{was.key, string(c.Outcome), text(c.Reason), text(c.By)}, receipts...)
	r, found, err := t.order(sqlCorrects[c.Outcome], append([]any{string(id), now.UnixMicro()}, receipts...)...)
	if err != nil {
		return settled{}, err
	}
	if !found {
		n, err := t.number(sqlCorrectedSo, decision...)
		if err == nil && n == 0 {
			err = &topup.TransitionError{ID: id, From: was.State, By: topup.OpCorrect}
		}
		return settled{order: was.Order}, err
	}
	if _, err := t.Exec(sqlCorrection, append(decision, string(was.State), string(was.TransactionID),
		now.UnixMicro())...); err != nil {
		return settled{}, err
	}
	if _, err := t.Exec(sqlEndDispute, r.key, now.UnixMicro(), string(topup.DisputeCorrected), text(c.Reason),
		text(c.By)); err != nil {
		return settled{}, err
	}
	t.finished()[was.State]--
	t.count(r.State)
	return t.notified(r, topup.EventCorrected, now)
}

var (
	sqlDispute     = sqls.Get("dispute")
	sqlNewDispute  = sqls.Get("new_dispute")
	sqlMoreDispute = sqls.Get("more_dispute")
	// sqlSaidBefore counts the disputes of an order that had this evidence.
	sqlSaidBefore = sqls.Get("said_before")
	sqlEndDispute = sqls.Get("end_dispute")
	sqlUphold     = sqls.Get("uphold")
	sqlUpheldSo   = sqls.Get("upheld_so")
	sqlDisputesOf = sqls.Get("disputes_of")
)

// Dispute marks a final order as disputed by evidence that contradicts its state, which it keeps. Further evidence is
// added to an open dispute. Evidence that was brought before, in a dispute that a person has ended too, changes
// nothing.
//
// Errors: topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when the order is not final.
func (j *Journal) Dispute(ctx context.Context, id topup.ID, d topup.Dispute, now time.Time) (topup.Order, error) {
	now = whole(now)
	r, err := write(ctx, j, string(id), func(t *tx) (record, error) {
		r, err := t.known(id)
		if err == nil && !r.State.Final() {
			err = &topup.TransitionError{ID: id, From: r.State, By: topup.OpDispute}
		}
		if err != nil {
			return r, err
		}
		return t.dispute(r, d.Evidence, d.RaisedBy, now)
	})
	if err = j.unlessArchived(ctx, id, err); err != nil {
		return topup.Order{}, fmt.Errorf("dispute %s: %w", id, err)
	}
	return r.Order, nil
}

func (t *tx) dispute(r record, evidence, raisedBy string, now time.Time) (record, error) {
	evidence = text(evidence)
	said, err := t.number(sqlSaidBefore, r.key, evidence)
	if err != nil || said > 0 || strings.TrimSpace(evidence) == "" {
		return r, err
	}
	disputed, found, err := t.order(sqlDispute, string(r.ID), now.UnixMicro())
	if err != nil {
		return r, err
	}
	if !found {
		_, err = t.Exec(sqlMoreDispute, r.key, evidence)
		return r, err
	}
	_, err = t.Exec(sqlNewDispute, r.key, now.UnixMicro(), evidence, text(raisedBy))
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
	now = whole(now)
	r, err := write(ctx, j, string(id), func(t *tx) (record, error) {
		decision := []any{string(u.Outcome), text(u.Reason), text(u.By)}
		r, found, err := t.order(sqlUphold, string(id), now.UnixMicro())
		if err != nil {
			return r, err
		}
		if found {
			_, err = t.Exec(sqlEndDispute, slices.Concat([]any{r.key, now.UnixMicro()}, decision)...)
			return r, err
		}
		if r, err = t.known(id); err != nil {
			return r, err
		}
		n, err := t.number(sqlUpheldSo, slices.Concat([]any{r.key}, decision)...)
		if err == nil && n == 0 {
			err = topup.ErrNotDisputed
		}
		return r, err
	})
	if err = j.unlessArchived(ctx, id, err); err != nil {
		return topup.Order{}, fmt.Errorf("end dispute of %s: %w", id, err)
	}
	return r.Order, nil
}

var sqlCountDisputed = sqls.Get("count_disputed")

// Disputed counts the orders that are disputed, and says since when the first of them is; zero when there is none.
func (j *Journal) Disputed(ctx context.Context) (n int64, since time.Time, err error) {
	var first int64
	if err := j.engine.Read.QueryRowContext(ctx, sqlCountDisputed).Scan(&n, &first); err != nil {
		return 0, since, fmt.Errorf("%s: %w", j.engine.Name, err)
	}
	if n > 0 {
		since = time.UnixMicro(first).UTC()
	}
	return n, since, nil
}

func scanCorrection(row scanner) (c topup.Correction, err error) {
	err = row.Scan(&c.Outcome, &c.Reason, &c.By, &c.Was, &c.WasTransactionID, &c.TransactionID, &c.Reference,
		&c.AuthCode, when{&c.At})
	return c, err
}

func scanDispute(row scanner) (d topup.Dispute, err error) {
	err = row.Scan(when{&d.Since}, &d.Evidence, &d.RaisedBy, maybe{&d.EndedAt}, &d.Outcome, &d.Reason, &d.EndedBy)
	return d, err
}
