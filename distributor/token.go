package distributor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/sync/singleflight"
)

// ErrCredentials: the distributor refused the customer id or the secret key. Trying again is no use.
var ErrCredentials = errors.New("the distributor refused RECARGA_DISTRIBUTOR_CUSTOMER_ID or RECARGA_DISTRIBUTOR_SECRET_KEY")

// Token is a bearer token and when it should be renewed.
type Token struct {
	Value   string    `json:"value"`
	Expires time.Time `json:"expires"`
}

// good tells that the token may be used for a call that begins now.
func (t Token) good() bool { return t.Value != "" && time.Now().Before(t.Expires) }

// TokenStore shares the token between processes, since a vendor may allow one session at a time: a
// login of one process would end the token of the others. Its errors never stop a purchase.
type TokenStore interface {
	// Load returns the shared token; a zero Token when there is none.
	Load(ctx context.Context) (Token, error)
	Save(ctx context.Context, t Token) error
	// Lock waits until no other process logs in.
	Lock(ctx context.Context) (unlock func(), err error)
}

// maxToken bounds a token, which must fit into a request's headers.
const maxToken = 8 << 10

// tokens holds the current token, and renews it once for all who wait.
type tokens struct {
	client *Client
	store  TokenStore
	flight singleflight.Group

	mu      sync.Mutex
	current Token
	refused string // the token that the distributor refused last
}

func (t *tokens) get() Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

func (t *tokens) set(token Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = token
}

// drop forgets a token that was refused, unless there is a newer one.
func (t *tokens) drop(value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = value
	if t.current.Value == value {
		t.current = Token{}
	}
}

func (t *tokens) usable(token Token) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return token.good() && token.Value != t.refused
}

// Authorize makes sure that there is a token for the next call, and logs in if there is none. The
// error is ErrCredentials when a login was refused.
func (c *Client) Authorize(ctx context.Context) error {
	_, err := c.tokens.obtain(ctx)
	return err
}

func (t *tokens) obtain(ctx context.Context) (Token, error) {
	if token := t.get(); token.good() {
		return token, nil
	}
	// The one who renews works for all who wait, so its own end does not end the login.
	ch := t.flight.DoChan("", func() (any, error) { return t.renew(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return Token{}, ctx.Err()
	case result := <-ch:
		token, _ := result.Val.(Token)
		return token, result.Err
	}
}

func (t *tokens) renew(ctx context.Context) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if t.store != nil {
		if token, err := t.store.Load(ctx); err == nil && t.usable(token) {
			t.set(token)
			return token, nil
		}
		if unlock, err := t.store.Lock(ctx); err == nil {
			defer unlock()
			// Another process may have logged in while this one waited.
			if token, err := t.store.Load(ctx); err == nil && t.usable(token) {
				t.set(token)
				return token, nil
			}
		}
	}
	token, err := t.client.login(ctx)
	if err != nil {
		return Token{}, err
	}
	t.set(token)
	if t.store != nil {
		if err := t.store.Save(ctx, token); err != nil {
			t.client.cfg.Log.Warn("token not shared", "error", err)
		}
	}
	return token, nil
}

// login asks for a token. It moves no money, so it is repeated until ctx ends, but not when the
// credentials are refused.
func (c *Client) login(ctx context.Context) (Token, error) {
	var token Token
	try := func() (err error) {
		token, err = c.loginOnce(ctx)
		if errors.Is(err, ErrCredentials) {
			return backoff.Permanent(err)
		}
		return err
	}
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxElapsedTime = 200*time.Millisecond, 3*time.Second
	if err := backoff.Retry(try, backoff.WithContext(b, ctx)); err != nil {
		return Token{}, fmt.Errorf("login: %w", err)
	}
	return token, nil
}

func (c *Client) loginOnce(ctx context.Context) (Token, error) {
	body, err := json.Marshal(map[string]string{"customer_id": c.cfg.CustomerID, "secret_key": c.cfg.SecretKey})
	if err != nil {
		return Token{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL+"/login", bytes.NewReader(body))
	if err != nil {
		return Token{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	a := c.do(req)
	if a.err != nil {
		return Token{}, a.err
	}
	var answer struct {
		Success     bool   `json:"success"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	switch err := json.Unmarshal(a.body, &answer); {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return Token{}, ErrCredentials
	case err != nil || a.status != http.StatusOK || !answer.Success || answer.AccessToken == "" || len(answer.AccessToken) > maxToken:
		return Token{}, fmt.Errorf("answer of HTTP status %d has no token", a.status)
	}
	life := time.Duration(answer.ExpiresIn) * time.Second
	return Token{Value: answer.AccessToken, Expires: time.Now().Add(life - min(life/10, time.Minute))}, nil
}
