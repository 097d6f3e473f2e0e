package webhook

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// ProxyError is a failure of the egress proxy: nothing reached the endpoint, and nothing is known of it.
type ProxyError struct{ why string }

// proxyFailed begins every ProxyError. By it the record of a try shows whose failure it was.
const proxyFailed = "egress proxy: "

func (e *ProxyError) Error() string { return proxyFailed + e.why }

// maxProxyAddresses bounds the addresses of an endpoint that the proxy is asked for, one after the other.
const maxProxyAddresses = 2

// proxyDialer makes connections through an HTTP proxy, by CONNECT.
//
// A proxy connects to whatever it is asked for, and resolves names by itself: what was checked here and what is
// connected to there could differ. So where the guard is on, the name is resolved here, and the proxy is asked for an
// address that has been checked. The proxy itself may be anywhere: it is the operator's setting.
type proxyDialer struct {
	proxy *url.URL
	tls   *tls.Config // to a proxy of https://
	// guard checks an address before the proxy is asked for it; nil: it is asked for names, and any address.
	guard func(network, address string, c syscall.RawConn) error
	// timeout bounds how long the proxy may take to connect.
	timeout time.Duration
}

// Dialer makes connections to endpoints.
type Dialer interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// Dialer makes the connections of a Deliverer that has no Dial: through the Proxy where there is one, and where
// AllowPrivate is false to public addresses only.
func (c Config) Dialer() Dialer {
	guard := PublicOnly()
	if c.AllowPrivate {
		guard = nil
	}
	if c.Proxy == nil {
		return &net.Dialer{Timeout: connectTimeout, Control: guard}
	}
	timeout := connectTimeout
	if c.Timeout > 0 {
		timeout = min(timeout, c.Timeout/2) // so that a try that ends there is known to be the proxy's failure
	}
	return &proxyDialer{proxy: c.Proxy, guard: guard, timeout: timeout, tls: &tls.Config{
		ServerName: c.Proxy.Hostname(), RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12,
	}}
}

// DialContext connects to an address, which may have a name. The error is a *ProxyError where the proxy failed.
func (p *proxyDialer) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	targets, err := p.targets(ctx, addr)
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	for _, target := range targets[:min(len(targets), maxProxyAddresses)] {
		if conn, err = p.tunnel(ctx, target); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// targets are what the proxy may be asked for, IPv4 first: every proxy has that.
func (p *proxyDialer) targets(ctx context.Context, addr string) (targets []string, err error) {
	if p.guard == nil {
		return []string{addr}, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var v6 []string
	for _, ip := range ips {
		target := netip.AddrPortFrom(ip.Unmap(), uint16(number)).String()
		switch {
		case ip.Unmap().Is4() && p.guard("tcp4", target, nil) == nil:
			targets = append(targets, target)
		case ip.Unmap().Is6() && p.guard("tcp6", target, nil) == nil:
			v6 = append(v6, target)
		}
	}
	if targets = append(targets, v6...); len(targets) == 0 {
		return nil, ErrNotPublic
	}
	return targets, nil
}

// tunnel has the proxy connect to a target.
func (p *proxyDialer) tunnel(ctx context.Context, target string) (_ net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, p.failed(ctx, "not reached: ", err)
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := p.request(target).Write(conn); err != nil {
		return nil, p.failed(ctx, "", err)
	}
	in := bufio.NewReaderSize(conn, maxAnswerHead)
	resp, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, p.failed(ctx, "", err)
	}
	defer resp.Body.Close() // of a 2xx there is none: what follows is the endpoint's
	switch {
	case resp.StatusCode/100 != 2:
		return nil, &ProxyError{strings.TrimSpace(fmt.Sprintf("it answered %d %s to CONNECT", resp.StatusCode,
			http.StatusText(resp.StatusCode)))}
	case in.Buffered() > 0 || !stop():
		return nil, &ProxyError{"it answered CONNECT with more than a header, or too late"}
	}
	return conn, nil
}

func (p *proxyDialer) connect(ctx context.Context) (net.Conn, error) {
	port := cmp.Or(p.proxy.Port(), map[string]string{"http": "80", "https": "443"}[p.proxy.Scheme])
	addr := net.JoinHostPort(p.proxy.Hostname(), port)
	if p.proxy.Scheme == "https" {
		return (&tls.Dialer{Config: p.tls}).DialContext(ctx, "tcp", addr)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", addr)
}

func (p *proxyDialer) request(target string) *http.Request {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target,
		Header: http.Header{"User-Agent": {userAgent}}}
	if user := p.proxy.User; user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	return req
}

// failed is a failure of the proxy in words, unless the whole try was cut short.
func (p *proxyDialer) failed(ctx context.Context, stage string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case ctx.Err() != nil:
		return &ProxyError{fmt.Sprintf("%sno answer within %s", stage, p.timeout)}
	}
	return &ProxyError{stage + err.Error()}
}

// ParseProxy reads the URL of a proxy: http or https, with a host, and perhaps a user.
func ParseProxy(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Path != "" && u.Path != "/" ||
		u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("must be an http or https URL of a proxy, without path and query")
	}
	return u, nil
}
