package distributor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// ErrCredentials: the distributor refused the customer id or the secret key. Trying again at once is no use.
var ErrCredentials = errors.New("the distributor refuses the login: correct RECARGA_DISTRIBUTOR_CUSTOMER_ID and " +
	"RECARGA_DISTRIBUTOR_SECRET_KEY and restart, or have it admit them")

// token is a bearer token and when it is to be renewed.
type token struct {
	value   string
	expires time.Time
	refresh string // never used; known only to be masked
}

// good reports whether the token may be used for a call that begins now.
func (t token) good() bool { return t.value != "" && time.Now().Before(t.expires) }

// TokenStore shares the token between processes, since a vendor may allow one session at a time: a
// login of one process would end the token of the others. Its errors never stop a purchase.
type TokenStore interface {
	// Load returns the shared token and when it is to be renewed; an empty one when there is none.
	Load(ctx context.Context) (token string, expires time.Time, err error)
	// Save shares a new token until it is to be renewed.
	Save(ctx context.Context, token string, expires time.Time) error
	// Lock waits until no other process logs in, for a bounded time. After an error the login is made all the same.
	Lock(ctx context.Context) (unlock func(), err error)
}

// maxToken bounds a token, which must fit into a request's headers.
const maxToken = 8 << 10

// tokens keeps the current token, and renews it once for all who wait.
type tokens struct {
	client *Client
	store  TokenStore
	flight singleflight.Group

	mu       sync.Mutex
	current  token
	refused  string    // the token that the distributor refused last
	useless  int       // how many logins in a row gave a token that was refused at its first use
	proven   bool      // the current token was accepted
	loginAt  time.Time // no login before it
	refusals int       // how many logins in a row were refused for the credentials
	secrets  []string  // the latest tokens of either kind
	masks    *border   // for them, and the secret key
}

// maxSecrets is how many tokens are masked, the last ones: an answer echoes the one it was sent, or one
// of a login a moment ago.
const maxSecrets = 8

// remember has the texts that leave masked for tokens, too.
func (t *tokens) remember(tokens ...string) {
	for _, one := range tokens {
		if one != "" && !slices.Contains(t.secrets, one) {
			t.secrets = append(t.secrets, one)
		}
	}
	t.secrets = t.secrets[max(0, len(t.secrets)-maxSecrets):]
	t.masks = newBorder(append([]string{t.client.cfg.SecretKey}, t.secrets...)...)
}

func (t *tokens) border() *border {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.masks
}

func (t *tokens) get() token {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

func (t *tokens) set(current token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current, t.proven, t.refusals = current, false, 0
	t.remember(current.value, current.refresh)
}

// drop forgets a token that was refused, unless there is a newer one.
func (t *tokens) drop(value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = value
	if t.current.value != value || value == "" {
		return
	}
	t.current = token{}
	if t.useless++; t.proven {
		t.useless = 0
	}
	// Another session may have ended the first token. After that, tokens are not the cause: the address is not
	// admitted, say, and a login for each purchase would only use up the rate.
	if t.useless > 1 {
		t.loginAt = time.Now().Add(min(time.Second<<min(t.useless-2, 10), maxLoginWait))
	}
}

// maxLoginWait is the longest wait between logins whose tokens are refused.
const maxLoginWait = time.Minute

// judge learns from an answer to a call with a token. One that is refused is dropped; and so is one for which a
// gateway may have refused the request as such: 431, or, unless it has been good before, 400 in words that are not
// the API's.
func (t *tokens) judge(value string, a answer, refused bool) {
	switch {
	case a.err != nil:
	case refused, a.status == http.StatusRequestHeaderFieldsTooLarge,
		a.status == http.StatusBadRequest && !isObject(a.body) && !t.isProven(value):
		t.drop(value)
	default:
		t.accept(value)
	}
}

func isObject(body []byte) bool {
	_, err := parseObject(body)
	return err == nil
}

func (t *tokens) isProven(value string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current.value == value && t.proven
}

// accept records that a token is good.
func (t *tokens) accept(value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.value == value {
		t.proven, t.useless, t.loginAt = true, 0, time.Time{}
	}
}

const (
	// refusalWait is the wait after the first login that was refused. It doubles up to maxRefusalWait: some vendors lock
	// an account that is tried too often.
	refusalWait    = 15 * time.Second
	maxRefusalWait = 5 * time.Minute
)

// refuse records that a login was refused for its credentials.
func (t *tokens) refuse() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refusals++
	t.loginAt = time.Now().Add(min(refusalWait<<min(t.refusals-1, 10), maxRefusalWait))
}

// mayLogIn is an error while the distributor refuses the credentials, or the very tokens that it gives.
func (t *tokens) mayLogIn() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refusals > 0 && time.Now().Before(t.loginAt) {
		return ErrCredentials
	}
	if wait := time.Until(t.loginAt); wait > 0 {
		return fmt.Errorf("the distributor refuses the tokens of its own logins; the next login is in %s",
			wait.Round(time.Second))
	}
	return nil
}

// shared is the other processes' token, if there is a good one.
func (t *tokens) shared(ctx context.Context) (found token, ok bool) {
	value, expires, err := t.store.Load(ctx)
	found = token{value: value, expires: expires}
	if longest := time.Now().Add(maxLife); expires.After(longest) {
		found.expires = longest
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return found, err == nil && fits(value) && found.good() && value != t.refused
}

// fits reports whether a text can be a token: it must go into a header.
func fits(value string) bool {
	return value != "" && len(value) <= maxToken && !strings.ContainsFunc(value, notVisible)
}

// Authorize makes sure that there is a token for the next call, and logs in if there is none. The
// error is ErrCredentials when a login was refused.
func (c *Client) Authorize(ctx context.Context) error {
	_, err := c.tokens.obtain(ctx)
	return err
}

func (t *tokens) obtain(ctx context.Context) (token, error) {
	if current := t.get(); current.good() {
		return current, nil
	}
	// The one who renews works for all who wait, so its own end does not end the login.
	renewed := t.flight.DoChan("", func() (any, error) { return t.renew(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return token{}, ctx.Err()
	case result := <-renewed:
		current, _ := result.Val.(token)
		return current, result.Err
	}
}

func (t *tokens) renew(ctx context.Context) (token, error) {
	if t.store != nil {
		unlock, err := t.store.Lock(ctx) // it has a bound of its own: waiting must not use up the login's time
		if err == nil {
			defer unlock()
		}
		// Another process may have logged in, perhaps while this one waited.
		if found, ok := t.shared(ctx); ok {
			t.set(found)
			return found, nil
		}
	}
	if err := t.mayLogIn(); err != nil {
		return token{}, err
	}
	loggingIn, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	current, err := t.client.login(loggingIn)
	if errors.Is(err, ErrCredentials) {
		t.refuse()
	}
	if err != nil {
		return token{}, err
	}
	t.set(current)
	if t.store != nil {
		if err := t.store.Save(ctx, current.value, current.expires); err != nil {
			t.client.cfg.Log.Warn("token not shared", "error", err)
		}
	}
	return current, nil
}

// login asks for a token. It moves no money, so it is repeated.
func (c *Client) login(ctx context.Context) (token, error) {
	return repeat(ctx, "login", 200*time.Millisecond, c.loginOnce)
}

func (c *Client) loginOnce(ctx context.Context) (token, error) {
	body, err := json.Marshal(map[string]string{"customer_id": c.cfg.CustomerID, "secret_key": c.cfg.SecretKey})
	if err != nil {
		return token{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL+"/login", bytes.NewReader(body))
	if err != nil {
		return token{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	a := c.do("login", req)
	if a.err != nil {
		return token{}, a.err
	}
	if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
		return token{}, ErrCredentials
	}
	current, ok := tokenOf(a, time.Now())
	if !ok {
		return token{}, fmt.Errorf("answer of HTTP status %d has no token", a.status)
	}
	return current, nil
}

// tokenOf is a login's token. Nothing else in the answer decides, unless it says plainly that there is
// none: a status other than 2xx, or success false.
func tokenOf(a answer, now time.Time) (token, bool) {
	o, err := parseObject(a.body)
	if err != nil || a.status < 200 || a.status > 299 {
		return token{}, false
	}
	value, ok := plain(o.value("access_token"))
	if !ok || o.denies() || !fits(value) {
		return token{}, false
	}
	life := lifeOf(o.value("expires_in"))
	expires := now.Add(life - min(life/10, time.Minute))
	return token{value: value, expires: expires, refresh: o.text("refresh_token")}, true
}

// notVisible reports whether r is a character that no token has, and no header may have.
func notVisible(r rune) bool { return r <= ' ' || r > '~' }

const (
	// defaultLife is the life of a token whose answer does not say it usably: that of the vendor's document.
	defaultLife = time.Hour
	// maxLife is the longest that is believed.
	maxLife = 30 * 24 * time.Hour
)

// lifeOf is expires_in, whole seconds as a number or a text; or the default.
func lifeOf(value json.RawMessage) time.Duration {
	s, ok := textOf(value)
	if d, err := strconv.ParseUint(s, 10, 32); ok && err == nil && d > 0 && d <= uint64(maxLife/time.Second) {
		return time.Duration(d) * time.Second
	}
	return defaultLife
}
