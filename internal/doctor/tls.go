package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"time"

	"recarga/internal/origin"
	"recarga/webhook"
)

// certificateWarn is three weeks: one to notice, one to order, one to spare.
const certificateWarn = 21 * 24 * time.Hour

func publicTLS(roots *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
}

// certificate connects and judges the certificate that is shown; nothing where there is none.
func certificate(ctx context.Context, dialer webhook.Dialer, u *url.URL, roots *x509.CertPool) Finding {
	if u.Scheme != "https" {
		return nothing()
	}
	conn, err := dialer.DialContext(ctx, "tcp", origin.HostPort(u))
	if err != nil {
		return fail("%v", err)
	}
	defer func() { _ = conn.Close() }() // nothing was written
	config := publicTLS(roots)
	config.ServerName = u.Hostname()
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return fail("%v", err)
	}
	ends := soonest(secured.ConnectionState().VerifiedChains)
	left := time.Until(ends)
	return unless(left >= certificateWarn, Warn, "valid until %s, %d days", ends.UTC().Format(time.DateOnly),
		int(left/(24*time.Hour)))
}

// soonest is when the chain that lasts longest ends.
func soonest(chains [][]*x509.Certificate) (ends time.Time) {
	for _, chain := range chains {
		end := chain[0].NotAfter
		for _, cert := range chain {
			if cert.NotAfter.Before(end) {
				end = cert.NotAfter
			}
		}
		if end.After(ends) {
			ends = end
		}
	}
	return ends
}

// connect opens and closes a TCP connection, and says where it led.
func connect(ctx context.Context, dialer webhook.Dialer, u *url.URL) (string, error) {
	began := time.Now()
	conn, err := dialer.DialContext(ctx, "tcp", origin.HostPort(u))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // nothing was written
	return fmt.Sprintf("%s is %s, %s away", origin.HostPort(u), conn.RemoteAddr(),
		time.Since(began).Round(100*time.Microsecond)), nil
}
