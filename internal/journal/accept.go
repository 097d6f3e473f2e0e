package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/internal/journal/commit"
	"recarga/topup"
)

var (
	sqlOrder      = sqls.Get("order")
	sqlArchivedID = sqls.Get("is_archived")
	sqlInsert     = sqls.Engines("insert")
	// sqlInsertInvalid also takes an order whose id lacks its caller's prefix: that is why it is invalid.
	sqlInsertInvalid = sqls.Get("insert_invalid")
)

// Accept records a new order durably, queued; one of bulk priority that is due waits from the start. The repeat of an
// order's id and content returns the order as it now is, with replayed set.
//
// Errors: topup.ErrConflict when the id is taken by other content or another caller; those of topup.FieldErrors when
// a new order has expired already, the catalogue does not sell what it asks for, or its id begins with another
// caller's prefix, or not with its own caller's. A repeat is judged by none of these.
func (j *Journal) Accept(ctx context.Context, r topup.Request,
	now time.Time) (o topup.Order, replayed bool, err error) {
	r.ProcessAt, r.ExpiresAt = wholeOrNil(r.ProcessAt), wholeOrNil(r.ExpiresAt)
	now = whole(now)
	fresh := record{Order: r.Order(now), fingerprint: fingerprint(r)}
	if fresh.Priority == topup.PriorityBulk && fresh.ProcessAt == nil {
		fresh.WaitsFor = topup.NullString(topup.WaitFairShare)
	}
	fresh.EndsAt = j.limits.untried(fresh.Order)
	insert, err := insertion(fresh)
	if err != nil {
		return o, false, fmt.Errorf("accept %s: %w", r.ID, err)
	}
	refused := errors.Join(j.catalog.Check(r), r.CheckTimes(now))
	type accepted struct {
		record
		replayed bool
	}
	usual := func(out *accepted) *commit.Step {
		*out = accepted{record: fresh} // what is stored is what was given, so it need not be read back
		return &commit.Step{
			Statement: commit.Change(sqlInsert.SQLite, insert...),
			Missed:    func(*commit.Tx) (*commit.Step, error) { return repeat(&out.record, &out.replayed, fresh), nil },
		}
	}
	if refused != nil {
		usual = nil
	}
	a, err := writeUsual(ctx, j, string(r.ID), usual, func(t *tx) (accepted, error) {
		if refused == nil {
			if inserted, err := t.Exec(sqlInsert.SQLite, insert...); inserted > 0 || err != nil {
				return accepted{record: fresh}, err
			}
		}
		stored, err := t.repeated(fresh, refused)
		return accepted{record: stored, replayed: !t.Again() || !stored.CreatedAt.Equal(now)}, err
	})
	if errors.Is(err, errArchived) {
		a.record, err = j.archivedRecord(ctx, r.ID)
		err = cmp.Or(err, fresh.differsFrom(a.record))
	}
	if err != nil {
		return topup.Order{}, false, fmt.Errorf("accept %s: %w", r.ID, err)
	}
	return a.Order, a.replayed, nil
}

// repeat reads the stored order of which fresh is a repeat.
func repeat(stored *record, replayed *bool, fresh record) *commit.Step {
	return &commit.Step{
		Statement: oneOrder(stored, sqlOrder, string(fresh.ID)),
		Then: func(*commit.Tx) (*commit.Step, error) {
			*replayed = true
			return nil, fresh.differsFrom(*stored)
		},
	}
}

// repeated is the stored order of which r is a repeat; refused is returned when there is none.
func (t *tx) repeated(r record, refused error) (record, error) {
	stored, found, err := t.order(sqlOrder, string(r.ID))
	switch {
	case err != nil:
		return record{}, err
	case !found:
		return record{}, t.unlessArchived(r, refused)
	}
	return stored, r.differsFrom(stored)
}

// errArchived: the order of an id has left for the archive.
var errArchived = errors.New("archived")

// unlessArchived is refused, or errArchived, or why else a new order was not inserted: for its prefix.
func (t *tx) unlessArchived(r record, refused error) error {
	n, err := t.number(sqlArchivedID, string(r.ID))
	switch {
	case err != nil:
		return err
	case n > 0:
		return errArchived
	case refused != nil:
		return refused
	}
	return t.wrongPrefix(r.ID, r.Caller)
}

// differsFrom is topup.ErrConflict unless the stored order is of the same content and caller.
func (r record) differsFrom(stored record) error {
	if stored.Caller != r.Caller || !bytes.Equal(stored.fingerprint, r.fingerprint) {
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
	now, o.ProcessAt, o.ExpiresAt = whole(now), wholeOrNil(o.ProcessAt), wholeOrNil(o.ExpiresAt)
	r := record{Order: o, fingerprint: fingerprint(o.Request()), events: 1}
	r.State, r.ResponseMessage = topup.StateFailed, topup.NullString(text(why))
	if r.Reason == "" {
		r.Reason = topup.ReasonInvalid
	}
	r.CreatedAt, r.UpdatedAt, r.FinishedAt, r.NextAttemptAt = now, now, &now, nil
	insert, err := insertion(r)
	if err != nil {
		return nil, fmt.Errorf("accept invalid %s: %w", o.ID, err)
	}
	event, err := write(ctx, j, string(o.ID), func(t *tx) (*topup.Event, error) {
		stored, inserted, err := t.order(sqlInsertInvalid, insert...)
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
func (t *tx) notInserted(r record) error {
	_, taken, err := t.order(sqlOrder, string(r.ID))
	if err == nil && !taken {
		err = t.unlessArchived(r, nil)
	}
	if err == nil || errors.Is(err, errArchived) {
		return topup.ErrConflict
	}
	return err
}

func fingerprint(r topup.Request) []byte {
	sum := r.Fingerprint()
	return sum[:]
}

// insertion is what sqlInsert wants.
func insertion(r record) ([]any, error) {
	metadata, err := encodeMetadata(r.Metadata)
	if err != nil {
		return nil, err
	}
	var line any
	if r.WaitsFor != "" {
		line = int64(r.Priority.Rank())
	}
	return []any{
		string(r.ID), r.Caller, r.fingerprint, string(r.State), string(r.Reason), r.Phone.Digits(), r.Product,
		int64(r.Amount), string(r.Operator), metadata, r.CallbackURL, string(r.ResponseMessage), int64(r.events),
		r.CreatedAt.UnixMicro(), r.UpdatedAt.UnixMicro(), micros(r.ProcessAt), micros(r.ExpiresAt),
		micros(r.NextAttemptAt), micros(r.FinishedAt), micros(firstDue(r.Order)), int64(r.Priority.Rank()), line,
		string(r.WaitsFor),
		micros(r.EndsAt),
	}, nil
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
