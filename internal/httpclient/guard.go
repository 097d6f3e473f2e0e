// Package httpclient has the rules of every HTTP request that leaves this program, and reads the status of its answer.
package httpclient

import (
	"errors"
	"net/http"
)

// ErrSwitchingProtocols is the end of an exchange whose answer is 101.
var ErrSwitchingProtocols = errors.New("the server answered 101 Switching Protocols, which nobody asked for")

// MaxHeader bounds the header of an answer, together with the 1xx answers before it.
const MaxHeader = 64 << 10

// Guard is a transport whose every answer ends with its request's context.
//
// After a 101 net/http hands the bare connection to the caller: from then on neither a deadline nor a
// cancellation ends a read of the "body", so that one server could block a purchase, a webhook and the
// shutdown for ever. This program never asks for another protocol, so a 101 is an error at once.
//
// Other 1xx answers need nothing: net/http skips them, as many as fit into its bound of the header, and
// never beyond the context.
type Guard struct {
	// Base makes the request. Nil is http.DefaultTransport.
	Base http.RoundTripper
}

func (g Guard) base() http.RoundTripper {
	if g.Base == nil {
		return http.DefaultTransport
	}
	return g.Base
}

// RoundTrip implements http.RoundTripper. The error is ErrSwitchingProtocols where the answer is 101.
func (g Guard) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := g.base().RoundTrip(req)
	if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
		_ = res.Body.Close() // closes the connection
		return nil, ErrSwitchingProtocols
	}
	return res, err
}

// CloseIdleConnections is what http.Client calls.
func (g Guard) CloseIdleConnections() {
	if c, ok := g.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
