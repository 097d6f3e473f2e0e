package producer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"recarga/internal/httpclient"
	"recarga/topup"
)

// Client places orders over Recarga's HTTP API. It is safe for concurrent use.
//
// Placing is safe to repeat: the order's id makes it one order, however often it is sent. So the
// client itself repeats what did not get through, until its context ends; give it one with a deadline.
//
// In a program that traces (with a propagator, otel.SetTextMapPropagator) the order joins the context's trace.
type Client struct {
	base, key string
	http      *http.Client
	notify    func(err error, wait time.Duration)
}

// ClientOption changes a Client.
type ClientOption func(*Client)

// WithHTTPClient has the client use h. Without it each request has 60 seconds, and no redirect is followed.
func WithHTTPClient(h *http.Client) ClientOption { return func(c *Client) { c.http = h } }

// WithRetryNotify has f called before each repeat of Place and PlaceMany, with what went wrong and
// the time until the repeat.
func WithRetryNotify(f func(err error, wait time.Duration)) ClientOption {
	return func(c *Client) { c.notify = f }
}

// callTimeout bounds one HTTP request; a repeat follows.
const callTimeout = 60 * time.Second

// NewClient builds a client for the API at baseURL, as in http://127.0.0.1:8080, with a caller's key.
func NewClient(baseURL, apiKey string, opts ...ClientOption) *Client {
	c := &Client{base: strings.TrimRight(baseURL, "/"), key: apiKey, http: newHTTPClient()}
	for _, opt := range opts {
		opt(c)
	}
	guarded := *c.http
	guarded.Transport = httpclient.Guard{Base: guarded.Transport}
	c.http = &guarded
	return c
}

func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	transport.IdleConnTimeout = 10 * time.Second // the API closes it later, and a request that is just being sent with it
	return &http.Client{
		Transport: transport, Timeout: callTimeout,
		// A redirected POST would become a GET, and look like an order that was placed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Problem is an error that the API answered with (RFC 9457).
type Problem struct {
	Status int          `json:"status"`
	Title  string       `json:"title"`
	Detail string       `json:"detail"`
	Errors []WrongField `json:"errors"`
	// RetryAfter is how long the API asked to wait; 0 when it did not.
	RetryAfter time.Duration `json:"-"`
}

// WrongField is one field of a request that is not valid.
type WrongField struct {
	Location string `json:"location"`
	Message  string `json:"message"`
	// Value is what was found there, cut short, and masked where it may be a phone number; nil where nothing was.
	Value any `json:"value"`
}

func (p *Problem) Error() string {
	said := []string{p.Detail}
	if len(p.Errors) > 0 { // the detail only counts them up
		said = nil
	}
	for _, f := range p.Errors {
		said = append(said, f.String())
	}
	text := fmt.Sprintf("%d %s", p.Status, p.Title)
	if details := strings.Join(said, "; "); details != "" {
		text += ": " + details
	}
	return text
}

func (f WrongField) String() string {
	field := strings.TrimPrefix(strings.TrimPrefix(f.Location, "body."), "query.")
	if f.Value == nil {
		return field + " " + f.Message
	}
	return fmt.Sprintf("%s %#v %s", field, f.Value, f.Message)
}

// Temporary tells that the same request may succeed later.
func (p *Problem) Temporary() bool {
	return httpclient.MayRecover(p.Status)
}

// Place places an order, and repeats that until it is answered or ctx ends. replayed tells that the
// order had been placed before. A *Problem says that it is not valid, or that its id is taken.
func (c *Client) Place(ctx context.Context, r topup.Request) (o topup.Order, replayed bool, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return o, false, fmt.Errorf("place %s: %w", r.ID, err)
	}
	err = c.repeat(ctx, func() error {
		header, err := c.once(ctx, http.MethodPost, "/v1/topups", body, &o)
		replayed = header.Get("Idempotent-Replayed") == "true"
		if err == nil && o.ID != r.ID {
			return backoff.Permanent(fmt.Errorf("the answer is of order %q; is this Recarga's API?", o.ID))
		}
		return err
	})
	if err != nil {
		return topup.Order{}, false, fmt.Errorf("place %s: %w", r.ID, err)
	}
	return o, replayed, nil
}

// Placed is the result of one order of many.
type Placed struct {
	Order    topup.Order
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
	answers := json.NewDecoder(res.Body)
	for i, r := range rs {
		var line batchLine
		if err := answers.Decode(&line); err != nil {
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
	case l.ID != id && l.ID != "", l.Error == nil && (l.Topup == nil || l.Topup.ID != id):
		return Placed{}, backoff.Permanent(fmt.Errorf("it tells nothing of order %q; is this Recarga's API?", id))
	case l.Error != nil && l.Error.Temporary():
		return Placed{}, l.Error
	case l.Error != nil:
		return Placed{Err: l.Error}, nil
	default:
		return Placed{Order: *l.Topup, Replayed: l.Status == http.StatusOK}, nil
	}
}

// Get returns an order with its attempts and events.
func (c *Client) Get(ctx context.Context, id topup.ID) (d topup.Details, err error) {
	if err = c.onTopup(ctx, http.MethodGet, id, "", nil, &d); err != nil {
		return topup.Details{}, fmt.Errorf("get %s: %w", id, err)
	}
	return d, nil
}

// Cancel withdraws an order. A *Problem with status 409 says that money may have moved.
func (c *Client) Cancel(ctx context.Context, id topup.ID) (o topup.Order, err error) {
	if err = c.onTopup(ctx, http.MethodPost, id, "/cancel", nil, &o); err != nil {
		return topup.Order{}, fmt.Errorf("cancel %s: %w", id, err)
	}
	return o, nil
}

// Resolve settles an order that is held as unknown, with the admin key. It is not repeated by itself. After
// a lost answer the very same may be asked again, unless it was to resend: the order may be unknown anew
// by then, so look at it first. A *Problem with status 409 says that it is not unknown, or that it is too
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

// Uphold ends a dispute: the order's state is right; with the admin key. A *Problem with status 409 says that the order
// is not disputed.
func (c *Client) Uphold(ctx context.Context, id topup.ID, u topup.Upholding) (topup.Order, error) {
	return c.decide(ctx, id, "dispute", decision{Outcome: string(u.Outcome), Reason: u.Reason, By: u.By})
}

// decision is a person's word on an order, as the API takes it.
type decision struct {
	Outcome       string `json:"outcome"`
	Reason        string `json:"reason"`
	By            string `json:"by,omitempty"`
	Force         bool   `json:"force,omitempty"`
	Attempt       int    `json:"attempt,omitempty"`
	TransactionID string `json:"transaction_id,omitempty"`
	Reference     string `json:"reference,omitempty"`
	AuthCode      string `json:"auth_code,omitempty"`
}

func (c *Client) decide(ctx context.Context, id topup.ID, action string, d decision) (o topup.Order, err error) {
	body, err := json.Marshal(d)
	if err == nil {
		err = c.onTopup(ctx, http.MethodPost, id, "/"+action, body, &o)
	}
	if err != nil {
		return topup.Order{}, fmt.Errorf("%s %s: %w", action, id, err)
	}
	return o, nil
}

// onTopup asks something of one order. What cannot be an order's id could lead to another path.
func (c *Client) onTopup(ctx context.Context, method string, id topup.ID, action string, body []byte, answer any) error {
	_, err := topup.ParseID(string(id))
	if err == nil {
		_, err = c.once(ctx, method, "/v1/topups/"+string(id)+action, body, answer)
	}
	return err
}

// List returns a page of orders, newest first, that the query's parameters choose (state, caller,
// phone_number, product_id, since, until, limit, cursor), and the cursor of the next page, empty
// after the last.
func (c *Client) List(ctx context.Context, query url.Values) (orders []topup.Order, next string, err error) {
	var page struct {
		Data       []topup.Order `json:"data"`
		NextCursor string        `json:"next_cursor"`
	}
	if _, err = c.once(ctx, http.MethodGet, "/v1/topups?"+query.Encode(), nil, &page); err != nil {
		return nil, "", fmt.Errorf("list: %w", err)
	}
	return page.Data, page.NextCursor, nil
}

// Find returns the orders that a text names: by id, phone number, or the distributor's transaction id or
// reference; the newest first, 50 at most.
func (c *Client) Find(ctx context.Context, text string) ([]topup.Order, error) {
	var page struct {
		Data []topup.Order `json:"data"`
	}
	if _, err := c.once(ctx, http.MethodGet, "/v1/search?q="+url.QueryEscape(text), nil, &page); err != nil {
		return nil, fmt.Errorf("find: %w", err)
	}
	return page.Data, nil
}

// Event is an event as it is listed: what an order's caller was told, and how far that got.
type Event struct {
	topup.Event
	OrderID   topup.ID         `json:"distributor_transaction_id"`
	Caller    string           `json:"caller"`
	State     topup.EventState `json:"state"`
	CreatedAt time.Time        `json:"created_at"`
	DueAt     *time.Time       `json:"due_at"`
}

// Events returns a page of events, newest first, and the cursor of the next page, empty after the last. The
// query is that of GET /v1/events: state, caller, type, since, until, limit, cursor.
func (c *Client) Events(ctx context.Context, query url.Values) (events []Event, next string, err error) {
	var page struct {
		Data       []Event `json:"data"`
		NextCursor string  `json:"next_cursor"`
	}
	if _, err := c.once(ctx, http.MethodGet, "/v1/events?"+query.Encode(), nil, &page); err != nil {
		return nil, "", fmt.Errorf("list events: %w", err)
	}
	return page.Data, page.NextCursor, nil
}

// Redeliver makes an event due again, from the start of its schedule.
func (c *Client) Redeliver(ctx context.Context, id string) (ev Event, err error) {
	if _, err = c.once(ctx, http.MethodPost, "/v1/events/"+url.PathEscape(id)+"/redeliver", nil, &ev); err != nil {
		return Event{}, fmt.Errorf("redeliver %s: %w", id, err)
	}
	return ev, nil
}

// RedeliverAll redelivers every event of a filter, that of POST /v1/events/redeliver: state, caller, type,
// since, until. progress is called with the count so far. The count is right also with an error; the same
// call goes on then.
func (c *Client) RedeliverAll(ctx context.Context, filter map[string]any, progress func(count int)) (count int, err error) {
	body := maps.Clone(filter)
	if body == nil {
		body = map[string]any{}
	}
	if body["until"] == nil { // what happens meanwhile is not meant
		body["until"] = time.Now().UTC()
	}
	for body["limit"] = 1000; ; {
		var answer struct {
			Count      int    `json:"count"`
			NextCursor string `json:"next_cursor"`
		}
		encoded, err := json.Marshal(body)
		if err == nil {
			_, err = c.once(ctx, http.MethodPost, "/v1/events/redeliver", encoded, &answer)
		}
		if err != nil {
			return count, fmt.Errorf("redeliver: %w", err)
		}
		count += answer.Count
		progress(count)
		if answer.NextCursor == "" {
			return count, nil
		}
		body["cursor"] = answer.NextCursor
	}
}

// Products returns the catalogue.
func (c *Client) Products(ctx context.Context) ([]topup.Product, error) {
	var page struct {
		Data []topup.Product `json:"data"`
	}
	if _, err := c.once(ctx, http.MethodGet, "/v1/products", nil, &page); err != nil {
		return nil, fmt.Errorf("products: %w", err)
	}
	return page.Data, nil
}

// Balance is the distributor's balance and how old that word is.
type Balance struct {
	Balance     json.Number `json:"balance"`
	Currency    string      `json:"currency"`
	LastUpdated *time.Time  `json:"last_updated"`
	FetchedAt   time.Time   `json:"fetched_at"`
	AgeSeconds  json.Number `json:"age_seconds"`
	// Low tells that it is below RECARGA_BALANCE_LOW, where that is set.
	Low bool `json:"low"`
	// History is that of the last 24 hours, the oldest first; Changes are the deposits and drifts of a week.
	History []BalancePoint        `json:"history"`
	Changes []topup.BalanceChange `json:"changes"`
}

// BalancePoint is a balance that was recorded.
type BalancePoint struct {
	At      time.Time    `json:"at"`
	Balance topup.Amount `json:"balance"`
}

// Balance asks for the distributor's balance.
func (c *Client) Balance(ctx context.Context) (b Balance, err error) {
	if _, err = c.once(ctx, http.MethodGet, "/v1/balance", nil, &b); err != nil {
		return Balance{}, fmt.Errorf("balance: %w", err)
	}
	return b, nil
}

// repeat tries until it succeeds, ctx ends, or a problem says that it never will.
func (c *Client) repeat(ctx context.Context, try func() error) error {
	wait := &asked{BackOff: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))}
	var last error
	err := backoff.RetryNotify(func() error {
		err := try()
		var problem *Problem
		wait.least = 0
		if errors.As(err, &problem) {
			wait.least = problem.RetryAfter
			if !problem.Temporary() {
				return backoff.Permanent(err)
			}
		}
		if ctx.Err() == nil {
			last = err
		}
		return err
	}, backoff.WithContext(wait, ctx), c.notify)
	if err != nil && ctx.Err() != nil && last != nil {
		return fmt.Errorf("%w; before that: %w", ctx.Err(), last) // that time ran out is the lesser half of the news
	}
	return err
}

// asked waits at least as long as the API asked for.
type asked struct {
	backoff.BackOff
	least time.Duration
}

func (a *asked) NextBackOff() time.Duration { return max(a.BackOff.NextBackOff(), a.least) }

func (c *Client) once(ctx context.Context, method, path string, body []byte, into any) (http.Header, error) {
	res, err := c.send(ctx, method, path, "application/json", body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return nil, fmt.Errorf("answer of %s %s: %w", method, path, err)
	}
	return res.Header, nil
}

// send returns an answer of 2xx, or a *Problem, or why there is no answer.
func (c *Client) send(ctx context.Context, method, path, kind string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if len(body) > 0 {
		req.Header.Set("Content-Type", kind)
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(req.Header))
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if httpclient.Succeeded(res.StatusCode) {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, problemOf(res)
}

func problemOf(res *http.Response) error {
	const most = 64 << 10
	p := &Problem{}
	body, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err == nil {
		err = json.Unmarshal(body, p)
	}
	if err != nil {
		p.Detail = "the answer is no problem document; is this Recarga's API?"
	}
	p.Status, p.Title = res.StatusCode, http.StatusText(res.StatusCode)
	p.RetryAfter, _ = httpclient.RetryAfter(res.Header.Get("Retry-After"), time.Now(), 24*time.Hour)
	return p
}
