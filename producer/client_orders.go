package producer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"recarga/topup"
)

// Place places an order, and repeats that until it is answered or ctx ends. replayed: the order
// had been placed before. A *Problem says that it is not valid, or that its id is taken.
func (c *Client) Place(ctx context.Context, r topup.Request) (o topup.Order, replayed bool, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return o, false, fmt.Errorf("place %s: %w", r.ID, err)
	}
	err = c.repeat(ctx, func() error {
		header, err := c.once(ctx, http.MethodPost, "/v1/topups", body, &o)
		replayed = header.Get("Idempotent-Replayed") == "true"
		if err == nil {
			err = wholeOrder(o, r.ID)
		}
		return err
	})
	if err != nil {
		return topup.Order{}, false, fmt.Errorf("place %s: %w", r.ID, err)
	}
	return o, replayed, nil
}

// Get returns an order with its attempts and events.
func (c *Client) Get(ctx context.Context, id topup.ID) (topup.Details, error) {
	return onTopup(ctx, c, "get", http.MethodGet, id, "", nil, func(d topup.Details) topup.Order { return d.Order })
}

// Cancel withdraws an order. A *Problem with status 409 says that money may have moved.
func (c *Client) Cancel(ctx context.Context, id topup.ID) (topup.Order, error) {
	return onTopup(ctx, c, "cancel", http.MethodPost, id, "/cancel", nil, itself)
}

// Resolve settles an order that is held as unknown, with the admin key. It is not repeated by itself. After
// a lost answer the very same may be asked again, unless it was to resend: the order may be unknown anew
// by then, so get it first. A *Problem with status 409 says that it is not unknown, or that it is too
// early, with RetryAfter set.
func (c *Client) Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error) {
	return c.decide(ctx, id, "resolve", decision{
		Outcome: string(r.Outcome), Reason: r.Reason, By: r.By, Force: r.Forced, Attempt: r.Attempt,
		TransactionID: string(r.TransactionID), Reference: string(r.Reference), AuthCode: string(r.AuthCode),
	})
}

// Correct changes a final state that was wrong, with the admin key. After a lost answer the very same may be asked
// again. A *Problem with status 409 says that the order is not final, is so already, or is archived.
func (c *Client) Correct(ctx context.Context, id topup.ID, r topup.Correction) (topup.Order, error) {
	return c.decide(ctx, id, "correct", decision{
		Outcome: string(r.Outcome), Reason: r.Reason, By: r.By,
		TransactionID: string(r.TransactionID), Reference: string(r.Reference), AuthCode: string(r.AuthCode),
	})
}

// Uphold ends a dispute: the order's state is right; with the admin key. A *Problem with status 409 says that the
// order is not disputed.
func (c *Client) Uphold(ctx context.Context, id topup.ID, u topup.Upholding) (topup.Order, error) {
	return c.decide(ctx, id, "dispute", decision{Outcome: string(u.Outcome), Reason: u.Reason, By: u.By})
}

// held is why an order is held back or released.
type held struct {
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

// Hold keeps an order that waits from being bought, until Release; with an operator's key. A *Problem with status 409
// says that it does not wait.
func (c *Client) Hold(ctx context.Context, id topup.ID, reason, by string) (topup.Order, error) {
	return onTopup(ctx, c, "hold", http.MethodPost, id, "/hold", held{reason, by}, itself)
}

// Release has an order that is held back bought when it would have been due; with an operator's key.
func (c *Client) Release(ctx context.Context, id topup.ID, reason, by string) (topup.Order, error) {
	return onTopup(ctx, c, "release", http.MethodPost, id, "/release", held{reason, by}, itself)
}

// decision is a person's word on an order, as the API takes it.
type decision struct {
	// The fields of the requests that resolve, correct and uphold; what is absent does not apply.
	Outcome       string `json:"outcome"`
	Reason        string `json:"reason"`
	By            string `json:"by,omitempty"`
	Force         bool   `json:"force,omitempty"`
	Attempt       int    `json:"attempt,omitempty"`
	TransactionID string `json:"transaction_id,omitempty"`
	Reference     string `json:"reference,omitempty"`
	AuthCode      string `json:"auth_code,omitempty"`
}

func (c *Client) decide(ctx context.Context, id topup.ID, action string, d decision) (topup.Order, error) {
	return onTopup(ctx, c, action, http.MethodPost, id, "/"+action, d, itself)
}

// onTopup asks something of one order, which is in the answer. What cannot be an order's id could lead to another
// path.
func onTopup[T any](
	ctx context.Context, c *Client, what, method string, id topup.ID, action string, request any,
	in func(T) topup.Order,
) (answer T, err error) {
	what += " " + string(id)
	if _, err := topup.ParseID(string(id)); err != nil {
		return answer, fmt.Errorf("%s: %w", what, err)
	}
	return ask(ctx, c, what, method, "/v1/topups/"+string(id)+action, request,
		func(answer T) error { return wholeOrder(in(answer), id) })
}

func itself(o topup.Order) topup.Order { return o }

// wholeOrder is an error unless an answer is of an order and says how that is.
func wholeOrder(o topup.Order, id topup.ID) error { return whole("order", o.ID, id, o.State != "") }

// List returns a page of orders, the newest first, and the cursor of the next page, empty after the last.
func (c *Client) List(ctx context.Context, f OrderFilter) (orders []topup.Order, next string, err error) {
	return list[topup.Order](ctx, c, "list", "/v1/topups"+f.query().encode())
}

// Find returns the orders that a text names: by id, phone number, or the distributor's transaction id or
// reference; the newest first, 50 at most.
func (c *Client) Find(ctx context.Context, text string) ([]topup.Order, error) {
	orders, _, err := list[topup.Order](ctx, c, "find", "/v1/search?q="+url.QueryEscape(text))
	return orders, err
}
