package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"net/url"

	"recarga/internal/origin"
	"recarga/webhook"
)

type callbackPart struct {
	raw    string
	url    *url.URL
	dialer webhook.Dialer
	roots  *x509.CertPool
	// rootsErr is why RECARGA_WEBHOOK_CA cannot be read.
	rootsErr error
	// private targets are allowed.
	private bool
}

// newCallback checks where the webhooks of the settings' caller go. Nothing is posted to it.
func newCallback(cfg Config) part {
	c := &callbackPart{raw: cfg.CallbackURL, url: new(url.URL), private: cfg.WebhookAllowPrivate}
	if c.roots, c.rootsErr = cfg.WebhookRoots(); c.roots == nil {
		c.roots = cfg.RootCAs
	}
	c.dialer = cfg.endpointDialer(c.roots)
	stages := []stage{{
		check("callback url", c.parses),
	}, {
		check("callback reachable", c.reachable),
	}, {
		check("callback certificate", c.certificate),
	}}
	if cfg.CallbackURL == "" {
		stages = stages[:1]
	}
	return part{stages: stages, close: func() {}}
}

// endpointDialer connects as a worker does.
func (cfg Config) endpointDialer(roots *x509.CertPool) webhook.Dialer {
	return webhook.Config{AllowPrivate: cfg.WebhookAllowPrivate, Proxy: cfg.WebhookProxy, RootCAs: roots}.Dialer()
}

func (c *callbackPart) parses(context.Context) Finding {
	if c.rootsErr != nil {
		return fail("%v", c.rootsErr)
	}
	if c.raw == "" {
		return ok("RECARGA_CALLBACK_URL is not set: the caller named default reads the feed (GET /v1/events?after=)")
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
