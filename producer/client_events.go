package producer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"recarga/topup"
)

// Event is an event as it is listed: what an order's caller is notified of, and how far that got.
type Event struct {
	topup.Event
	// OrderID is the order that it is about; empty of one about an endpoint.
	OrderID topup.ID `json:"distributor_transaction_id"`
	// Caller is who is notified.
	Caller string `json:"caller"`
	// State is how far it got.
	State topup.EventState `json:"state"`
	// CreatedAt is when it was made.
	CreatedAt time.Time `json:"created_at"`
	// DueAt is when it will be tried (again); nil: never.
	DueAt *time.Time `json:"due_at"`
	// Payload is the body of its webhook, byte for byte; of an event of a feed only.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Events returns a page of events, the newest first, and the cursor of the next page, empty after the last.
func (c *Client) Events(ctx context.Context, f topup.EventFilter) (events []Event, next string, err error) {
	return list[Event](ctx, c, "list events", "/v1/events"+eventQuery(f).encode())
}

// Redeliver makes an event due again, from the start of its schedule.
func (c *Client) Redeliver(ctx context.Context, id string) (Event, error) {
	return ask(ctx, c, "redeliver "+id, http.MethodPost, "/v1/events/"+url.PathEscape(id)+"/redeliver", nil,
		func(ev Event) error { return whole("event", ev.ID, id, ev.State != "") })
}

// redeliverRequest is the body of POST /v1/events/redeliver.
type redeliverRequest struct {
	// The fields are those of topup.EventFilter.
	State    topup.EventState `json:"state,omitempty"`
	Caller   string           `json:"caller,omitempty"`
	Type     topup.EventType  `json:"type,omitempty"`
	Endpoint string           `json:"endpoint,omitempty"`
	Since    time.Time        `json:"since,omitzero"`
	Until    time.Time        `json:"until,omitzero"`
	Limit    int              `json:"limit"`
	Cursor   string           `json:"cursor,omitempty"`
}

// RedeliverAll redelivers the events that a filter chooses: the newest of them where it has a limit, else all; what
// happens after the call is not meant. progress (nil: none) is called with the count so far. The count is right also
// with an error; the same call continues then.
func (c *Client) RedeliverAll(
	ctx context.Context, f topup.EventFilter, progress func(count int),
) (count int, err error) {
	if f.Until.IsZero() {
		f.Until = time.Now().UTC()
	}
	body := redeliverRequest{State: f.State, Caller: f.Caller, Type: f.Type, Endpoint: f.Endpoint, Since: f.Since,
		Until: f.Until, Cursor: f.Cursor}
	type redelivered struct {
		// Count is how many of this page are due again; NextCursor is empty after the last.
		Count      *int   `json:"count"`
		NextCursor string `json:"next_cursor"`
	}
	for left := f.Limit; ; left -= body.Limit {
		body.Limit = 1000
		if f.Limit > 0 {
			body.Limit = min(left, body.Limit)
		}
		page, err := ask(ctx, c, "redeliver", http.MethodPost, "/v1/events/redeliver", body, func(r redelivered) error {
			if r.Count == nil || r.NextCursor != "" && r.NextCursor == body.Cursor {
				return fmt.Errorf("the answer says neither how many nor where the rest begins; %w", errNotRecarga)
			}
			return nil
		})
		if err != nil {
			return count, err
		}
		count += *page.Count
		if progress != nil {
			progress(count)
		}
		if page.NextCursor == "" || left == body.Limit {
			return count, nil
		}
		body.Cursor = page.NextCursor
	}
}
