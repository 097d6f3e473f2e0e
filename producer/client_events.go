package producer

import (
	"context"
	"encoding/json"
	"maps"
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

// Events returns a page of events, newest first, and the cursor of the next page, empty after the last. The
// query is that of GET /v1/events: state, caller, type, since, until, limit, cursor.
func (c *Client) Events(ctx context.Context, query url.Values) (events []Event, next string, err error) {
	return list[Event](ctx, c, "list events", "/v1/events?"+query.Encode())
}

// Redeliver makes an event due again, from the start of its schedule.
func (c *Client) Redeliver(ctx context.Context, id string) (ev Event, err error) {
	err = c.call(ctx, "redeliver "+id, http.MethodPost, "/v1/events/"+url.PathEscape(id)+"/redeliver", nil, &ev)
	return ev, err
}

// RedeliverAll redelivers every event of a filter, that of POST /v1/events/redeliver: state, caller, type,
// since, until. progress is called with the count so far. The count is right also with an error; the same
// call continues then.
func (c *Client) RedeliverAll(
	ctx context.Context, filter map[string]any, progress func(count int),
) (count int, err error) {
	body := maps.Clone(filter)
	if body == nil {
		body = map[string]any{}
	}
	if body["until"] == nil { // what happens meanwhile is not meant
		body["until"] = time.Now().UTC()
	}
	for body["limit"] = 1000; ; {
		var answer struct {
			// Count is how many of this page are due again; NextCursor is empty after the last.
			Count      int    `json:"count"`
			NextCursor string `json:"next_cursor"`
		}
		if err := c.call(ctx, "redeliver", http.MethodPost, "/v1/events/redeliver", body, &answer); err != nil {
			return count, err
		}
		count += answer.Count
		progress(count)
		if answer.NextCursor == "" {
			return count, nil
		}
		body["cursor"] = answer.NextCursor
	}
}
