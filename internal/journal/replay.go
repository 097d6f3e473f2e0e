package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"recarga/topup"
)

// EventFilter chooses events.
type EventFilter = topup.EventFilter

// Events returns a page of events, newest first, and the cursor of the next page, empty after the last.
// A cursor that is none of ours is a *topup.FieldError.
func (j *Journal) Events(ctx context.Context, f EventFilter) (events []topup.Event, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = pageLength
	}
	f.Limit = min(f.Limit, longestPage)
	first, last, err := eventIDs(f)
	if err != nil {
		return nil, "", err
	}
	q, args, err := eventQuery(f, first, last)
	if err != nil {
		return nil, "", err
	}
	events, err = list(ctx, j, scanEvent, q, args...)
	if len(events) > f.Limit {
		events = events[:f.Limit]
		next = events[f.Limit-1].ID
	}
	return events, next, err
}

// eventIDs bound those of the filter's events; last is not included.
func eventIDs(f EventFilter) (from, until []byte, err error) {
	first, last := uuid.Nil, uuid.Max
	if !f.Since.IsZero() {
		first = earliest(f.Since)
	}
	if !f.Until.IsZero() {
		last = earliest(f.Until)
	}
	if f.Cursor != "" {
		key, ok := eventKey(f.Cursor)
		if !ok {
			return nil, nil, &topup.FieldError{Field: "cursor", Value: f.Cursor, Allowed: "the next_cursor of an earlier page"}
		}
		if before, _ := uuid.FromBytes(key); before.String() < last.String() {
			last = before
		}
	}
	return first[:], last[:], nil
}

// earliest is the lowest id of version 7 that an event made at t can have.
func earliest(t time.Time) (id uuid.UUID) {
	ms := max(t.UnixMilli(), 0)
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id
}

var (
	// sqlForgetRedeliveries forgets former days.
	sqlForgetRedeliveries = sqls.Get("forget_redeliveries")
	sqlCountRedelivery    = sqls.Get("count_redelivery")
)

const day = 24 * time.Hour

// counted counts a redelivery, unless the event has had so many on this day, of UTC.
func (t *tx) counted(key []byte, most int, now time.Time) error {
	today := now.UnixMicro() / day.Microseconds()
	if _, err := t.Exec(sqlForgetRedeliveries, today); err != nil {
		return err
	}
	n, err := t.Exec(sqlCountRedelivery, today, key, most)
	if err != nil || n > 0 {
		return err
	}
	return &topup.QuotaError{
		Reason: fmt.Sprintf("the event was redelivered %d times today, and no more is allowed but to the operator", most),
		After:  now.Truncate(day).Add(day).Sub(now),
	}
}

var sqlRedeliver = sqls.Get("redeliver")

// Redeliver makes an event due again, from the start of its schedule, whatever became of it before. Its
// tries are kept. topup.ErrNotFound means that there is no such event.
func (j *Journal) Redeliver(ctx context.Context, ev topup.Event, now time.Time) error {
	return j.RedeliverWithin(ctx, ev, 0, now)
}

// RedeliverWithin is Redeliver at most so many times a day, of those that were counted; 0 neither counts nor bounds.
// More is a *topup.QuotaError.
func (j *Journal) RedeliverWithin(ctx context.Context, ev topup.Event, most int, now time.Time) error {
	key, ok := eventKey(ev.ID)
	if !ok {
		return fmt.Errorf("redeliver %q: %w", ev.ID, topup.ErrNotFound)
	}
	_, err := write(ctx, j, string(ev.OrderID), func(t *tx) (int64, error) {
		if most > 0 {
			if err := t.counted(key, most, now); err != nil {
				return 0, err
			}
		}
		n, err := t.Exec(sqlRedeliver, key, whole(now).UnixMicro())
		if err == nil && n == 0 {
			err = topup.ErrNotFound
		}
		return n, err
	})
	if err != nil {
		return fmt.Errorf("redeliver %s: %w", ev.ID, err)
	}
	return nil
}

// RedeliverAll redelivers the events that the filter chooses and that were made before it was called: all
// of them, or with a Limit only a page, and next is the cursor of the rest. each is called for each that is
// due again. The count is right also with an error: what was done is not undone.
func (j *Journal) RedeliverAll(ctx context.Context, f EventFilter, now time.Time,
	each func(topup.Event)) (count int, next string, err error) {
	if f.Until.IsZero() || f.Until.After(now) {
		f.Until = now.Add(time.Millisecond) // of the event's own millisecond
	}
	page := f.Limit > 0
	if !page {
		f.Limit = longestPage
	}
	for {
		events, next, err := j.Events(ctx, f)
		if err != nil {
			return count, f.Cursor, err
		}
		done, err := j.redeliverPage(ctx, events, f.MostRedeliveries, now)
		if err != nil {
			return count, f.Cursor, err
		}
		for _, ev := range done {
			each(ev)
		}
		count += len(done)
		if f.Cursor = next; next == "" || page {
			return count, next, nil
		}
	}
}

// redeliverPage writes a page's events side by side, so that they share commits, and returns those that are due again.
func (j *Journal) redeliverPage(
	ctx context.Context, events []topup.Event, most int, now time.Time,
) (again []topup.Event, err error) {
	errs := make([]error, len(events))
	done := make(chan struct{})
	for i, ev := range events {
		go func() {
			errs[i] = j.RedeliverWithin(ctx, ev, most, now)
			done <- struct{}{}
		}()
	}
	for range events {
		<-done
	}
	for i, ev := range events {
		var often *topup.QuotaError
		switch {
		case errs[i] == nil:
			again = append(again, ev)
		case !errors.As(errs[i], &often):
			err = errors.Join(err, errs[i])
		}
	}
	return again, err
}
