package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"recarga/internal/journal/commit"
	"recarga/topup"
)

const eventPrefix = "evt_"

var sqlNewEvent = sqls.Engines("new_event")

// changed ends every change of state but a correction: it counts the order, and makes the event if callers are
// notified of the state.
func (t *tx) changed(r record, now time.Time) (settled, error) {
	t.count(r.State)
	kind := topup.EventTypeOf(r.State)
	if kind == "" {
		return settled{order: r.Order}, nil
	}
	return t.notified(r, kind, now)
}

// notified makes the event of an order that has changed.
func (t *tx) notified(r record, kind topup.EventType, now time.Time) (settled, error) {
	ev, insert, err := t.announcement(r, kind, now)
	if err == nil {
		_, err = t.Exec(insert.Query, insert.Args...)
	}
	return settled{order: r.Order, event: ev}, err
}

// announcement is the event of an order that has changed, and the statement that records it.
func (t *tx) announcement(r record, kind topup.EventType, now time.Time) (*topup.Event, *commit.Statement, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, err
	}
	ev, err := topup.NewEvent(eventPrefix+id.String(), kind, r.Order, r.events, now)
	if err != nil {
		return nil, nil, err
	}
	return &ev, t.newEvent(r.key, id, &ev, now), nil
}

func (t *tx) newEvent(order int64, id uuid.UUID, ev *topup.Event, now time.Time) *commit.Statement {
	ev.DueAt = now.Add(t.grace)
	return commit.Change(sqlNewEvent.SQLite, id[:], order, ev.Sequence, string(ev.Type), string(ev.State),
		squeeze(ev.Body), now.UnixMicro(), ev.DueAt.UnixMicro())
}

// sqlEvent: an event without an order is the operator's.
var sqlEvent = sqls.Get("event")

// Event is one event with all that its delivery needs, or topup.ErrNotFound. What a pending one says is durable, as if
// it had just been written: it may be delivered.
func (j *Journal) Event(ctx context.Context, id string) (topup.Event, error) {
	key, ok := eventKey(id)
	if !ok {
		return topup.Event{}, fmt.Errorf("event %q: %w", id, topup.ErrNotFound)
	}
	ev, err := scanEvent(j.engine.Read.QueryRowContext(ctx, sqlEvent, key))
	if errors.Is(err, sql.ErrNoRows) {
		err = topup.ErrNotFound
	}
	if err == nil && ev.State == topup.EventPending {
		err = j.confirm(ctx)
	}
	if err != nil {
		return topup.Event{}, fmt.Errorf("event %s: %w", id, err)
	}
	return ev, nil
}

// eventKey is an event's id as it is stored; only what eventID would write again is one.
func eventKey(id string) ([]byte, bool) {
	u, err := uuid.Parse(strings.TrimPrefix(id, eventPrefix))
	return u[:], err == nil && id == eventPrefix+u.String()
}

func scanEvent(row scanner) (ev topup.Event, err error) {
	var id uuid.UUID
	var key []byte
	var due *time.Time
	var tries string
	err = row.Scan(&key, &ev.Type, &ev.Sequence, &ev.Endpoint, &ev.State, &ev.Body, when{&ev.CreatedAt}, maybe{&due},
		maybe{&ev.DeliveredAt},
		&ev.TryCount, &ev.ScheduleStart, &tries, &ev.OrderID, &ev.Caller, &ev.CallbackURL)
	if err != nil {
		return ev, err
	}
	if id, err = uuid.FromBytes(key); err != nil {
		return ev, err
	}
	ev.ID, ev.Body = eventPrefix+id.String(), unsqueeze(ev.Body)
	if due != nil {
		ev.DueAt = *due
	}
	ev.Tries, err = decodeTries(tries)
	return ev, err
}

var sqlDueEvents = sqls.Get("due_events")

// DueEvents lists events whose next try was due by now, in the order of (due, id), from after on.
func (j *Journal) DueEvents(ctx context.Context, now time.Time, after topup.DueEvent,
	limit int) ([]topup.DueEvent, error) {
	key, ok := eventKey(after.ID)
	if !ok {
		key = uuid.Nil[:]
	}
	return list(ctx, j, func(row scanner) (due topup.DueEvent, err error) {
		var id []byte
		if err := row.Scan(&id, when{&due.DueAt}); err != nil {
			return due, err
		}
		u, err := uuid.FromBytes(id)
		due.ID = eventPrefix + u.String()
		return due, err
	}, sqlDueEvents, now.UnixMicro(), after.DueAt.UnixMicro(), key, limit)
}

// sqlCountEvents reads the indexes of what is open, and nothing of what was delivered.
var sqlCountEvents = sqls.Get("count_events")

// CountEvents counts the events that are pending, and those that are exhausted.
func (j *Journal) CountEvents(ctx context.Context) (map[topup.EventState]int64, error) {
	counts := map[topup.EventState]int64{}
	_, err := list(ctx, j, func(row scanner) (state topup.EventState, err error) {
		var n int64
		err = row.Scan(&state, &n)
		counts[state] = n
		return state, err
	}, sqlCountEvents)
	return counts, err
}

var sqlTry = sqls.Engines("try")

// RecordTry adds a try to an event that is pending and has as many tries as ev says, and sets what
// follows: delivered, exhausted, or pending until dueAt. Otherwise it returns topup.ErrLost: somebody
// else made that try.
func (j *Journal) RecordTry(ctx context.Context, ev topup.Event, try topup.Try, next topup.EventState,
	dueAt time.Time) error {
	key, ok := eventKey(ev.ID)
	if !ok {
		return fmt.Errorf("event %q: %w", ev.ID, topup.ErrNotFound)
	}
	line, err := encodeTry(try)
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
	args := []any{key, ev.TryCount, line, string(next), micros(due), micros(delivered)}
	usual := func(*int64) *commit.Step {
		return &commit.Step{Statement: commit.Change(sqlTry.SQLite, args...), Missed: lost}
	}
	_, err = writeUsual(ctx, j, string(ev.OrderID), usual, func(t *tx) (int64, error) {
		n, err := t.Exec(sqlTry.SQLite, args...)
		if err == nil && n == 0 && t.Again() {
			n, err = t.number(sqlTriedSo, key, ev.TryCount, line)
		}
		return n, errors.Join(err, lostUnless(err != nil || n > 0))
	})
	if err != nil {
		return fmt.Errorf("event %s: %w", ev.ID, err)
	}
	return nil
}

// encodeTry is one line of an event's tries.
func encodeTry(try topup.Try) (string, error) {
	status := 0
	if try.Status != nil {
		status = *try.Status
	}
	line, err := json.Marshal([]any{try.At.UnixMicro(), status, try.DurationMS, text(string(try.Error))})
	return string(line) + "\n", err
}

func decodeTries(lines string) ([]topup.Try, error) {
	tries := []topup.Try{}
	for d := json.NewDecoder(strings.NewReader(lines)); ; {
		var at int64
		var status int
		var try topup.Try
		err := d.Decode(&[]any{&at, &status, &try.DurationMS, &try.Error})
		if errors.Is(err, io.EOF) {
			return tries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("tries: %w", err)
		}
		try.At = time.UnixMicro(at).UTC()
		if status != 0 {
			try.Status = &status
		}
		tries = append(tries, try)
	}
}
