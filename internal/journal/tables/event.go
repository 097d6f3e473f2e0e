package tables

import (
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

// EventKey is an event's id as its row has it; only what EventID would write again is one.
func EventKey(id string) ([]byte, bool) {
	u, err := uuid.Parse(strings.TrimPrefix(id, eventPrefix))
	return u[:], err == nil && id == eventPrefix+u.String()
}

// EventID is an event's id as everybody sees it.
func EventID(key []byte) (string, error) {
	u, err := uuid.FromBytes(key)
	return eventPrefix + u.String(), err
}

// NewEventID is the id of an event that is made now.
func NewEventID() (string, error) {
	u, err := uuid.NewV7()
	return eventPrefix + u.String(), err
}

// ScanEvent reads the columns that every statement about an event returns, in their order.
func ScanEvent(row Scanner) (ev topup.Event, err error) {
	var key []byte
	var due *time.Time
	var tries string
	err = row.Scan(&key, &ev.Type, &ev.Sequence, &ev.Endpoint, &ev.State, &ev.Body, Time(&ev.CreatedAt),
		TimeOrNil(&due), TimeOrNil(&ev.DeliveredAt), &ev.TryCount, &ev.ScheduleStart, &tries, &ev.OrderID, &ev.Caller,
		&ev.CallbackURL)
	if err != nil {
		return ev, err
	}
	if ev.ID, err = EventID(key); err != nil {
		return ev, err
	}
	ev.Body = unsqueeze(ev.Body)
	if due != nil {
		ev.DueAt = *due
	}
	ev.Tries, err = decodeTries(tries)
	return ev, err
}

// EncodeTry is one line of an event's tries. Only a try whose answer said something has a fifth part, which a process
// of the release before passes over.
func EncodeTry(try topup.Try) (string, error) {
	status := 0
	if try.Status != nil {
		status = *try.Status
	}
	parts := []any{try.At.UnixMicro(), status, try.DurationMS, Text(string(try.Error))}
	if try.Response != nil {
		parts = append(parts, try.Response)
	}
	line, err := json.Marshal(parts)
	return string(line) + "\n", err
}

// ScanTries reads the tries of an event.
func ScanTries(row Scanner) ([]topup.Try, error) {
	var lines string
	if err := row.Scan(&lines); err != nil {
		return nil, err
	}
	return decodeTries(lines)
}

func decodeTries(lines string) ([]topup.Try, error) {
	tries := []topup.Try{}
	for d := json.NewDecoder(strings.NewReader(lines)); ; {
		var at int64
		var status int
		var try topup.Try
		err := d.Decode(&[]any{&at, &status, &try.DurationMS, &try.Error, &try.Response})
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

// Announcement is the event of an order that has changed, and the statement that records it.
func (t *Tx) Announcement(r Record, kind topup.EventType, now time.Time) (*topup.Event, *commit.Statement, error) {
	id, err := NewEventID()
	if err != nil {
		return nil, nil, err
	}
	ev, err := topup.NewEvent(id, kind, r.Order, r.EventCount, now)
	if err != nil {
		return nil, nil, err
	}
	return &ev, t.record(r.Key, &ev, now), nil
}

var sqlNewEvent = sqls.Engines("new_event")

// record is the statement that records an event of an order; 0: the operator's. It becomes due at its DueAt.
func (t *Tx) record(order int64, ev *topup.Event, now time.Time) *commit.Statement {
	ev.DueAt = t.FirstTryUntil(now)
	key, _ := EventKey(ev.ID)
	s := commit.Batched(sqlNewEvent, nil, key, order, ev.Sequence, string(ev.Type), string(ev.State), squeeze(ev.Body),
		now.UnixMicro(), ev.DueAt.UnixMicro())
	s.Certain = true
	return s
}

// FirstTryUntil is when an event that is made now becomes due: until then it belongs to whoever makes it.
func (t *Tx) FirstTryUntil(now time.Time) time.Time { return Whole(now.Add(t.db.grace)) }

// OperatorKey is of every operation that may notify the operator: each takes the next number, so that of two side by
// side one would break the commit of all.
const OperatorKey = "operator"

// Notify makes an event for the operator, in an operation whose key is OperatorKey. data must be of JSON.
func (t *Tx) Notify(kind topup.EventType, data any, now time.Time) (*topup.Event, error) {
	id, err := NewEventID()
	if err != nil {
		return nil, err
	}
	sequence, err := t.Number(sqls.Get("next_sequence"))
	if err != nil {
		return nil, err
	}
	ev, err := topup.NewOperatorEvent(id, kind, data, int(sequence), now)
	if err != nil {
		return nil, err
	}
	_, err = t.Run(t.record(0, &ev, now))
	return &ev, err
}
