package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"recarga/internal/clip"
	"recarga/internal/httpclient"
	"recarga/topup"
)

const (
	userAgent = "Recarga-Webhooks/1"
	// connectTimeout bounds a connection's dialing and, again, its TLS handshake: a try needs the
	// rest of its time for the answer.
	connectTimeout = 5 * time.Second
	idleTimeout    = 90 * time.Second
	// maxAnswer is what is read of an answer, so that its connection can be used again.
	maxAnswer      = 4 << 10
	maxAnswerHead  = 16 << 10
	maxErrorLength = 200
)

// ErrNotPublic is what a connection is refused with that PublicOnly guards.
var ErrNotPublic = errors.New("target refused: its address is not public")

var (
	errNotHTTPS = errors.New("target refused: only https:// is allowed")
	errRedirect = errors.New("redirects are not followed")
	errGone     = errors.New("410: the endpoint wants no more webhooks")
)

// newClient makes the client of all tries. It follows no redirects and keeps no cookies.
//
// HTTP_PROXY and HTTPS_PROXY are not honoured: behind a proxy the address checked would be the
// proxy's, and the proxy would connect to any other; see proxyDialer. HTTP/2 is off: on it all tries to an endpoint
// share one connection, and one that has silently died would time them all out, one after the other.
func newClient(cfg Config) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: httpclient.Guard{Base: &http.Transport{
			Protocols:              protocols,
			DialContext:            cfg.Dial,
			TLSClientConfig:        &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    connectTimeout,
			ResponseHeaderTimeout:  cfg.Timeout,
			MaxResponseHeaderBytes: maxAnswerHead,
			MaxIdleConns:           cfg.FirstTries,
			MaxIdleConnsPerHost:    cfg.PerEndpoint,
			IdleConnTimeout:        idleTimeout,
			DisableCompression:     true,
		}},
	}
}

// PublicOnly makes a net.Dialer's Control that refuses to connect to any address that is not on the
// public internet. It checks the very address that is about to be connected to, so no name, redirect
// or notation gets around it.
func PublicOnly() func(network, address string, c syscall.RawConn) error {
	guard := ssrf.New(ssrf.WithAnyPort())
	return func(network, address string, c syscall.RawConn) error {
		if guard.Safe(network, address, c) != nil {
			return ErrNotPublic
		}
		return nil
	}
}

// answer is what came of one try.
type answer struct {
	status     int // 0: none came
	err        error
	retryAfter time.Duration
	took       time.Duration
	response   *topup.TryResponse
}

func (a answer) delivered() bool { return httpclient.Succeeded(a.status) }

// errorText is the error for the record, cut short; empty for none.
func (a answer) errorText() topup.NullString {
	if a.err == nil {
		return ""
	}
	return topup.NullString(clip.To(a.err.Error(), maxErrorLength))
}

// ofProxy reports whether it was the proxy that failed, and not the endpoint.
func (a answer) ofProxy() bool {
	var proxy *ProxyError
	return errors.As(a.err, &proxy)
}

// hopeless reports whether another try makes no sense.
func (a answer) hopeless() bool { return errors.Is(a.err, errGone) || a.unsent() }

// unsent reports whether there was nowhere to send to.
func (a answer) unsent() bool {
	var nowhere *nowhereError
	return errors.As(a.err, &nowhere)
}

// kept reports whether the event is for the feed alone.
func (a answer) kept() bool {
	var nowhere *nowhereError
	return errors.As(a.err, &nowhere) && nowhere.kept
}

// nowhereError: there is no URL to send to, or none that may be used.
type nowhereError struct {
	why string
	// kept: that is how the caller wants it, and it reads the feed.
	kept bool
}

func (e *nowhereError) Error() string { return e.why }

func nowhere(to target) error {
	switch {
	case to.url == "" && to.name == "" && to.known:
		return &nowhereError{why: "kept for the feed: caller " + to.caller + " has no callback URL", kept: true}
	case to.url == "" && to.name == "":
		return &nowhereError{why: "caller " + to.caller + " has no callback URL"}
	case to.url == "":
		return &nowhereError{why: "caller " + to.caller + " has no endpoint " + to.name}
	case to.health != nil && to.health.DisabledAt != nil:
		return &nowhereError{why: "the endpoint is disabled: " + to.health.Reason}
	case to.standsFor != nil && to.standsFor.DisabledAt != nil: // at whatever path of its origin
		return &nowhereError{why: "the endpoint is disabled: " + to.standsFor.Reason}
	}
	return nil
}

// send makes one request.
func (d *Deliverer) send(ctx context.Context, ev topup.Event, to target, at time.Time) answer {
	return d.sendShowing(ctx, ev, to, at, io.Discard)
}

// sendShowing writes the first maxAnswer bytes of the answer's body to body.
func (d *Deliverer) sendShowing(
	ctx context.Context, ev topup.Event, to target, at time.Time, body io.Writer,
) answer {
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
	var begins bytes.Buffer
	_, _ = io.CopyN(&begins, resp.Body, maxAnswer) // the status is the answer, whatever follows it
	_, _ = body.Write(begins.Bytes())
	a := answer{status: resp.StatusCode, err: objection(resp.StatusCode), took: took}
	a.retryAfter = retryAfter(resp, time.Now())
	a.response = response(resp.Header, begins.Bytes(), to.hide())
	return a
}

func (d *Deliverer) request(ctx context.Context, ev topup.Event, to target, at time.Time) (*http.Request, error) {
	if err := nowhere(to); err != nil {
		return nil, err
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
	setHeaders(req.Header, to.headers)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	passTrace(ctx, req.Header)
	// Present but empty, it is not sent, and allows the transport to repeat the request when an idle connection
	// turns out to be closed. That is then no failed try.
	req.Header["Idempotency-Key"] = nil
	return req, nil
}

// objection explains a status that is no success; nil where the status explains itself.
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
// shows of our own network.
func (d *Deliverer) plain(err error) error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	var dial *net.OpError
	var lookup *net.DNSError
	var proxy *ProxyError
	switch {
	case errors.As(err, &proxy):
		return proxy
	case errors.Is(err, ErrNotPublic):
		return ErrNotPublic
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
