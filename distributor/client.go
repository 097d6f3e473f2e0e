// Package distributor is the client of the distributor's API: login, balance and purchase. It is the
// only place that knows the API's JSON, and the only one that decides what an answer means.
package distributor

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"recarga/internal/httpclient"
	"recarga/topup"
)

const (
	// maxAnswer bounds what is read of an answer; a real one has some hundred bytes.
	maxAnswer = 64 << 10
	// queryTimeout bounds a login or a balance inquiry, which move no money and may be repeated.
	queryTimeout = 30 * time.Second
	// idleTimeout is below the 5 s after which Node's HTTP server, which the vendor seems to use,
	// closes an idle connection: a request written on a connection that is just being closed has an
	// unknown outcome.
	idleTimeout = 4 * time.Second
	// writeBuffer fits nearly any request whole, so that its headers and its body leave in one write. Of a longer one the
	// first write decides whether it was sent. Each purchase under way keeps one.
	writeBuffer = 4 << 10
)

// Config is what a Client is made of.
type Config struct {
	// URL is the API's, up to and with /api/distributor.
	URL string
	// CustomerID and SecretKey are the credentials of a login.
	CustomerID, SecretKey string
	// Timeout of one purchase call. Defaults to 120s: the vendor tries several providers in turn.
	Timeout time.Duration
	// RetryCodes mean "unavailable". Defaults to topup.DefaultRetryCodes.
	RetryCodes []topup.Code
	// Tokens shares the token with other processes. Nil keeps it in this one.
	Tokens TokenStore
	// MaxConns bounds the connections. Defaults to 64.
	MaxConns int
	// Dial makes the connections. Defaults to TCP; a simulation has a network of its own.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Observe is called for each request that was made; it must not block. Nil: nothing is.
	Observe func(Request)
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// CallPurchase is the Call of a purchase.
const CallPurchase = "purchase"

// Request is one HTTP request to the distributor, and what came of it.
type Request struct {
	// Call is login, balance or purchase (CallPurchase).
	Call string
	// Status is 0 where no whole answer came.
	Status int
	// Err is why no whole answer came.
	Err error
	// Took is the time to the end of the answer.
	Took time.Duration
	// Header and Body are the answer's. They contain secrets: they are for examining the distributor, never for a log.
	Header http.Header
	Body   []byte // whole, or as far as it came
}

// Client talks to the distributor. It is safe for concurrent use.
type Client struct {
	cfg    Config
	http   *http.Client
	tokens *tokens
	host   string // of the URL
	tracer trace.Tracer
}

// New builds a Client.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("distributor URL %q is not an http or https URL", cfg.URL)
	}
	cfg.URL = strings.TrimRight(cfg.URL, "/")
	cfg.Timeout, cfg.MaxConns = cmp.Or(cfg.Timeout, 120*time.Second), cmp.Or(cfg.MaxConns, 64)
	if cfg.RetryCodes == nil {
		cfg.RetryCodes = topup.DefaultRetryCodes()
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Request) {}
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	c := &Client{cfg: cfg, http: newHTTP(cfg), host: u.Hostname(), tracer: otel.Tracer("recarga/distributor")}
	c.tokens = &tokens{client: c, store: cfg.Tokens}
	c.tokens.remember()
	return c, nil
}

// newHTTP builds a client that sends a request once. net/http by itself repeats a request in four
// cases: on a redirect, where it has GetBody, where it has an Idempotency-Key, and over HTTP/2. The
// purchase has none of these. A proxy from the environment might repeat by itself, so none is used.
func newHTTP(cfg Config) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		Transport: httpclient.Guard{Base: &http.Transport{
			Proxy: nil, Protocols: protocols,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := cfg.Dial(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return &wire{Conn: conn}, nil
			},
			MaxIdleConnsPerHost: cfg.MaxConns, MaxIdleConns: cfg.MaxConns,
			IdleConnTimeout: idleTimeout, TLSHandshakeTimeout: 10 * time.Second, WriteBufferSize: writeBuffer,
			MaxResponseHeaderBytes: httpclient.MaxHeader,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
