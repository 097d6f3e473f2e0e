package journal

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"recarga/internal/journal/commit"
	"recarga/topup"
)

// entry is an order's line in the archive: what an export has of it, and all else that the journal knew.
type entry struct {
	topup.Details
	// Journal is what no caller sees.
	Journal kept `json:"journal"`
}

// kept is what callers never see of an order, its attempts and its events, in their order.
type kept struct {
	// Key of its row.
	Key int64 `json:"key"`
	// Fingerprint of its content, in hexadecimal.
	Fingerprint string `json:"fingerprint"`
	// CallbackURL of the order itself.
	CallbackURL string `json:"callback_url,omitempty"`
	// Attempts are as many as the order's.
	Attempts []keptAttempt `json:"attempts,omitempty"`
	// Events are as many as the order's.
	Events []keptEvent `json:"events,omitempty"`
}

// keptAttempt is what callers never see of an attempt.
type keptAttempt struct {
	// Worker that made it.
	Worker string `json:"worker"`
	// Deadline after which anybody might call its outcome unknown.
	Deadline time.Time `json:"give_up_at"`
}

// keptEvent is what callers never see of an event.
type keptEvent struct {
	// State of its delivery.
	State topup.EventState `json:"state"`
	// CreatedAt is when it was made.
	CreatedAt time.Time `json:"created_at"`
	// ScheduleStart is the number of tries before its schedule began, at the latest redelivery.
	ScheduleStart int `json:"schedule_start,omitempty"`
	// Body that was sent.
	Body json.RawMessage `json:"body"`
}

var sqlKeptAttempts = sqls.Engines("kept_attempts")

// entriesOf are the entries of orders, with all parts.
func entriesOf(ctx context.Context, e *commit.Engine, db querier, records []record) ([]entry, error) {
	if len(records) == 0 {
		return nil, nil
	}
	page := pageOf(records, everything)
	if err := everything.read(ctx, e, db, records, page); err != nil {
		return nil, err
	}
	entries, at := make([]entry, len(records)), map[int64]*entry{}
	for i, r := range records {
		entries[i] = entry{Details: page[i].Details, Journal: kept{Key: r.key,
			Fingerprint: hex.EncodeToString(r.fingerprint), CallbackURL: r.CallbackURL}}
		at[r.key] = &entries[i]
		for _, ev := range page[i].Events {
			entries[i].Journal.Events = append(entries[i].Journal.Events,
				keptEvent{State: ev.State, CreatedAt: ev.CreatedAt, ScheduleStart: ev.ScheduleStart, Body: ev.Body})
		}
	}
	err := eachOf(ctx, db, func(row scanner) (a keptAttempt, err error) {
		err = row.Scan(&a.Worker, when{&a.Deadline})
		return a, err
	}, e.Words(sqlKeptAttempts), keysOf(e, records),
		func(key int64, a keptAttempt) { at[key].Journal.Attempts = append(at[key].Journal.Attempts, a) })
	return entries, err
}

// keysOf are the orders' keys, as one argument.
func keysOf(e *commit.Engine, records []record) any {
	keys := make([]int64, len(records))
	for i, r := range records {
		keys[i] = r.key
	}
	return set(e, keys)
}

func idsOf(entries []entry) []string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = string(e.ID)
	}
	return ids
}

// due reports that one of its events is still to be delivered.
func (e entry) due() bool {
	for _, ev := range e.Events {
		if !ev.DueAt.IsZero() {
			return true
		}
	}
	return false
}

// parseEntry reads a line of the archive.
func parseEntry(line []byte) (e entry, err error) {
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

// place is where the order stood in an export.
func (e entry) place() Place { return Place{e.CreatedAt.UnixMicro(), e.Journal.Key} }

// record is the order's row, as far as a repeat or a refusal looks at it.
func (e entry) record() (record, error) {
	fingerprint, err := hex.DecodeString(e.Journal.Fingerprint)
	return record{Order: e.Order, key: e.Journal.Key, fingerprint: fingerprint}, err
}

// standing is the order as sqlStandings reads it.
func (e entry) standing() Standing {
	s := Standing{
		ID: e.ID, State: e.State, Phone: e.Phone, Amount: e.Amount, TransactionID: string(e.TransactionID),
		Reference: string(e.Reference),
		AuthCode:  string(e.AuthCode), Attempt: e.AttemptCount, place: Place{e.FinishedAt.UnixMicro(), e.Journal.Key},
	}
	for i, a := range e.Attempts {
		if a.Outcome == topup.OutcomeUnavailable || a.Outcome == topup.OutcomeNotSent || a.Outcome == topup.OutcomeDeclined {
			continue
		}
		until := e.Journal.Attempts[i].Deadline
		if a.FinishedAt != nil && (a.Outcome == topup.OutcomeApproved || a.FinishedAt.After(until)) {
			until = *a.FinishedAt
		}
		s.Approved = s.Approved || a.Outcome == topup.OutcomeApproved
		if s.Attempts++; s.Attempts == 1 || a.StartedAt.Before(s.From) {
			s.From = a.StartedAt
		}
		if until.After(s.Until) {
			s.Until = until
		}
	}
	return s
}
