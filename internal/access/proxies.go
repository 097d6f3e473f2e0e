package access

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto count
// (RECARGA_TRUSTED_PROXIES). The zero value trusts none.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks that are separated by commas.
func ParseProxies(s string) (all Proxies, err error) {
	for one := range strings.SplitSeq(s, ",") {
		one = strings.TrimSpace(one)
		network, err := netip.ParsePrefix(one)
		if err != nil {
			addr, err := netip.ParseAddr(one)
			if err != nil {
				return nil, err
			}
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		all = append(all, network.Masked())
	}
	return all, nil
}

// Contains reports whether an address is a trusted proxy's.
func (p Proxies) Contains(addr netip.Addr) bool {
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// Client is the address that a request comes from: the peer's or, where that is a trusted proxy, the rightmost of
// X-Forwarded-For that is none. What stands to the left of it, the client may have written itself. The zero Addr means
// that it is not known, as over a Unix socket.
func (p Proxies) Client(r *http.Request) netip.Addr {
	client := Addr(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.Contains(client); i-- {
		hop := Addr(strings.TrimSpace(hops[i]))
		if !hop.IsValid() {
			break // whoever wrote it, the one who sent it is known
		}
		client = hop
	}
	return client
}

// TLS reports whether the client speaks TLS, with us or with a trusted proxy.
func (p Proxies) TLS(r *http.Request) bool {
	return r.TLS != nil || p.Contains(Addr(r.RemoteAddr)) && r.Header.Get("X-Forwarded-Proto") == "https"
}

// Addr reads an address with or without a port: 10.0.0.1, 10.0.0.1:80, 2001:db8::1, [2001:db8::1]:443. The zero Addr:
// it is none.
func Addr(s string) netip.Addr {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		at, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}
		}
		addr = at.Addr()
	}
	return addr.Unmap().WithZone("")
}

// Network is an IPv4 address, or the /64 that whoever has an IPv6 address has all of: strangers are bounded by it.
// All addresses that are not known are one.
func Network(addr netip.Addr) netip.Prefix {
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	network, _ := addr.Prefix(bits) // the zero one only for an address that is not known
	return network
}

type clientKey struct{}

// WithClient notes the address that a request comes from.
func WithClient(ctx context.Context, client netip.Addr) context.Context {
	return context.WithValue(ctx, clientKey{}, client)
}

// ClientOf is what WithClient noted; the zero Addr where nobody did.
func ClientOf(ctx context.Context) netip.Addr {
	client, _ := ctx.Value(clientKey{}).(netip.Addr)
	return client
}
