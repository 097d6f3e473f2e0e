package producer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	own       bool // the transport of http
	agent     string
}

// ClientOption changes a Client.
type ClientOption func(*Client)

// WithHTTPClient has the client use h; nil is none. Where h has no timeout, each request has 60 seconds, and where it
// does not say what to do with a redirect, none is followed.
func WithHTTPClient(h *http.Client) ClientOption {
	return func(c *Client) {
		if h != nil {
			c.http, c.own = h, false
		}
	}
}

// CLIUserAgent is how the User-Agent of the recarga command begins.
const CLIUserAgent = "recarga-cli/"

// WithUserAgent has each request say which program it comes from. Empty: it says Go's.
func WithUserAgent(agent string) ClientOption { return func(c *Client) { c.agent = agent } }

// WithRetryNotify has f called before each repeat of Place and PlaceMany, with what went wrong and
// the time until the repeat.
func WithRetryNotify(f func(err error, wait time.Duration)) ClientOption {
	return func(c *Client) { c.notify = f }
}

const (
	// callTimeout bounds one HTTP request; a repeat follows.
	callTimeout = 60 * time.Second
	// maxAnswer is the longest answer, or line of one that is a stream, in bytes.
	maxAnswer = 8 << 20
)

// NewClient builds a client for the API at baseURL, as in http://127.0.0.1:8080, with a caller's key. The error names
// what can never work: a URL that is none of http or https, a key that no header can carry.
func NewClient(baseURL, apiKey string, opts ...ClientOption) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.User != nil ||
		base.RawQuery != "" || base.Fragment != "" {
		return nil, &topup.FieldError{Field: "the API's URL", Value: baseURL,
			Allowed: "http://HOST or https://HOST, with a port or path if need be, without user, query and fragment"}
	}
	if apiKey == "" || strings.ContainsFunc(apiKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key is empty, or has a space, a line break or another character that is not " +
			"printable ASCII")
	}
	c := &Client{base: strings.TrimRight(baseURL, "/"), key: apiKey, http: newHTTPClient(), own: true}
	for _, opt := range opts {
		if opt != nil {
			opt(c)
		}
	}
	guarded := *c.http
	guarded.Timeout = cmp.Or(guarded.Timeout, callTimeout)
	if guarded.CheckRedirect == nil {
		// A redirected POST would become a GET, and look like an order that was placed.
		guarded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	guarded.Transport = httpclient.Guard{Base: guarded.Transport}
	c.http = &guarded
	return c, nil
}

func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	transport.IdleConnTimeout = 10 * time.Second // the API closes it later, and a request that is just being sent with it
	return &http.Client{Transport: transport}
}

// Close closes the connections that nothing is under way on, unless they are those of WithHTTPClient. It never fails.
func (c *Client) Close() error {
	if c.own {
		c.http.CloseIdleConnections()
	}
	return nil
}

// repeat tries until it succeeds, ctx ends, or a problem says that it never will.
func (c *Client) repeat(ctx context.Context, try func() error) error {
	if ctx == nil {
		return errors.New("nil context")
	}
	wait := &asked{BackOff: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second),
		backoff.WithMaxElapsedTime(0))}
	var last error
	err := backoff.RetryNotify(func() error {
		err := try()
		if wait.least = 0; err != nil {
			var problem *Problem
			if errors.As(err, &problem) {
				wait.least = problem.RetryAfter
			}
			if !temporary(err) {
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

// errNotRecarga is an answer that no API of Recarga gives, however often it is asked.
var errNotRecarga = errors.New("is this Recarga's API?")

// temporary reports whether the same request may be answered later. It may not by a server whose certificate nobody
// here knows, that speaks another protocol, or that is something else than Recarga.
func temporary(err error) bool {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem.Temporary()
	}
	return !errors.As(err, new(*tls.CertificateVerificationError)) && !errors.As(err, new(tls.RecordHeaderError)) &&
		!errors.Is(err, http.ErrSchemeMismatch) && !errors.Is(err, httpclient.ErrSwitchingProtocols) &&
		!errors.Is(err, errNotRecarga)
}

// asked waits at least as long as the API asked for.
type asked struct {
	backoff.BackOff
	least time.Duration
}

func (a *asked) NextBackOff() time.Duration { return max(a.BackOff.NextBackOff(), a.least) }

// ask makes one request, whose body is the JSON of request (nil: none), and returns the answer that check finds
// nothing wrong with. An error begins with what was asked for.
func ask[T any](
	ctx context.Context, c *Client, what, method, path string, request any, check func(T) error,
) (T, error) {
	var got, none T
	var body []byte
	var err error
	if request != nil {
		body, err = json.Marshal(request)
	}
	if err == nil {
		_, err = c.once(ctx, method, path, body, &got)
	}
	if err == nil {
		err = check(got)
	}
	if err != nil {
		return none, fmt.Errorf("%s: %w", what, err)
	}
	return got, nil
}

// page is one page of a list.
type page[T any] struct {
	// Data is in the order of the list; NextCursor is empty after the last page.
	Data       []T    `json:"data"`
	NextCursor string `json:"next_cursor"`
}

// list asks for a page, and returns the cursor of the next one, empty after the last.
func list[T any](ctx context.Context, c *Client, what, path string) (data []T, next string, err error) {
	p, err := ask(ctx, c, what, http.MethodGet, path, nil, func(p page[T]) error {
		if p.Data == nil {
			return fmt.Errorf("the answer has no list; %w", errNotRecarga)
		}
		return nil
	})
	return p.Data, p.NextCursor, err
}

func (c *Client) once(ctx context.Context, method, path string, body []byte, into any) (http.Header, error) {
	res, err := c.send(ctx, method, path, "application/json", body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := newAnswer(res.Body).decode(into); err != nil {
		return nil, fmt.Errorf("answer of %s %s: %w", method, path, err)
	}
	return res.Header, nil
}

// answer reads the JSON of an answer.
type answer struct {
	body io.LimitedReader
	json *json.Decoder
	err  error // that ended the body
}

func newAnswer(body io.Reader) *answer {
	a := &answer{body: io.LimitedReader{R: body, N: maxAnswer}}
	a.json = json.NewDecoder(a)
	return a
}

func (a *answer) Read(p []byte) (n int, err error) {
	n, a.err = a.body.Read(p)
	return n, a.err
}

// decode reads the next value. The error distinguishes a body that was cut off, which another one may replace, from
// what Recarga never answers.
func (a *answer) decode(into any) error {
	err := a.json.Decode(into)
	switch {
	case err == nil:
		return nil
	case a.body.N <= 0:
		return fmt.Errorf("it has more than %d bytes; %w", maxAnswer, errNotRecarga)
	case a.err != nil && !errors.Is(a.err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return fmt.Errorf("%w; %w", err, errNotRecarga)
}

// whole is an error unless an answer is about the one of that name, and has what such an answer has.
func whole[T ~string](what string, got, want T, has bool) error {
	switch {
	case got != want:
		return fmt.Errorf("the answer is of %s %q; %w", what, got, errNotRecarga)
	case !has:
		return fmt.Errorf("the answer says too little of %s %q; %w", what, got, errNotRecarga)
	}
	return nil
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
	if c.agent != "" {
		req.Header.Set("User-Agent", c.agent)
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
