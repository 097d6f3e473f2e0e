package producer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"recarga/internal/httpclient"
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

// repeat tries until it succeeds, ctx ends, or a problem says that it never will.
func (c *Client) repeat(ctx context.Context, try func() error) error {
	wait := &asked{BackOff: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second),
		backoff.WithMaxElapsedTime(0))}
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

// call makes one request, whose body is the JSON of request (nil: none), and decodes the answer. An error begins with
// what was asked for.
func (c *Client) call(ctx context.Context, what, method, path string, request, answer any) error {
	var body []byte
	var err error
	if request != nil {
		body, err = json.Marshal(request)
	}
	if err == nil {
		_, err = c.once(ctx, method, path, body, answer)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// page is one page of a list.
type page[T any] struct {
	// Data is in the order of the list; NextCursor is empty after the last page.
	Data       []T    `json:"data"`
	NextCursor string `json:"next_cursor"`
}

// list asks for a page, and returns the cursor of the next one, empty after the last.
func list[T any](ctx context.Context, c *Client, what, path string) (data []T, next string, err error) {
	var p page[T]
	err = c.call(ctx, what, http.MethodGet, path, nil, &p)
	return p.Data, p.NextCursor, err
}

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
	if len(body) == 0 {
		kind = ""
	}
	return c.sendBy(ctx, c.http, method, path, kind, bytes.NewReader(body))
}

// stream is send for a body and an answer of any length: it takes as long as it takes, and only ctx bounds it.
func (c *Client) stream(ctx context.Context, method, path, kind string, body io.Reader) (*http.Response, error) {
	unbounded := *c.http
	unbounded.Timeout = 0
	return c.sendBy(ctx, &unbounded, method, path, kind, body)
}

func (c *Client) sendBy(
	ctx context.Context, by *http.Client, method, path, kind string, body io.Reader,
) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(req.Header))
	res, err := by.Do(req)
	if err != nil {
		return nil, err
	}
	if httpclient.Succeeded(res.StatusCode) {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, problemOf(res)
}
