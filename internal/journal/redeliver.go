package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/internal/audit"
	"recarga/internal/journal/search"
	"recarga/internal/journal/tables"
	"recarga/topup"
)

const day = 24 * time.Hour

// counted counts a redelivery, unless the event has had so many on this day, of UTC.
func (t tx) counted(key []byte, most int, now time.Time) error {
	today := now.UnixMicro() / day.Microseconds()
	if _, err := t.Exec(sqls.Get("forget_redeliveries"), today); err != nil {
		return err
	}
	n, err := t.Exec(sqls.Get("count_redelivery"), today, key, most)
	if err != nil || n > 0 {
		return err
	}
	return &topup.QuotaError{
		Reason: fmt.Sprintf("the event was redelivered %d times today, and no more is allowed but to the operator", most),
		After:  now.Truncate(day).Add(day).Sub(now),
	}
}

// RedeliverWithin makes an event due again, from the start of its schedule, whatever became of it before. Its tries
// are kept. It does so at most so many times a day, of those that were counted; 0 neither counts nor bounds. More is a
// *topup.QuotaError; topup.ErrNotFound means that there is no such event.
func (j *Journal) RedeliverWithin(ctx context.Context, ev topup.Event, most int, now time.Time) error {
	key, ok := tables.EventKey(ev.ID)
	if !ok {
		return fmt.Errorf("redeliver %q: %w", ev.ID, topup.ErrNotFound)
	}
	_, err := write(audit.On(ctx, ev.ID), j, ev.OrderID, func(t tx) (struct{}, error) {
		if most > 0 {
			if err := t.counted(key, most, now); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, t.Change(topup.ErrNotFound, sqls.Get("redeliver"), key, tables.Whole(now).UnixMicro())
	})
	if err != nil {
		return fmt.Errorf("redeliver %s: %w", ev.ID, err)
	}
	return nil
}

// RedeliverAll redelivers the events that the filter chooses and that were made before it was called: all
// of them, or with a Limit only a page, and next is the cursor of the rest. each is called for each that is
// due again. The count is right also with an error: what was done is not undone.
func (j *Journal) RedeliverAll(ctx context.Context, f topup.EventFilter, now time.Time,
	each func(topup.Event)) (count int, next string, err error) {
	if f.Until.IsZero() || f.Until.After(now) {
		f.Until = now.Add(time.Millisecond) // of the event's own millisecond
	}
	page := f.Limit > 0
	if !page {
		f.Limit = search.LongestPage
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
