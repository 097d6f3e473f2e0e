package search

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Events returns a page of events, newest first, and the cursor of the next page, empty after the last.
// A cursor that is none of ours is a *topup.FieldError.
func (r *Reader) Events(ctx context.Context, f topup.EventFilter) (events []topup.Event, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = pageLength
	}
	f.Limit = min(f.Limit, LongestPage)
	first, last, err := eventIDs(f)
	if err != nil {
		return nil, "", err
	}
	for _, most := range stretches(f.MostRead, eventsLed(f)) {
		var stop []byte
		if most > 0 {
			if stop, err = r.farEvent(ctx, first, last, most); err != nil {
				return nil, "", err
			}
		}
		q, args, err := eventQuery(f, slices.MaxFunc([][]byte{first, stop}, bytes.Compare), last)
		if err != nil {
			return nil, "", err
		}
		events, err = tables.List(ctx, r.db, tables.ScanEvent, q, args...)
		if len(events) > f.Limit {
			return events[:f.Limit], events[f.Limit-1].ID, nil
		}
		if err != nil || stop == nil {
			return events, "", err
		}
		if next, err = tables.EventID(stop); err != nil {
			return nil, "", err
		}
	}
	return events, next, nil
}

// eventIDs bound those of the filter's events; last is not included.
func eventIDs(f topup.EventFilter) (from, until []byte, err error) {
	first, last := uuid.Nil, uuid.Max
	if !f.Since.IsZero() {
		first = earliest(f.Since)
	}
	if !f.Until.IsZero() {
		last = earliest(f.Until)
	}
	if f.Cursor != "" {
		key, ok := tables.EventKey(f.Cursor)
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
