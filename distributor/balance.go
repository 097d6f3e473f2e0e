package distributor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Balance is the distributor's word on the account, which may be some time old: a hint, never proof.
type Balance struct {
	Amount      json.Number
	Currency    string
	LastUpdated time.Time
	// FetchedAt is when it was asked for.
	FetchedAt time.Time
}

var errToken = errors.New("the distributor refused the token")

// Balance asks for the balance. It moves no money, so it is repeated for some seconds.
func (c *Client) Balance(ctx context.Context) (b Balance, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	try := func() (err error) {
		b, err = c.balanceOnce(ctx)
		if errors.Is(err, ErrCredentials) {
			return backoff.Permanent(err)
		}
		return err
	}
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxElapsedTime = 100*time.Millisecond, 3*time.Second
	if err := backoff.Retry(try, backoff.WithContext(policy, ctx)); err != nil {
		return b, fmt.Errorf("get_balance: %w", err)
	}
	return b, nil
}

func (c *Client) balanceOnce(ctx context.Context) (Balance, error) {
	current, err := c.tokens.obtain(ctx)
	if err != nil {
		return Balance{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.cfg.URL+"/get_balance", nil)
	if err != nil {
		return Balance{}, err
	}
	req.Header.Set("Authorization", "Bearer "+current.value)
	a := c.do("balance", req)
	if a.err != nil {
		return Balance{}, a.err
	}
	if a.status == http.StatusUnauthorized {
		c.tokens.drop(current.value)
		return Balance{}, errToken
	}
	var answer struct {
		Success     bool        `json:"success"`
		Balance     json.Number `json:"balance"`
		Currency    string      `json:"currency"`
		LastUpdated time.Time   `json:"last_updated"`
	}
	if err := json.Unmarshal(a.body, &answer); err != nil || a.status != http.StatusOK || !answer.Success || answer.Balance == "" {
		return Balance{}, fmt.Errorf("answer of HTTP status %d has no balance", a.status)
	}
	return Balance{Amount: answer.Balance, Currency: answer.Currency, LastUpdated: answer.LastUpdated, FetchedAt: time.Now()}, nil
}
