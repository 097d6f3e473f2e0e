package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// EndpointHealth is what is kept of an endpoint's failures.
func (s *Store) EndpointHealth(ctx context.Context, caller, url string) (topup.EndpointHealth, error) {
	h, err := tables.One(ctx, s.db, func(row tables.Scanner) (h topup.EndpointHealth, err error) {
		err = row.Scan(tables.TimeOrNil(&h.FailingSince), tables.TimeOrNil(&h.LastFailedAt), tables.TimeOrNil(&h.DisabledAt),
			&h.Reason)
		return h, err
	}, sqls.Get("health"), caller, url)
	if errors.Is(err, topup.ErrNotFound) {
		err = nil
	}
	return h, err
}

// EndpointsHealth is what is kept of all endpoints that fail or are disabled, in one read.
func (s *Store) EndpointsHealth(ctx context.Context) (map[topup.EndpointAddress]topup.EndpointHealth, error) {
	all := map[topup.EndpointAddress]topup.EndpointHealth{}
	_, err := tables.List(ctx, s.db, func(row tables.Scanner) (struct{}, error) {
		var at topup.EndpointAddress
		var h topup.EndpointHealth
		err := row.Scan(&at.Caller, &at.URL, tables.TimeOrNil(&h.FailingSince), tables.TimeOrNil(&h.LastFailedAt),
			tables.TimeOrNil(&h.DisabledAt), &h.Reason)
		all[at] = h
		return struct{}{}, err
	}, sqls.Get("all_health"))
	return all, err
}

// DisabledEndpoints counts the endpoints that nothing is sent to.
func (s *Store) DisabledEndpoints(ctx context.Context) (int64, error) {
	return s.db.Number(ctx, sqls.Get("disabled"))
}

// FailingEndpoints counts the endpoints that are tried, and have failed since a time or longer.
func (s *Store) FailingEndpoints(ctx context.Context, since, now time.Time) (int64, error) {
	return s.db.Number(ctx, sqls.Get("failing_long"), since.UnixMicro(), now.Add(-quiet).UnixMicro())
}

// quiet is how long nothing may have failed for a record of failures to begin anew: longer than the longest
// wait between two tries, so nothing waited to be delivered then, and nobody knows how the endpoint was.
const quiet = 48 * time.Hour

// EndpointFailed notes a failure of an endpoint, and returns since when it has failed.
func (s *Store) EndpointFailed(ctx context.Context, caller, url string, now time.Time) (since time.Time, err error) {
	at, err := tables.Write(ctx, s.db, caller, func(t *tables.Tx) (int64, error) {
		return t.Number(sqls.Get("failing"), caller, url, now.UnixMicro(), now.Add(-quiet).UnixMicro())
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("caller %s: %w", caller, err)
	}
	return time.UnixMicro(at).UTC(), nil
}

var sqlHealthy = sqls.Get("healthy")

// EndpointHealthy forgets an endpoint's failures, and has it tried again.
func (s *Store) EndpointHealthy(ctx context.Context, caller, url string) error {
	if err := s.db.Change(ctx, caller, nil, sqlHealthy, caller, url); err != nil {
		return fmt.Errorf("caller %s: %w", caller, err)
	}
	return nil
}

// DisableEndpoint stops all tries to an endpoint, if it was not disabled before. notify makes an event for the
// operator in the same transaction. An endpoint that has failed for long (FailingSince) but has taken an
// event since then is not disabled: its record is cleared.
func (s *Store) DisableEndpoint(
	ctx context.Context, d topup.DisabledEndpoint, notify bool, now time.Time,
) (disabled bool, ev *topup.Event, err error) {
	now = tables.Whole(now)
	disabled, err = tables.Write(ctx, s.db, tables.OperatorKey, func(t *tables.Tx) (bool, error) {
		ev = nil
		if lives, err := deliveredSince(t, d); err != nil || lives {
			return false, err
		}
		n, err := t.Exec(sqls.Get("disable"), d.Caller, d.URL, now.UnixMicro(), tables.Text(d.Reason))
		if err == nil && n > 0 && notify {
			ev, err = t.Notify(topup.EventEndpointDisabled, d, now)
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
func deliveredSince(t *tables.Tx, d topup.DisabledEndpoint) (bool, error) {
	if d.FailingSince == nil {
		return false, nil
	}
	name := d.Endpoint
	if name == topup.DefaultEndpoint {
		name = "" // as its events have it
	}
	n, err := t.Number(sqls.Get("delivered_to"), d.Caller, name, d.FailingSince.UnixMicro())
	if err != nil || n == 0 {
		return false, err
	}
	_, err = t.Exec(sqlHealthy, d.Caller, d.URL)
	return true, err
}
