package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"recarga/topup"
)

var (
	sqlAdopt = sqls.Get("adopt")
	sqlCopy  = sqls.Get("copy")
)

// FanOut makes an event, which must not have been tried yet, one for each of the endpoints: a copy with an
// id of its own for each that has none yet. Where the event itself is for nobody (adopt), the first endpoint
// gets the event, unless it has a copy already. It returns the copies that were made now; done again, it makes none.
func (j *Journal) FanOut(
	ctx context.Context, ev topup.Event, endpoints []string, adopt bool, now time.Time,
) ([]topup.Event, error) {
	key, ok := eventKey(ev.ID)
	if !ok {
		return nil, fmt.Errorf("event %q: %w", ev.ID, topup.ErrNotFound)
	}
	copies, err := write(ctx, j, string(ev.OrderID), func(t *tx) (copies []topup.Event, err error) {
		rest := endpoints
		if adopt {
			if _, err := t.Exec(sqlAdopt, key, endpoints[0]); err != nil {
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

func (t *tx) copyEvent(ev topup.Event, key []byte, endpoint string, now time.Time) (topup.Event, bool, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return ev, false, err
	}
	ev.ID, ev.Endpoint, ev.DueAt = eventPrefix+id.String(), endpoint, whole(now.Add(t.grace))
	n, err := t.Exec(sqlCopy, key, endpoint, id[:], ev.DueAt.UnixMicro())
	return ev, n > 0, err
}

var (
	sqlFailing      = sqls.Get("failing")
	sqlDisable      = sqls.Get("disable")
	sqlHealthy      = sqls.Get("healthy")
	sqlHealth       = sqls.Get("health")
	sqlDisabled     = sqls.Get("disabled")
	sqlDeliveredTo  = sqls.Get("delivered_to")
	sqlNextSequence = sqls.Get("next_sequence")
)

// EndpointHealth is what is kept of an endpoint's failures.
func (j *Journal) EndpointHealth(ctx context.Context, caller, url string) (h topup.EndpointHealth, err error) {
	err = j.engine.Read.QueryRowContext(ctx, sqlHealth, caller, url).Scan(maybe{&h.FailingSince}, maybe{&h.LastFailedAt},
		maybe{&h.DisabledAt}, &h.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return topup.EndpointHealth{}, nil
	}
	return h, err
}

// DisabledEndpoints counts the endpoints that nothing is sent to.
func (j *Journal) DisabledEndpoints(ctx context.Context) (int64, error) {
	return j.number(ctx, sqlDisabled)
}

// quiet is how long nothing may have failed for a record of failures to begin anew: longer than the longest
// wait between two tries, so nothing waited to be delivered then, and nobody knows how the endpoint was.
const quiet = 48 * time.Hour

// EndpointFailed notes a failure of an endpoint, and returns since when it has failed.
func (j *Journal) EndpointFailed(ctx context.Context, caller, url string, now time.Time) (since time.Time, err error) {
	at, err := write(ctx, j, caller, func(t *tx) (int64, error) {
		return t.number(sqlFailing, caller, url, now.UnixMicro(), now.Add(-quiet).UnixMicro())
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("caller %s: %w", caller, err)
	}
	return time.UnixMicro(at).UTC(), nil
}

// EndpointHealthy forgets an endpoint's failures, and has it tried again.
func (j *Journal) EndpointHealthy(ctx context.Context, caller, url string) error {
	return j.callerWrite(ctx, caller, sqlHealthy, caller, url)
}

// DisableEndpoint stops all tries to an endpoint, if it was not disabled before. notify makes an event for the
// operator in the same transaction. An endpoint that has failed for long (FailingSince) but has taken an
// event since then is not disabled: its record is cleared.
func (j *Journal) DisableEndpoint(
	ctx context.Context, d topup.DisabledEndpoint, notify bool, now time.Time,
) (disabled bool, ev *topup.Event, err error) {
	disabled, err = write(ctx, j, operatorKey, func(t *tx) (bool, error) {
		ev = nil
		if lives, err := t.deliveredSince(d); err != nil || lives {
			return false, err
		}
		n, err := t.Exec(sqlDisable, d.Caller, d.URL, whole(now).UnixMicro(), text(d.Reason))
		if err == nil && n > 0 && notify {
			ev, err = t.notify(topup.EventEndpointDisabled, d, whole(now))
		}
		return n > 0, err
	})
	if err != nil {
		return false, nil, fmt.Errorf("disable endpoint %s of caller %s: %w", d.Endpoint, d.Caller, err)
	}
	return disabled, ev, nil
}

// deliveredSince makes sure, before the step that hurts: a success clears the record only where its worker
// knew of a failure, and what it knows may be seconds old.
func (t *tx) deliveredSince(d topup.DisabledEndpoint) (bool, error) {
	if d.FailingSince == nil {
		return false, nil
	}
	name := d.Endpoint
	if name == topup.DefaultEndpoint {
		name = "" // as its events have it
	}
	n, err := t.number(sqlDeliveredTo, d.Caller, name, d.FailingSince.UnixMicro())
	if err != nil || n == 0 {
		return false, err
	}
	_, err = t.Exec(sqlHealthy, d.Caller, d.URL)
	return true, err
}

// Notify makes an event for the operator. data must be of JSON.
func (j *Journal) Notify(ctx context.Context, kind topup.EventType, data any, now time.Time) (topup.Event, error) {
	ev, err := write(ctx, j, operatorKey, func(t *tx) (*topup.Event, error) { return t.notify(kind, data, whole(now)) })
	if err != nil {
		return topup.Event{}, fmt.Errorf("notify %s: %w", kind, err)
	}
	return *ev, nil
}

// operatorKey is of every operation that may notify the operator: each takes the next number, so that of two side by
// side one would break the commit of all.
const operatorKey = "operator"

func (t *tx) notify(kind topup.EventType, data any, now time.Time) (*topup.Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	sequence, err := t.number(sqlNextSequence)
	if err != nil {
		return nil, err
	}
	ev, err := topup.NewOperatorEvent(eventPrefix+id.String(), kind, data, int(sequence), now)
	if err != nil {
		return nil, err
	}
	insert := t.newEvent(0, id, &ev, now)
	_, err = t.Exec(insert.Query, insert.Args...)
	return &ev, err
}
