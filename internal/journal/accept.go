package journal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"recarga/internal/journal/commit"
	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Accept records a new order durably, queued; one of bulk priority that is due waits from the start. The repeat of an
// order's id and content returns the order as it now is, with replayed set. An order that is Unclaimed is completed by
// its first repeat, whose content agrees with it as far as a statement says it, and its caller is notified.
//
// Errors: topup.ErrConflict when the id is taken by other content or another caller; those of topup.FieldErrors when
// a new order has expired already, the catalogue does not sell what it asks for, or its id begins with another
// caller's prefix, or not with its own caller's. A repeat is judged by none of these.
func (j *Journal) Accept(ctx context.Context, r topup.Request,
	now time.Time) (o topup.Order, replayed bool, err error) {
	r.ProcessAt, r.ExpiresAt = tables.WholeOrNil(r.ProcessAt), tables.WholeOrNil(r.ExpiresAt)
	now = tables.Whole(now)
	fresh := tables.Record{Order: r.Order(now), Fingerprint: fingerprint(r)}
	if fresh.Priority == topup.PriorityBulk && fresh.ProcessAt == nil {
		fresh.WaitsFor = topup.NullString(topup.WaitFairShare)
	}
	fresh.EndsAt = j.limits.untried(fresh.Order)
	insert, err := insertion(fresh)
	if err != nil {
		return o, false, fmt.Errorf("accept %s: %w", r.ID, err)
	}
	usual := func(out *accepted) *commit.Step { return accepting(out, fresh, insert) }
	refused := errors.Join(j.catalog.Check(r), r.CheckTimes(now))
	if refused != nil {
		usual = nil
	}
	a, err := writeUsual(ctx, j, r.ID, usual, func(t tx) (accepted, error) {
		stored, err := t.repeated(fresh, refused)
		return accepted{stored, !t.Again() || !stored.CreatedAt.Equal(now)}, err
	})
	if errors.Is(err, topup.ErrArchived) {
		a.Record, err = j.archived.Order(ctx, r.ID)
		err = cmp.Or(err, differs(fresh, a.Record))
	} else if err == nil && a.Unclaimed {
		a.Record, err = j.claim(ctx, fresh, now)
	}
	if err != nil {
		return topup.Order{}, false, fmt.Errorf("accept %s: %w", r.ID, err)
	}
	return a.Order, a.replayed, nil
}

// accepted is what an Accept comes to.
type accepted struct {
	tables.Record
	replayed bool // it was there
}

// accepting inserts a new order, or reads the stored one of which it is a repeat.
func accepting(out *accepted, fresh tables.Record, insert []any) *commit.Step {
	*out = accepted{Record: fresh} // what is stored is what was given, so it need not be read back
	repeat := &commit.Step{
		Statement: tables.OrderByID(&out.Record, fresh.ID),
		Then: func(*commit.Tx) (*commit.Step, error) {
			out.replayed = true
			return nil, differs(fresh, out.Record)
		},
	}
	return &commit.Step{
		Statement: commit.Batched(sqls.Engines("insert"), nil, insert...),
		Missed:    func(*commit.Tx) (*commit.Step, error) { return repeat, nil },
	}
}

// repeated is the stored order of which r is a repeat; refused is returned when there is none.
func (t tx) repeated(r tables.Record, refused error) (tables.Record, error) {
	stored, err := t.Known(r.ID)
	if errors.Is(err, topup.ErrNotFound) {
		return tables.Record{}, t.unlessArchived(r, refused)
	}
	return stored, cmp.Or(err, differs(r, stored))
}

// unlessArchived is refused, or topup.ErrArchived, or why else a new order was not inserted: for its prefix.
func (t tx) unlessArchived(r tables.Record, refused error) error {
	n, err := t.Number(sqls.Get("is_archived"), string(r.ID))
	switch {
	case err != nil:
		return err
	case n > 0:
		return topup.ErrArchived
	case refused != nil:
		return refused
	}
	return t.wrongPrefix(r.ID, r.Caller)
}

// wrongPrefix says why an order was not inserted that no other has the id of.
func (t tx) wrongPrefix(id topup.ID, caller string) error {
	var own string
	scan := func(row tables.Scanner) error { return row.Scan(&own) }
	if _, err := t.Row(scan, sqls.Get("prefix_of"), caller); err != nil {
		return err
	}
	allowed := "an id that begins otherwise: this beginning is reserved"
	if own != "" {
		allowed = fmt.Sprintf("an id that begins with %q, as all of this caller's do", own)
	}
	return &topup.FieldError{Field: topup.FieldID, Value: string(id), Allowed: allowed}
}

// differs is topup.ErrConflict unless an order is of the same content and caller as the stored one, b. Of one that is
// Unclaimed only a part is known.
func differs(a, b tables.Record) error {
	if b.ClaimableBy(a.Request()) {
		return nil
	}
	if a.Caller != b.Caller || !bytes.Equal(a.Fingerprint, b.Fingerprint) {
		return topup.ErrConflict
	}
	return nil
}

// AcceptInvalid records an order that came through Redis alone and cannot be bought: failed, for the
// order's own reason or else as invalid, with why as its response message, and with the event for its caller. Its
// fields may be empty, but for the id.
// An id that is taken is topup.ErrConflict, and nothing changes; one that begins with another caller's prefix is
// recorded neither: the error is one of topup.FieldErrors.
func (j *Journal) AcceptInvalid(ctx context.Context, o topup.Order, why string, now time.Time) (*topup.Event, error) {
	if _, err := topup.ParseID(string(o.ID)); err != nil {
		return nil, err
	}
	now, o.ProcessAt, o.ExpiresAt = tables.Whole(now), tables.WholeOrNil(o.ProcessAt), tables.WholeOrNil(o.ExpiresAt)
	r := tables.Record{Order: o, Fingerprint: fingerprint(o.Request()), EventCount: 1}
	r.State, r.ResponseMessage = topup.StateFailed, topup.NullString(tables.Text(why))
	if r.Reason == "" {
		r.Reason = topup.ReasonInvalid
	}
	r.CreatedAt, r.UpdatedAt, r.FinishedAt, r.NextAttemptAt = now, now, &now, nil
	insert, err := insertion(r)
	if err != nil {
		return nil, fmt.Errorf("accept invalid %s: %w", o.ID, err)
	}
	event, err := write(ctx, j, o.ID, func(t tx) (*topup.Event, error) {
		stored, inserted, err := t.Order(sqls.Get("insert_invalid"), insert...)
		if err != nil {
			return nil, err
		}
		if !inserted {
			return nil, t.notInserted(r)
		}
		done, err := t.changed(stored, now)
		return done.event, err
	})
	if err != nil {
		return nil, fmt.Errorf("accept invalid %s: %w", o.ID, err)
	}
	return event, nil
}

// notInserted is why an invalid order was not.
func (t tx) notInserted(r tables.Record) error {
	_, err := t.Known(r.ID)
	if errors.Is(err, topup.ErrNotFound) {
		err = t.unlessArchived(r, nil)
	}
	if err == nil || errors.Is(err, topup.ErrArchived) {
		return topup.ErrConflict
	}
	return err
}

func fingerprint(r topup.Request) []byte {
	sum := r.Fingerprint()
	return sum[:]
}

// insertion is the columns of a new order.
func insertion(r tables.Record) ([]any, error) {
	metadata, err := encodeMetadata(r.Metadata)
	if err != nil {
		return nil, err
	}
	var line any
	if r.WaitsFor != "" {
		line = int64(r.Priority.Rank())
	}
	return []any{
		string(r.ID), r.Caller, r.Fingerprint, string(r.State), string(r.Reason), r.Phone.Digits(), r.Product,
		int64(r.Amount), string(r.Operator), metadata, r.CallbackURL, string(r.ResponseMessage), int64(r.EventCount),
		r.CreatedAt.UnixMicro(), r.UpdatedAt.UnixMicro(), tables.Micros(r.ProcessAt), tables.Micros(r.ExpiresAt),
		tables.Micros(r.NextAttemptAt), tables.Micros(r.FinishedAt), tables.Micros(firstDue(r.Order)),
		int64(r.Priority.Rank()), line, string(r.WaitsFor), tables.Micros(r.EndsAt),
	}, nil
}

// encodeMetadata is empty for none, as for most orders.
func encodeMetadata(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "", nil
	}
	encoded, err := json.Marshal(m)
	return string(encoded), err
}

// firstDue is when a new order is due to be processed; nil when it is final.
func firstDue(o topup.Order) *time.Time {
	due := &o.CreatedAt
	switch {
	case o.State.Final():
		return nil
	case o.WaitsFor != "":
		due = new(o.CreatedAt.Add(waitGrace))
	case o.NextAttemptAt != nil:
		due = o.NextAttemptAt
	}
	if o.EndsAt != nil && o.EndsAt.Before(*due) {
		return o.EndsAt
	}
	return due
}
