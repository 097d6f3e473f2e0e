package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Restore records an order that a statement charges and that the book does not know, because it was restored from an
// older backup: it has succeeded, is never sent, and is Unclaimed until its caller places it (Accept). It has one
// attempt, of the time of the charge, and makes no event: its caller, who is not known yet, may have been notified
// before the book was lost. The statement's word is kept as a resolution (topup.ResolvedRestored). The repeat of a
// Restore changes nothing.
//
// Errors: those of topup.FieldErrors; topup.ErrConflict when the id is taken.
func (j *Journal) Restore(ctx context.Context, c topup.LostCharge, now time.Time) (topup.Order, error) {
	c.From, c.Until, now = tables.Whole(c.From), tables.Whole(c.Until), tables.Whole(now)
	c.TransactionID, c.Reference, c.AuthCode = topup.NullString(tables.Text(string(c.TransactionID))),
		topup.NullString(tables.Text(string(c.Reference))), topup.NullString(tables.Text(string(c.AuthCode)))
	if err := c.Check(); err != nil {
		return topup.Order{}, err
	}
	o, err := write(ctx, j, c.ID, func(t tx) (topup.Order, error) { return t.restore(c, now) })
	if err != nil {
		return topup.Order{}, fmt.Errorf("restore %s: %w", c.ID, err)
	}
	return o, nil
}

func (t tx) restore(c topup.LostCharge, now time.Time) (topup.Order, error) {
	o := c.Order(now)
	r, inserted, err := t.Order(sqls.Get("restore"), string(o.ID), []byte{}, o.Phone.Digits(), int64(o.Amount),
		string(o.TransactionID), string(o.Reference), string(o.AuthCode), o.CreatedAt.UnixMicro(), o.UpdatedAt.UnixMicro(),
		o.FinishedAt.UnixMicro(), int64(o.Priority.Rank()), topup.LostEvents)
	if err != nil {
		return o, err
	}
	if !inserted {
		return t.restoredBefore(c)
	}
	_, err = t.Exec(sqls.Get("restored_attempt"), r.Key, c.From.UnixMicro(), c.Until.UnixMicro(), topup.LostRecord,
		tables.Text(c.Evidence))
	if err == nil {
		err = t.decided(r, decisionColumns(r.Key, c.Resolution()), now)
	}
	t.count(r.State)
	return r.Order, err
}

// restoredBefore is the order that a repeat finds, or topup.ErrConflict.
func (t tx) restoredBefore(c topup.LostCharge) (topup.Order, error) {
	r, err := t.Known(c.ID)
	if errors.Is(err, topup.ErrNotFound) {
		err = topup.ErrConflict // it is archived
	}
	if err != nil {
		return topup.Order{}, err
	}
	return r.Order, t.repeats(topup.ErrConflict, sqlResolvedSo, decisionColumns(r.Key, c.Resolution())...)
}

// claim completes an order that is Unclaimed by what its caller asks for, and notifies the caller. Of one that was
// claimed meanwhile it is a repeat.
func (j *Journal) claim(ctx context.Context, fresh tables.Record, now time.Time) (tables.Record, error) {
	metadata, err := encodeMetadata(fresh.Metadata)
	if err != nil {
		return fresh, err
	}
	defer j.changed(Change{Order: fresh.ID, Caller: fresh.Caller}) // its event
	return write(ctx, j, fresh.ID, func(t tx) (tables.Record, error) {
		r, found, err := t.Order(sqls.Get("claim"), string(fresh.ID), fresh.Caller, fresh.Fingerprint, fresh.Product,
			string(fresh.Operator), metadata, fresh.CallbackURL, tables.Micros(fresh.ProcessAt),
			tables.Micros(fresh.ExpiresAt), int64(fresh.Priority.Rank()), now.UnixMicro(), fresh.Phone.Digits(),
			int64(fresh.Amount))
		switch {
		case err != nil:
			return r, err
		case found:
			if _, err = t.notified(r, topup.ClaimEventOf(r.State, r.EventCount-1), now); err == nil {
				_, err = t.Exec(sqls.Get("claim_due"), r.Key, r.EventCount, now.UnixMicro())
			}
			return r, err
		}
		if r, err = t.Known(fresh.ID); err == nil {
			err = differs(fresh, r)
		}
		return r, err
	})
}
