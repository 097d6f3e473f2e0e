package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/url"

	"recarga/internal/origin"
	"recarga/webhook"
)

type callbackPart struct {
	raw    string
	url    *url.URL
	dialer *net.Dialer
	roots  *x509.CertPool
	// private targets are allowed.
	private bool
}

// newCallback checks where the webhooks of the settings' caller go. Nothing is posted to it.
func newCallback(cfg Config) part {
	c := &callbackPart{raw: cfg.CallbackURL, url: new(url.URL), dialer: new(net.Dialer), roots: cfg.RootCAs,
		private: cfg.WebhookAllowPrivate}
	if !c.private {
		c.dialer.Control = webhook.PublicOnly()
	}
	stages := []stage{{
		{"callback url", "without one the caller named default gets no webhooks",
			"set RECARGA_CALLBACK_URL to an https:// URL", c.parses},
	}, {
		{"callback reachable", "webhooks that cannot be delivered are retried for three days and then kept",
			"start the receiver, correct RECARGA_CALLBACK_URL or the name's DNS, or let this machine through the firewall; " +
				"its address must be public, unless RECARGA_WEBHOOK_ALLOW_PRIVATE=true; then: recarga webhook redeliver --state " +
				"pending", c.reachable},
	}, {
		{"callback certificate", "with one that has ended or that nobody vouches for, no webhook is delivered",
			"renew the certificate of RECARGA_CALLBACK_URL's server, with its whole chain", c.certificate},
	}}
	if cfg.CallbackURL == "" {
		stages = stages[:1]
	}
	return part{stages: stages, close: func() {}}
}

func (c *callbackPart) parses(context.Context) Finding {
	if c.raw == "" {
		return ok("RECARGA_CALLBACK_URL is not set: callers must ask")
	}
	u, err := url.Parse(c.raw)
	if err != nil || u.Hostname() == "" {
		return fail("RECARGA_CALLBACK_URL cannot be parsed")
	}
	c.url = u
	// A path or a query may have a token in it.
	return unless(u.Scheme == "https", plain(c.private), "%s", origin.Of(c.raw))
}

// plain is what http means: a setting allows it or not.
func plain(allowed bool) Status {
	if allowed {
		return Warn
	}
	return Fail
}

func (c *callbackPart) reachable(ctx context.Context) Finding {
	where, err := connect(ctx, c.dialer, c.url)
	switch {
	case errors.Is(err, webhook.ErrNotPublic):
		return fail("%s: %v", c.url.Hostname(), webhook.ErrNotPublic)
	case err != nil:
		return fail("%v", err)
	default:
		return ok("%s", where)
	}
}

func (c *callbackPart) certificate(ctx context.Context) Finding {
	return certificate(ctx, c.dialer, c.url, c.roots)
}
