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

// Balance is the distributor's figure of the account, which may be some time old: a hint, never proof.
type Balance struct {
	// Amount is the figure as the answer gives it, in its own currency.
	Amount json.Number
	// Currency is empty where the answer names none.
	Currency string
	// LastUpdated is zero where the answer gives no time that can be read.
	LastUpdated time.Time
	// FetchedAt is when it was asked for.
	FetchedAt time.Time
}

var errToken = errors.New("the distributor refused the token")

// Balance asks for the balance. It moves no money, so it is repeated for some seconds.
func (c *Client) Balance(ctx context.Context) (Balance, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return repeat(ctx, "get_balance", 100*time.Millisecond, c.balanceOnce)
}

// repeat makes a call that moves no money until it succeeds, for some seconds; not where the credentials are refused.
func repeat[T any](
	ctx context.Context, what string, initial time.Duration, call func(context.Context) (T, error),
) (answer T, err error) {
	try := func() (err error) {
		answer, err = call(ctx)
		if errors.Is(err, ErrCredentials) {
			return backoff.Permanent(err)
		}
		return err
	}
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxElapsedTime = initial, 3*time.Second
	if err := backoff.Retry(try, backoff.WithContext(policy, ctx)); err != nil {
		return answer, fmt.Errorf("%s: %w", what, err)
	}
	return answer, nil
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
	refused := a.status == http.StatusUnauthorized
	c.tokens.judge(current.value, a, refused)
	if refused {
		return Balance{}, errToken
	}
	b, ok := balanceOf(a)
	if !ok {
		return Balance{}, fmt.Errorf("answer of HTTP status %d has no balance", a.status)
	}
	b.Currency = c.tokens.border().text(b.Currency, maxText)
	return b, nil
}

// balanceOf needs a balance that can be read, and nothing that plainly says that it is none: a status other
// than 2xx, or success false.
func balanceOf(a answer) (b Balance, ok bool) {
	o, err := parseObject(a.body)
	if err != nil || a.status < 200 || a.status > 299 || o.denies() {
		return b, false
	}
	if b.Amount, ok = moneyOf(o.value("balance")); !ok {
		return b, false
	}
	b.Currency, b.FetchedAt = o.text("currency"), time.Now()
	if at, err := time.Parse(time.RFC3339, o.text("last_updated")); err == nil {
		b.LastUpdated = at
	}
	return b, true
}
