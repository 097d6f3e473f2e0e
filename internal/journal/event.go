package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"recarga/internal/journal/commit"
	"recarga/internal/journal/tables"
	"recarga/topup"
)

// changed ends every change of state but a correction: it counts the order, and makes the event if callers are
// notified of the state.
func (t tx) changed(r tables.Record, now time.Time) (settled, error) {
	t.count(r.State)
	kind := topup.EventTypeOf(r.State)
	if kind == "" {
		return settled{order: r.Order}, nil
	}
	return t.notified(r, kind, now)
}

// notified makes the event of an order that has changed.
func (t tx) notified(r tables.Record, kind topup.EventType, now time.Time) (settled, error) {
	ev, insert, err := t.Announcement(r, kind, now)
	if err == nil {
		_, err = t.Run(insert)
	}
	return settled{order: r.Order, event: ev}, err
}

// count notes an order that has reached a state.
func (t tx) count(s topup.State) {
	if s.Final() {
		t.Finished()[s]++
	}
}

// Event is one event with all that its delivery needs, or topup.ErrNotFound. What a pending one says is durable, as if
// it had just been written: it may be delivered.
func (j *Journal) Event(ctx context.Context, id string) (topup.Event, error) {
	key, ok := tables.EventKey(id)
	if !ok {
		return topup.Event{}, fmt.Errorf("event %q: %w", id, topup.ErrNotFound)
	}
	ev, err := tables.One(ctx, j.db, tables.ScanEvent, sqls.Get("event"), key)
	if err == nil && ev.State == topup.EventPending {
		err = j.db.Confirm(ctx)
	}
	if err != nil {
		return topup.Event{}, fmt.Errorf("event %s: %w", id, err)
	}
	return ev, nil
}

// DueEvents lists events whose next try was due by now, in the order of (due, id), from after on.
func (j *Journal) DueEvents(ctx context.Context, now time.Time, after topup.DueEvent,
	limit int) ([]topup.DueEvent, error) {
	key, ok := tables.EventKey(after.ID)
	if !ok {
		key = uuid.Nil[:]
	}
	return tables.List(ctx, j.db, func(row tables.Scanner) (due topup.DueEvent, err error) {
		var id []byte
		if err = row.Scan(&id, tables.Time(&due.DueAt)); err == nil {
			due.ID, err = tables.EventID(id)
		}
		return due, err
	}, sqls.Get("due_events"), now.UnixMicro(), after.DueAt.UnixMicro(), key, limit)
}

// RecordTry adds a try to an event that is pending, has as many tries as ev says and is for the same endpoint, and
// sets what follows: delivered, exhausted, or pending until dueAt. Otherwise it returns topup.ErrLost: somebody else
// made that try, or has given the event to another endpoint.
func (j *Journal) RecordTry(ctx context.Context, ev topup.Event, try topup.Try, next topup.EventState,
	dueAt time.Time) error {
	key, ok := tables.EventKey(ev.ID)
	if !ok {
		return fmt.Errorf("event %q: %w", ev.ID, topup.ErrNotFound)
	}
	line, err := tables.EncodeTry(try)
	if err != nil {
		return fmt.Errorf("event %s: %w", ev.ID, err)
	}
	var due, delivered *time.Time
	switch next {
	case topup.EventPending:
		due = &dueAt
	case topup.EventDelivered:
		at := try.At.Add(time.Duration(try.DurationMS) * time.Millisecond)
		delivered = &at
	}
	_, err = writeUsual(ctx, j, ev.OrderID, func(*struct{}) *commit.Step {
		return &commit.Step{Missed: lost, Statement: commit.Batched(sqls.Engines("try"), nil, key, ev.TryCount, line,
			string(next), tables.Micros(due), tables.Micros(delivered), ev.Endpoint)}
	}, func(t tx) (struct{}, error) {
		return struct{}{}, t.repeats(topup.ErrLost, sqls.Get("tried_so"), key, ev.TryCount, line)
	})
	if err != nil {
		return fmt.Errorf("event %s: %w", ev.ID, err)
	}
	return nil
}

// FanOut makes an event, which must not have been tried yet, one for each of the endpoints: a copy with an
// id of its own for each that has none yet. Where the event itself is for nobody (adopt), the first endpoint
// gets the event, unless it has a copy already. It returns the copies that were made now; done again, it makes none.
func (j *Journal) FanOut(
	ctx context.Context, ev topup.Event, endpoints []string, adopt bool, now time.Time,
) ([]topup.Event, error) {
	key, ok := tables.EventKey(ev.ID)
	if !ok {
		return nil, fmt.Errorf("event %q: %w", ev.ID, topup.ErrNotFound)
	}
	copies, err := write(ctx, j, ev.OrderID, func(t tx) (copies []topup.Event, err error) {
		rest := endpoints
		if adopt {
			if _, err := t.Exec(sqls.Get("adopt"), key, endpoints[0]); err != nil {
				return nil, err
			}
			rest = rest[1:]
		}
		for _, name := range rest {
			c, made, err := t.copyEvent(ev, key, name, now)
			if err != nil {
				return nil, err
			}
			if made {
				copies = append(copies, c)
			}
		}
		return copies, nil
	})
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", ev.ID, err)
	}
	return copies, nil
}

func (t tx) copyEvent(ev topup.Event, key []byte, endpoint string, now time.Time) (topup.Event, bool, error) {
	id, err := tables.NewEventID()
	if err != nil {
		return ev, false, err
	}
	ev.ID, ev.Endpoint, ev.DueAt = id, endpoint, t.FirstTryUntil(now)
	own, _ := tables.EventKey(id)
	n, err := t.Exec(sqls.Get("copy"), key, endpoint, own, ev.DueAt.UnixMicro())
	return ev, n > 0, err
}
