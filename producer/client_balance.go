package producer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"recarga/topup"
)

// Products returns the catalogue.
func (c *Client) Products(ctx context.Context) ([]topup.Product, error) {
	products, _, err := list[topup.Product](ctx, c, "products", "/v1/products")
	return products, err
}

// Balance is the distributor's balance and how old it is.
type Balance struct {
	// Balance is as the distributor gave it, in Currency, which is not the orders'.
	Balance  json.Number `json:"balance"`
	Currency string      `json:"currency"`
	// LastUpdated is the distributor's own time of it; nil: it gave none.
	LastUpdated *time.Time `json:"last_updated"`
	// FetchedAt is when the distributor was asked, AgeSeconds ago.
	FetchedAt  time.Time   `json:"fetched_at"`
	AgeSeconds json.Number `json:"age_seconds"`
	// Low reports whether it is below RECARGA_BALANCE_LOW, where that is set.
	Low bool `json:"low"`
	// History is that of the last 24 hours, the oldest first.
	History []BalancePoint `json:"history"`
	// Changes are the deposits and drifts of a week.
	Changes []topup.BalanceChange `json:"changes"`
}

// BalancePoint is a balance that was recorded.
type BalancePoint struct {
	// At is when.
	At time.Time `json:"at"`
	// Balance is in the distributor's currency.
	Balance topup.Amount `json:"balance"`
}

// Balance asks for the distributor's balance.
func (c *Client) Balance(ctx context.Context) (Balance, error) {
	return ask(ctx, c, "balance", http.MethodGet, "/v1/balance", nil, func(b Balance) error {
		if b.Balance == "" {
			return fmt.Errorf("the answer has no balance; %w", errNotRecarga)
		}
		return nil
	})
}
