package producer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/cenkalti/backoff/v4"

	"recarga/topup"
)

// Placed is the result of one order of many.
type Placed struct {
	// Order is the order as it now is; the zero one with an Err.
	Order topup.Order
	// Replayed: the order had been placed before.
	Replayed bool
	// Err is a *Problem for an order that was not placed.
	Err error
}

// MaxBatch is the most orders of one PlaceMany.
const MaxBatch = 1000

// PlaceMany places up to MaxBatch orders in one request, and repeats that until all are answered or
// ctx ends. Results are in the order of rs; one order that is refused stops no other.
func (c *Client) PlaceMany(ctx context.Context, rs []topup.Request) ([]Placed, error) {
	switch {
	case len(rs) == 0:
		return nil, nil
	case len(rs) > MaxBatch:
		return nil, fmt.Errorf("place %d orders: at most %d at once", len(rs), MaxBatch)
	}
	placed := make([]Placed, 0, len(rs))
	try := func() error {
		more, err := c.batch(ctx, rs[len(placed):])
		placed = append(placed, more...)
		return err
	}
	if err := c.repeat(ctx, try); err != nil {
		return placed, fmt.Errorf("place %d orders: %w", len(rs), err)
	}
	return placed, nil
}

// batch sends the orders and returns the answers that came, also with an error.
func (c *Client) batch(ctx context.Context, rs []topup.Request) (placed []Placed, err error) {
	var body bytes.Buffer
	lines := json.NewEncoder(&body)
	for _, r := range rs {
		if err := lines.Encode(r); err != nil {
			return nil, backoff.Permanent(err)
		}
	}
	res, err := c.send(ctx, http.MethodPost, "/v1/topups/batch", "application/x-ndjson", body.Bytes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answers := newAnswer(res.Body)
	for i, r := range rs {
		var line batchLine
		if err := answers.decode(&line); err != nil {
			return placed, fmt.Errorf("answer %d of %d: %w", i+1, len(rs), err)
		}
		one, err := line.placed(r.ID)
		if err != nil {
			return placed, fmt.Errorf("answer %d of %d: %w", i+1, len(rs), err)
		}
		placed = append(placed, one)
	}
	return placed, nil
}

// batchLine is the API's answer to one line.
type batchLine struct {
	ID     topup.ID     `json:"distributor_transaction_id"` // empty for a line whose id is not valid
	Status int          `json:"status"`
	Topup  *topup.Order `json:"topup"`
	Error  *Problem     `json:"error"`
}

// placed is what became of the order that was sent with the id. An error means that it must be sent
// again or, if permanent, that the answer makes no sense.
func (l batchLine) placed(id topup.ID) (Placed, error) {
	switch {
	case l.ID != id && l.ID != "", l.Error == nil && l.Topup == nil:
		return Placed{}, fmt.Errorf("it says nothing of order %q; %w", id, errNotRecarga)
	case l.Error != nil && l.Error.Temporary():
		return Placed{}, l.Error
	case l.Error != nil:
		return Placed{Err: l.Error}, nil
	}
	if err := wholeOrder(*l.Topup, id); err != nil {
		return Placed{}, err
	}
	return Placed{Order: *l.Topup, Replayed: l.Status == http.StatusOK}, nil
}
