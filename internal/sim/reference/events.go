package reference

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"recarga/topup"
)

const day = 24 * time.Hour

// event is an event, and when its id was made.
type event struct {
	topup.Event
	made time.Time
}

// copied is the event as it is read.
func (e *event) copied() topup.Event {
	ev := e.Event
	ev.Tries = append([]topup.Try{}, e.Tries...)
	return ev
}

// newID is a new event's id. Ids rise.
func newID() string { return "evt_" + uuid.Must(uuid.NewV7()).String() }

// notify makes an order's event; nil where callers are not notified.
func (j *Journal) notify(o *order, kind topup.EventType, now time.Time) *topup.Event {
	if kind == "" {
		return nil
	}
	o.notified++
	ev, err := topup.NewEvent(newID(), kind, o.Order, o.notified, now)
	if err != nil {
		panic(err) // a valid order has JSON
	}
	return j.keep(ev, now)
}

func (j *Journal) keep(ev topup.Event, now time.Time) *topup.Event {
	ev.DueAt = now.Add(j.cfg.Grace)
	j.events = append(j.events, &event{ev, time.Now()})
	return &ev
}

func (j *Journal) event(id string) *event {
	i := slices.IndexFunc(j.events, func(e *event) bool { return e.ID == id })
	if i < 0 {
		return nil
	}
	return j.events[i]
}

// Event is one event, or topup.ErrNotFound.
func (j *Journal) Event(_ context.Context, id string) (topup.Event, error) {
	defer j.alone()()
	if e := j.event(id); e != nil {
		return e.copied(), nil
	}
	return topup.Event{}, fmt.Errorf("event %q: %w", id, topup.ErrNotFound)
}

// DueEvents lists events whose next try is due, in the order of (due, id), from after on.
func (j *Journal) DueEvents(
	_ context.Context, now time.Time, after topup.DueEvent, limit int,
) ([]topup.DueEvent, error) {
	defer j.alone()()
	list := []topup.DueEvent{}
	for _, e := range j.events {
		later := cmp.Or(e.DueAt.Compare(whole(after.DueAt)), cmp.Compare(e.ID, after.ID)) > 0
		if e.State == topup.EventPending && !e.DueAt.After(now) && later {
			list = append(list, topup.DueEvent{ID: e.ID, DueAt: e.DueAt})
		}
	}
	slices.SortFunc(list, func(a, b topup.DueEvent) int {
		return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID))
	})
	return list[:min(limit, len(list))], nil
}

// RecordTry adds a try to an event that is pending, has as many tries as ev says and is for the same endpoint, or
// returns topup.ErrLost.
func (j *Journal) RecordTry(
	_ context.Context, ev topup.Event, try topup.Try, next topup.EventState, dueAt time.Time,
) error {
	defer j.alone()()
	e := j.event(ev.ID)
	if e == nil || e.State != topup.EventPending || e.TryCount != ev.TryCount ||
		e.Endpoint != ev.Endpoint {
		return topup.ErrLost
	}
	try.At, try.Error = whole(try.At), text(try.Error)
	e.Tries = append(e.Tries, try)
	e.TryCount++
	e.State, e.DueAt = next, time.Time{}
	switch next {
	case topup.EventPending:
		e.DueAt = whole(dueAt)
	case topup.EventDelivered:
		e.DeliveredAt = new(try.At.Add(time.Duration(try.DurationMS) * time.Millisecond))
	}
	return nil
}

// FanOut copies a new event for the endpoints that have no copy yet, and returns the copies.
func (j *Journal) FanOut(
	_ context.Context, ev topup.Event, endpoints []string, adopt bool, now time.Time,
) (copies []topup.Event, err error) {
	defer j.alone()()
	e := j.event(ev.ID)
	if e == nil {
		return nil, nil
	}
	for i, name := range endpoints {
		switch {
		case slices.ContainsFunc(j.events, func(other *event) bool {
			return other.OrderID == e.OrderID && other.Sequence == e.Sequence && other.Endpoint == name
		}):
			continue
		case adopt && i == 0:
			if e.Endpoint == "" && e.TryCount == 0 {
				e.Endpoint = name
			}
			continue
		}
		ev.ID, ev.Endpoint = newID(), name
		kept := ev
		kept.State, kept.Tries, kept.TryCount, kept.ScheduleStart, kept.DeliveredAt = topup.EventPending, nil, 0, 0, nil
		ev.DueAt = j.keep(kept, whole(now)).DueAt
		copies = append(copies, ev)
	}
	return copies, nil
}

// RedeliverWithin makes an event due again, at most so many times a day; 0 neither counts nor bounds.
func (j *Journal) RedeliverWithin(_ context.Context, ev topup.Event, most int, now time.Time) error {
	defer j.alone()()
	return j.redeliver(ev.ID, most, now)
}

func (j *Journal) redeliver(id string, most int, now time.Time) error {
	e := j.event(id)
	if e == nil {
		return topup.ErrNotFound
	}
	if most > 0 {
		today := redelivery{now.Unix() / int64(day.Seconds()), id}
		if j.redeliveries[today] >= most {
			return &topup.QuotaError{
				Reason: fmt.Sprintf("the event was redelivered %d times today", most),
				After:  now.Truncate(day).Add(day).Sub(now),
			}
		}
		j.redeliveries[today]++
		maps.DeleteFunc(j.redeliveries, func(r redelivery, _ int) bool { return r.day < today.day }) // they are over
	}
	e.State, e.DueAt, e.DeliveredAt, e.ScheduleStart = topup.EventPending, whole(now), nil, e.TryCount
	return nil
}

// RedeliverAll makes the events of a filter due again, the newest first, and calls each for them.
func (j *Journal) RedeliverAll(
	_ context.Context, f topup.EventFilter, now time.Time, each func(topup.Event),
) (count int, next string, err error) {
	made, next := j.redeliverAll(f, now)
	for _, ev := range made {
		each(ev)
	}
	return len(made), next, nil
}

func (j *Journal) redeliverAll(f topup.EventFilter, now time.Time) (made []topup.Event, next string) {
	defer j.alone()()
	if f.Until.IsZero() || f.Until.After(now) {
		f.Until = now.Add(time.Millisecond)
	}
	chosen := j.chosen(f)
	if f.Limit > 0 && len(chosen) > min(f.Limit, longestPage) {
		chosen = chosen[:min(f.Limit, longestPage)]
		next = chosen[len(chosen)-1].ID
	}
	for _, ev := range chosen {
		err := j.redeliver(ev.ID, f.MostRedeliveries, now)
		if often := (*topup.QuotaError)(nil); !errors.As(err, &often) {
			made = append(made, ev)
		}
	}
	return made, next
}

// chosen are the events of a filter, the newest first, behind its cursor.
func (j *Journal) chosen(f topup.EventFilter) (events []topup.Event) {
	name := f.Endpoint
	if name == topup.DefaultEndpoint {
		name = ""
	}
	for _, e := range slices.Backward(j.events) {
		millis := e.made.UnixMilli()
		if (f.State == "" || f.State == e.State) && (f.Caller == "" || f.Caller == e.Caller) &&
			(f.Type == "" || f.Type == e.Type) && (f.Endpoint == "" || name == e.Endpoint) &&
			(f.Since.IsZero() || millis >= f.Since.UnixMilli()) && (f.Until.IsZero() || millis < f.Until.UnixMilli()) &&
			(f.Cursor == "" || e.ID < f.Cursor) {
			events = append(events, e.copied())
		}
	}
	return events
}

// EndpointHealth is what is kept of an endpoint's failures.
func (j *Journal) EndpointHealth(_ context.Context, caller, url string) (topup.EndpointHealth, error) {
	defer j.alone()()
	return j.health[endpoint{caller, url}], nil
}

// EndpointFailed notes a failure of an endpoint, and returns since when it has failed.
func (j *Journal) EndpointFailed(
	_ context.Context, caller, url string, now time.Time,
) (since time.Time, err error) {
	defer j.alone()()
	now = whole(now)
	h := j.health[endpoint{caller, url}]
	if h.FailingSince == nil || h.DisabledAt == nil && h.LastFailedAt.Before(now.Add(-quiet)) {
		h.FailingSince = &now
	}
	h.LastFailedAt = &now
	j.health[endpoint{caller, url}] = h
	return *h.FailingSince, nil
}

// EndpointHealthy forgets an endpoint's failures, and has it tried again.
func (j *Journal) EndpointHealthy(_ context.Context, caller, url string) error {
	defer j.alone()()
	delete(j.health, endpoint{caller, url})
	return nil
}

// DisableEndpoint stops all tries to an endpoint, unless it has taken an event since it is said to fail. With notify
// it makes an event for the operator.
func (j *Journal) DisableEndpoint(
	_ context.Context, d topup.DisabledEndpoint, notify bool, now time.Time,
) (disabled bool, ev *topup.Event, err error) {
	defer j.alone()()
	now = whole(now)
	key, name := endpoint{d.Caller, d.URL}, d.Endpoint
	if name == topup.DefaultEndpoint {
		name = ""
	}
	if d.FailingSince != nil && slices.ContainsFunc(j.events, func(e *event) bool {
		return e.OrderID != "" && e.Caller == d.Caller && e.Endpoint == name && e.DeliveredAt != nil &&
			!e.DeliveredAt.Before(whole(*d.FailingSince))
	}) {
		delete(j.health, key)
		return false, nil, nil
	}
	h := j.health[key]
	if h.DisabledAt != nil {
		return false, nil, nil
	}
	if h.FailingSince == nil {
		h.FailingSince, h.LastFailedAt = &now, &now
	}
	h.DisabledAt, h.Reason = &now, text(d.Reason)
	j.health[key] = h
	if !notify {
		return true, nil, nil
	}
	sequence := 1
	for _, e := range j.events {
		if e.OrderID == "" {
			sequence = max(sequence, e.Sequence+1)
		}
	}
	made, err := topup.NewOperatorEvent(newID(), topup.EventEndpointDisabled, d, sequence, now)
	if err != nil {
		panic(err) // it has JSON
	}
	return true, j.keep(made, now), nil
}
