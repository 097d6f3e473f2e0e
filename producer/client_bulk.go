package producer

import (
	"context"
	"net/http"
	"net/url"

	"recarga/topup"
)

// BulkRequest is what is to be done to many orders or events.
type BulkRequest struct {
	// Action is what is done to each, and Filter what chooses them: the query of a list, as in state=unknown&caller=shop.
	Action topup.BulkKind `json:"action"`
	Filter string         `json:"filter"`
	// Outcome and Force are those of a resolution.
	Outcome topup.ResolvedAs `json:"outcome,omitempty"`
	Force   bool             `json:"force,omitempty"`
	// Reason says why, and By who decides; empty: who the key belongs to.
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
	// Confirm is the answer's to the same request without it; empty: nothing is done.
	Confirm string `json:"confirm,omitempty"`
}

// BulkAnswer says what is done, or would be.
type BulkAnswer struct {
	// Count is how many the filter matches, Amount what they buy all together (of orders), and Callers whose they are.
	Count   int          `json:"count"`
	Amount  topup.Amount `json:"amount"`
	Callers []BulkCaller `json:"callers"`
	// Confirm stands for exactly these.
	Confirm string `json:"confirm"`
	// Started is the action; null: nothing is done.
	Started *topup.BulkAction `json:"started"`
}

// BulkCaller is how many of a set are a caller's.
type BulkCaller struct {
	// Caller is its name, and Count how many it has.
	Caller string `json:"caller"`
	Count  int    `json:"count"`
}

// Bulk asks what a bulk action would do or, with the Confirm of that answer, has it done to exactly those; with an
// operator's key. A *Problem with status 409 says that others match now.
func (c *Client) Bulk(ctx context.Context, r BulkRequest) (BulkAnswer, error) {
	return ask(ctx, c, "bulk", http.MethodPost, "/v1/bulk", r,
		func(a BulkAnswer) error { return whole("bulk", a.Confirm, a.Confirm, a.Confirm != "") })
}

// BulkActions returns a page of bulk actions, the newest first, and the cursor of the next page, empty after the last.
func (c *Client) BulkActions(ctx context.Context, cursor string) (all []topup.BulkAction, next string, err error) {
	return list[topup.BulkAction](ctx, c, "list bulk actions", "/v1/bulk"+query{"cursor": cursor}.encode())
}

// BulkAction is a bulk action as it now is.
func (c *Client) BulkAction(ctx context.Context, id string) (topup.BulkAction, error) {
	return ask(ctx, c, "bulk action "+id, http.MethodGet, "/v1/bulk/"+url.PathEscape(id), nil, wholeBulk(id))
}

// StopBulk has a bulk action begin nothing more.
func (c *Client) StopBulk(ctx context.Context, id, by string) (topup.BulkAction, error) {
	return ask(ctx, c, "stop "+id, http.MethodPost, "/v1/bulk/"+url.PathEscape(id)+"/stop", held{By: by},
		wholeBulk(id))
}

func wholeBulk(id string) func(topup.BulkAction) error {
	return func(a topup.BulkAction) error { return whole("bulk action", a.ID, id, a.State != "") }
}
