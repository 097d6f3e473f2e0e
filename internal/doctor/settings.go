package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"

	"recarga/internal/access"
	"recarga/internal/exposure"
	"recarga/internal/queue"
)

const (
	// shortPurchase: the distributor tries its providers one after the other, which takes up to two minutes.
	shortPurchase = 60 * time.Second
)

type settings struct{ Config }

// newSettings are the settings that are allowed and unsafe; those that are wrong have been refused
// where they were read.
func newSettings(cfg Config) part {
	s := settings{cfg}
	return part{stages: []stage{{
		check("distributor timeout", s.timeout),
		check("unknown outcomes", s.unknown),
		check("distributor url", s.distributor),
		check("secrets", s.secrets),
		check("admin key", s.adminKey),
		check("api key", s.apiKey),
		check("private webhooks", s.private),
		check("http address", listens("RECARGA_HTTP_ADDR", s.HTTPAddr)),
		check("metrics address", listens("RECARGA_METRICS_ADDR", s.MetricsAddr)),
		check("archive folder", s.archive),
		check("redis access", s.redis),
	}}, close: func() {}}
}

func (s settings) timeout(context.Context) Finding {
	return unless(s.DistributorTimeout >= shortPurchase, Warn,
		"RECARGA_DISTRIBUTOR_TIMEOUT is %s, RECARGA_SHUTDOWN_TIMEOUT %s", s.DistributorTimeout, s.ShutdownTimeout)
}

func (s settings) unknown(context.Context) Finding {
	if s.OnUnknown == "resend" {
		return warn("RECARGA_ON_UNKNOWN is resend: an attempt of unknown outcome is sent again")
	}
	return ok("RECARGA_ON_UNKNOWN is hold")
}

func (s settings) distributor(context.Context) Finding {
	u, err := url.Parse(s.DistributorURL)
	if err != nil {
		return fail("RECARGA_DISTRIBUTOR_URL cannot be parsed")
	}
	bad := Fail // no start
	if s.DistributorAllowHTTP {
		bad = Warn
	}
	return unless(u.Scheme == "https" || exposure.Loopback(u.Hostname()), bad, "%s", u.Redacted())
}

func (s settings) adminKey(context.Context) Finding {
	if s.AdminKey == "" {
		return warn("RECARGA_ADMIN_KEY is not set")
	}
	bad := Fail // no start
	if s.AdminKeyAllowWeak || exposure.OnLoopback(s.HTTPAddr) {
		bad = Warn
	}
	return strength("RECARGA_ADMIN_KEY", s.AdminKey, bad)
}

func (s settings) apiKey(context.Context) Finding {
	switch {
	case s.APIKey != "":
		return strength("RECARGA_API_KEY", s.APIKey, Warn)
	case s.AdminKey == "":
		return warn("neither RECARGA_API_KEY nor RECARGA_ADMIN_KEY is set: the API refuses every order")
	default:
		return ok("RECARGA_API_KEY is not set")
	}
}

// strength judges a key without showing it.
func strength(name, key string, bad Status) Finding {
	why := access.Weak(key)
	return unless(why == "", bad, "%s %s", name, cmp.Or(why, fmt.Sprintf("has %d characters", len(key))))
}

func (s settings) private(context.Context) Finding {
	return unless(!s.WebhookAllowPrivate, Warn, "RECARGA_WEBHOOK_ALLOW_PRIVATE is %t", s.WebhookAllowPrivate)
}

// listens judges an address to listen on. All addresses count as public, since nobody knows which
// of them are.
func listens(name, addr string) func(context.Context) Finding {
	return func(context.Context) Finding {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return fail("%s is %q: %v", name, addr, err)
		}
		ip, err := netip.ParseAddr(host)
		known := host != "" && (err != nil || !ip.IsUnspecified())
		public := err == nil && ip.IsGlobalUnicast() && !ip.IsPrivate()
		switch {
		case !known:
			return warn("%s is %s: all addresses of this machine", name, addr)
		case public:
			return warn("%s is %s: a public address", name, addr)
		default:
			return ok("%s is %s", name, addr)
		}
	}
}

func (s settings) redis(context.Context) Finding {
	if s.RedisURL == queue.Embedded {
		return nothing()
	}
	u, err := url.Parse(s.RedisURL)
	if err != nil {
		return fail("RECARGA_REDIS_URL cannot be parsed")
	}
	encrypted := u.Scheme == "rediss" || u.Query().Get("tls") == "true"
	switch _, password := u.User.Password(); {
	case u.Scheme == "unix" || exposure.Loopback(u.Hostname()):
		return ok("%s: on this machine", u.Redacted())
	case !password:
		return warn("%s: without a password", u.Redacted())
	case !encrypted:
		return warn("%s: the password travels in the clear", u.Redacted())
	default:
		return ok("%s", u.Redacted())
	}
}
