package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"recarga/topup"
)

// EventFilter chooses events. Zero fields choose all.
type EventFilter struct {
	State  topup.EventState
	Caller string
	Type   topup.EventType
	// Endpoint is one of the caller's, by name; topup.DefaultEndpoint is its callback URL.
	Endpoint string
	// Since and Until bound the time at which the event was made; Until is not included. To the
	// millisecond: an event's id begins with its time, and ids are what is searched.
	Since, Until time.Time
	// Limit is the length of a page; 0 means 50, and 1000 is the most.
	Limit int
	// Cursor is what the page before returned as next; empty for the first.
	Cursor string
}

// Events returns a page of events, newest first, and the cursor of the next page, empty after the last.
// A cursor that is none of ours is a *topup.FieldError.
func (j *Journal) Events(ctx context.Context, f EventFilter) (events []topup.Event, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = pageLength
	}
	f.Limit = min(f.Limit, longestPage)
	where, args, err := f.where()
	if err != nil {
		return nil, "", err
	}
	args = append(args, f.Limit+1)
	events, err = list(ctx, j, scanEvent, fmt.Sprintf("%sWHERE %s ORDER BY e.id DESC LIMIT $%d", sqlEvents, where, len(args)), args...)
	if len(events) > f.Limit {
		events = events[:f.Limit]
		next = events[f.Limit-1].ID
	}
	return events, next, err
}

// where is the filter as a condition on e, the event, and o, its order.
func (f EventFilter) where() (string, []any, error) {
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
			return "", nil, &topup.FieldError{Field: "cursor", Value: f.Cursor, Allowed: "the next_cursor of an earlier page"}
		}
		if before, _ := uuid.FromBytes(key); before.String() < last.String() {
			last = before
		}
	}
	conditions, args := []string{"e.id >= $1", "e.id < $2"}, []any{first[:], last[:]}
	switch f.State {
	case "":
	case topup.EventPending, topup.EventDelivered, topup.EventExhausted:
		conditions = append(conditions, "e.state = '"+string(f.State)+"'") // not an argument: an index is for one state
	default:
		return "", nil, &topup.FieldError{Field: "state", Value: string(f.State), Allowed: "one of pending, delivered, exhausted"}
	}
	switch f.Endpoint {
	case "":
	case topup.DefaultEndpoint:
		conditions = append(conditions, "e.endpoint = ''")
	default:
		args = append(args, f.Endpoint)
		conditions = append(conditions, fmt.Sprintf("e.endpoint = $%d", len(args)))
	}
	if f.Caller == topup.OperatorCaller {
		f.Caller = ""
		conditions = append(conditions, "e.order_key = 0")
	}
	for _, is := range [][2]string{{"o.caller", f.Caller}, {"e.type", string(f.Type)}} {
		if column, value := is[0], is[1]; value != "" {
			args = append(args, value)
			conditions = append(conditions, fmt.Sprintf("%s = $%d", column, len(args)))
		}
	}
	return strings.Join(conditions, " AND "), args, nil
}

// earliest is the lowest id of version 7 that an event made at t can have.
func earliest(t time.Time) (id uuid.UUID) {
	ms := max(t.UnixMilli(), 0)
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id
}

const sqlRedeliver = `UPDATE events SET state = 'pending', due_at = $2, delivered_at = NULL, schedule_start = try_count WHERE id = $1`

// Redeliver makes an event due again, from the start of its schedule, whatever became of it before. Its
// tries are kept. topup.ErrNotFound means that there is no such event.
func (j *Journal) Redeliver(ctx context.Context, ev topup.Event, now time.Time) error {
	key, ok := eventKey(ev.ID)
	if !ok {
		return fmt.Errorf("redeliver %q: %w", ev.ID, topup.ErrNotFound)
	}
	_, err := write(ctx, j, string(ev.OrderID), func(t *tx) (int64, error) {
		n, err := t.exec(sqlRedeliver, key, whole(now).UnixMicro())
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
func (j *Journal) RedeliverAll(ctx context.Context, f EventFilter, now time.Time, each func(topup.Event)) (count int, next string, err error) {
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
		if err := errors.Join(j.redeliverPage(ctx, events, now)...); err != nil {
			return count, f.Cursor, err
		}
		for _, ev := range events {
			each(ev)
		}
		count += len(events)
		if f.Cursor = next; next == "" || page {
			return count, next, nil
		}
	}
}

// redeliverPage writes a page's events side by side, so that they share commits.
func (j *Journal) redeliverPage(ctx context.Context, events []topup.Event, now time.Time) []error {
	errs := make([]error, len(events))
	done := make(chan struct{})
	for i, ev := range events {
		go func() {
			errs[i] = j.Redeliver(ctx, ev, now)
			done <- struct{}{}
		}()
	}
	for range events {
		<-done
	}
	return errs
}
