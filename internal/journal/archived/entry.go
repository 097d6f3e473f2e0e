package archived

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Entry is an order's line in the archive: what an export has of it, and all else that the journal knew.
type Entry struct {
	topup.Details
	// Journal is what no caller sees.
	Journal Kept `json:"journal"`
}

// Kept is what callers never see of an order, its attempts and its events, in their order.
type Kept struct {
	// Key of its row.
	Key int64 `json:"key"`
	// Fingerprint of its content, in hexadecimal.
	Fingerprint string `json:"fingerprint"`
	// CallbackURL of the order itself.
	CallbackURL string `json:"callback_url,omitempty"`
	// Attempts are as many as the order's.
	Attempts []KeptAttempt `json:"attempts,omitempty"`
	// Events are as many as the order's.
	Events []KeptEvent `json:"events,omitempty"`
}

// KeptAttempt is what callers never see of an attempt.
type KeptAttempt struct {
	// Worker that made it.
	Worker string `json:"worker"`
	// Deadline after which anybody might call its outcome unknown.
	Deadline time.Time `json:"give_up_at"`
}

// KeptEvent is what callers never see of an event.
type KeptEvent struct {
	// State of its delivery.
	State topup.EventState `json:"state"`
	// CreatedAt is when it was made.
	CreatedAt time.Time `json:"created_at"`
	// ScheduleStart is the number of tries before its schedule began, at the latest redelivery.
	ScheduleStart int `json:"schedule_start,omitempty"`
	// Body that was sent.
	Body json.RawMessage `json:"body"`
}

// entriesOf are the entries of orders, with all parts.
func (o *Orders) entriesOf(ctx context.Context, q tables.Querier, records []tables.Record) ([]Entry, error) {
	all, err := o.db.DetailsOf(ctx, q, records, true, true)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	entries, at := make([]Entry, len(records)), map[int64]*Entry{}
	for i, r := range records {
		entries[i] = Entry{Details: all[i], Journal: Kept{Key: r.Key, Fingerprint: hex.EncodeToString(r.Fingerprint),
			CallbackURL: r.CallbackURL}}
		at[r.Key] = &entries[i]
		for _, ev := range all[i].Events {
			entries[i].Journal.Events = append(entries[i].Journal.Events,
				KeptEvent{State: ev.State, CreatedAt: ev.CreatedAt, ScheduleStart: ev.ScheduleStart, Body: ev.Body})
		}
	}
	return entries, tables.Part(ctx, q, o.db.Words(sqls.Engines("kept_attempts")), o.db.Keys(records),
		func(row tables.Scanner) (a KeptAttempt, err error) {
			err = row.Scan(&a.Worker, tables.Time(&a.Deadline))
			return a, err
		}, func(order int64) *[]KeptAttempt { return &at[order].Journal.Attempts })
}

// parse reads a line of the archive.
func parse(line []byte) (e Entry, err error) {
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	if len(e.Journal.Events) != len(e.Events) || len(e.Journal.Attempts) != len(e.Attempts) {
		return e, fmt.Errorf("order %s: its attempts or events are not whole", e.ID)
	}
	e.CallbackURL = e.Journal.CallbackURL
	for i, k := range e.Journal.Events {
		ev := &e.Events[i]
		ev.OrderID, ev.Caller, ev.CallbackURL = e.ID, e.Caller, e.CallbackURL
		ev.State, ev.CreatedAt, ev.ScheduleStart, ev.Body, ev.TryCount = k.State, k.CreatedAt, k.ScheduleStart, k.Body,
			len(ev.Tries)
	}
	return e, nil
}

// Place is where the order stood in an export.
func (e Entry) Place() tables.Place {
	return tables.Place{At: e.CreatedAt.UnixMicro(), Key: e.Journal.Key}
}

// record is the order's row, as far as a repeat or a refusal looks at it.
func (e Entry) record() (tables.Record, error) {
	fingerprint, err := hex.DecodeString(e.Journal.Fingerprint)
	r := tables.Record{Order: e.Order, Key: e.Journal.Key, Fingerprint: fingerprint}
	r.Unclaimed = len(fingerprint) == 0
	return r, err
}
