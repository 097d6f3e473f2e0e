package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"recarga/topup"
)

const (
	userAgent = "Recarga-Webhooks/1"
	// connectTimeout bounds a connection's dialing and, again, its TLS handshake: a try needs the
	// rest of its time for the answer.
	connectTimeout = 5 * time.Second
	idleTimeout    = 90 * time.Second
	// maxAnswer is what is read of an answer, only so that its connection can be used again.
	maxAnswer      = 4 << 10
	maxAnswerHead  = 16 << 10
	maxErrorLength = 200
)

var (
	errNotPublic = errors.New("target refused: its address is not public")
	errNotHTTPS  = errors.New("target refused: only https:// is allowed")
	errRedirect  = errors.New("redirects are not followed")
	errGone      = errors.New("410: the endpoint wants no more webhooks")
)

// newClient makes the client of all tries. It follows no redirects and keeps no cookies.
//
// HTTP_PROXY and HTTPS_PROXY are not honoured: behind a proxy the address checked would be the
// proxy's, and the proxy would connect to any other. HTTP/2 is off: on it all tries to an endpoint
// share one connection, and one that has silently died would time them all out, one after the other.
func newClient(cfg Config) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: connectTimeout}
	if !cfg.AllowPrivate {
		dialer.Control = publicOnly()
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Protocols:              protocols,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    connectTimeout,
			ResponseHeaderTimeout:  cfg.Timeout,
			MaxResponseHeaderBytes: maxAnswerHead,
			MaxIdleConns:           cfg.FirstTries,
			MaxIdleConnsPerHost:    cfg.PerEndpoint,
			IdleConnTimeout:        idleTimeout,
			DisableCompression:     true,
		},
	}
}

// publicOnly refuses to connect to any address that is not on the public internet. It looks at the
// very address that is about to be connected to, so no name, redirect or notation gets around it.
func publicOnly() func(network, address string, c syscall.RawConn) error {
	guard := ssrf.New(ssrf.WithAnyPort())
	return func(network, address string, c syscall.RawConn) error {
		if guard.Safe(network, address, c) != nil {
			return errNotPublic
		}
		return nil
	}
}

// target is where an event goes.
type target struct {
	url     string
	secrets []string
	// origin is what counts as one endpoint.
	origin string
}

// target returns the zero target when the caller has nowhere to be told.
func (d *Deliverer) target(ctx context.Context, ev topup.Event) (target, error) {
	endpoint, err := d.endpoints.Endpoint(ctx, ev.Caller)
	if err != nil && !errors.Is(err, topup.ErrNotFound) {
		return target{}, fmt.Errorf("endpoint of caller %s: %w", ev.Caller, err)
	}
	if err == nil && ev.CallbackURL != "" {
		endpoint.URL = ev.CallbackURL
	}
	return target{url: endpoint.URL, secrets: endpoint.Secrets, origin: origin(endpoint.URL)}, nil
}

// origin is scheme, host and port of a URL; empty for none.
func origin(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return ""
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// answer is what came of one try.
type answer struct {
	status     int // 0: none came
	err        error
	retryAfter time.Duration
	took       time.Duration
}

func (a answer) delivered() bool { return a.status >= 200 && a.status <= 299 }

// hopeless tells that another try makes no sense.
func (a answer) hopeless() bool {
	var nowhere *nowhereError
	return errors.Is(a.err, errGone) || errors.As(a.err, &nowhere)
}

// nowhereError: there is no URL to send to.
type nowhereError struct{ caller string }

func (e *nowhereError) Error() string { return "caller " + e.caller + " has no callback URL" }

// send makes one request.
func (d *Deliverer) send(ctx context.Context, ev topup.Event, to target, at time.Time) answer {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	req, err := d.request(ctx, ev, to, at)
	if err != nil {
		return answer{err: err}
	}
	resp, err := d.client.Do(req)
	took := time.Since(at)
	if err != nil {
		return answer{err: d.plain(err), took: took}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // the status is the answer, whatever follows it
	return answer{status: resp.StatusCode, err: objection(resp.StatusCode), retryAfter: retryAfter(resp, time.Now()), took: took}
}

func (d *Deliverer) request(ctx context.Context, ev topup.Event, to target, at time.Time) (*http.Request, error) {
	if to.url == "" {
		return nil, &nowhereError{ev.Caller}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(ev.Body))
	if err != nil {
		return nil, d.plain(err)
	}
	if req.URL.Scheme != "https" && !d.cfg.AllowPrivate {
		return nil, errNotHTTPS
	}
	if len(to.secrets) == 0 {
		return nil, fmt.Errorf("caller %s has no webhook secret", ev.Caller)
	}
	if req.Header, err = sign(to.secrets, ev.ID, at, ev.Body); err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	// Present but empty: it is not sent, and tells the transport that the request may be repeated
	// when a kept connection turns out to be closed, which is then no failed try.
	req.Header["Idempotency-Key"] = nil
	return req, nil
}

// objection says why a status does not do; nothing where the status says it all.
func objection(status int) error {
	switch {
	case status == http.StatusGone:
		return errGone
	case status >= 300 && status <= 399:
		return errRedirect
	default:
		return nil
	}
}

// plain is an error of a request without its URL (whose query may carry a token) and without what it
// tells of our own network.
func (d *Deliverer) plain(err error) error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	var dial *net.OpError
	var lookup *net.DNSError
	switch {
	case errors.Is(err, errNotPublic):
		return errNotPublic
	case errors.As(err, &lookup):
		return fmt.Errorf("lookup %s: %s", lookup.Name, lookup.Err)
	case errors.As(err, &dial) && dial.Op == "dial":
		return dial
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", d.cfg.Timeout)
	case errors.Is(err, context.Canceled):
		return errors.New("cut short by a shutdown")
	default:
		return err
	}
}

// clip shortens an error for the record.
func clip(err error) topup.NullString {
	if err == nil {
		return ""
	}
	text := err.Error()
	return topup.NullString(strings.ToValidUTF8(text[:min(len(text), maxErrorLength)], ""))
}
