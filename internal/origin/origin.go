// Package origin names the server that a URL leads to.
package origin

import (
	"cmp"
	"net"
	"net/url"
	"strings"
)

// Of is the origin of a URL (RFC 6454): its scheme, host and port, in small letters, without the port that the scheme
// has anyway. It is empty for what names no host.
func Of(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	host := strings.TrimSuffix(u.Host, ":"+u.Port())
	if port := u.Port(); port != "" && port != usualPort(u) {
		host = u.Host
	}
	return strings.ToLower(u.Scheme + "://" + host)
}

// HostPort is where a URL's server listens, for net.Dial. The port is empty where neither the URL nor its scheme has
// one.
func HostPort(u *url.URL) string { return net.JoinHostPort(u.Hostname(), Port(u)) }

// Port is the port of a URL, or that of its scheme.
func Port(u *url.URL) string { return cmp.Or(u.Port(), usualPort(u)) }

func usualPort(u *url.URL) string {
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
