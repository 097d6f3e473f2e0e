package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// errInsecure is a target that would carry an event in the clear.
var errInsecure = errors.New("target must be https (RECARGA_WEBHOOK_ALLOW_PRIVATE permits http)")

// newHTTP builds the client that delivers. Unless private targets are allowed, each connection is
// checked on the address that it is really made to, after the name was resolved: a name that points
// to a private address now and then gets nowhere. A proxy would make that check void, so none is
// used. Redirects are not followed: they would lead past it too.
func newHTTP(allowPrivate bool, timeout time.Duration, conns int) *http.Client {
	dialer := &net.Dialer{Timeout: min(timeout, 10*time.Second), KeepAlive: 30 * time.Second}
	if !allowPrivate {
		guard := ssrf.New(ssrf.WithAnyPort())
		dialer.Control = func(network, address string, c syscall.RawConn) error { return guard.Safe(network, address, c) }
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: min(timeout, 10*time.Second), ResponseHeaderTimeout: timeout,
			MaxIdleConnsPerHost: conns, MaxIdleConns: 8 * conns, IdleConnTimeout: 90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkTarget refuses what needs no connection to be refused.
func checkTarget(raw string, allowPrivate bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("target is not an http or https URL")
	}
	if u.Scheme != "https" && !allowPrivate {
		return nil, errInsecure
	}
	return u, nil
}

// explain makes a short text of a failed request, without the URL, whose query may hold a token.
func explain(err error) string {
	var refused *url.Error
	if errors.As(err, &refused) {
		err = refused.Err
	}
	for _, kind := range []error{ssrf.ErrProhibitedIP, ssrf.ErrProhibitedNetwork, ssrf.ErrProhibitedPort} {
		if errors.Is(err, kind) {
			return "target is a private or reserved address (RECARGA_WEBHOOK_ALLOW_PRIVATE permits it)"
		}
	}
	const most = 200
	text := strings.ToValidUTF8(err.Error(), "")
	return fmt.Sprintf("%.*s", most, text)
}
