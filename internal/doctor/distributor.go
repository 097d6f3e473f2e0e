package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/shopspring/decimal"

	"recarga/distributor"
	"recarga/internal/httpclient"
	"recarga/topup"
)

// distributorClockWarn: the header has whole seconds, and an answer travels.
const distributorClockWarn = 5 * time.Second

type distributorPart struct {
	client *distributor.Client
	url    *url.URL
	roots  *x509.CertPool
	err    error // of the URL
	low    topup.Amount
}

func newDistributor(cfg Config) part {
	d := &distributorPart{roots: cfg.RootCAs, low: max(cfg.BalanceLow, cfg.Reserve), url: new(url.URL)}
	d.client, d.err = distributor.New(distributor.Config{
		URL: cfg.DistributorURL, CustomerID: cfg.DistributorCustomerID, SecretKey: cfg.DistributorSecretKey,
		Log: slog.New(slog.DiscardHandler),
	})
	closing := func() {}
	if d.err == nil {
		closing = d.client.Close
		d.url, d.err = url.Parse(cfg.DistributorURL)
	}
	return part{stages: []stage{{
		check("distributor reachable", d.reachable),
	}, {
		check("distributor certificate", d.certificate),
	}, {
		check("distributor credentials", d.credentials),
		check("distributor clock", d.clock),
	}, {
		check("distributor balance", d.balance),
	}}, close: closing}
}

func (d *distributorPart) reachable(ctx context.Context) Finding {
	if d.err != nil {
		return fail("RECARGA_DISTRIBUTOR_URL cannot be used: must be an http or https URL")
	}
	where, err := connect(ctx, new(net.Dialer), d.url)
	if err != nil {
		return fail("%v", err)
	}
	return ok("%s", where)
}

func (d *distributorPart) certificate(ctx context.Context) Finding {
	return certificate(ctx, new(net.Dialer), d.url, d.roots)
}

func (d *distributorPart) credentials(ctx context.Context) Finding {
	switch err := d.client.Authorize(ctx); {
	case errors.Is(err, distributor.ErrCredentials):
		return fail("refused")
	case err != nil:
		return fail("%v", err).with("correct RECARGA_DISTRIBUTOR_URL, which must end in /api/distributor, or ask the " +
			"distributor")
	default:
		return ok("accepted")
	}
}

// clock asks the server's root, without credentials, for its time.
func (d *distributorPart) clock(ctx context.Context) Finding {
	root := url.URL{Scheme: d.url.Scheme, Host: d.url.Host, Path: "/"}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, root.String(), nil)
	if err != nil {
		return warn("%v", err)
	}
	transport := httpclient.Guard{Base: &http.Transport{TLSClientConfig: publicTLS(d.roots)}}
	defer transport.CloseIdleConnections()
	asked := time.Now()
	res, err := transport.RoundTrip(req) // no redirects
	if err != nil {
		return warn("no answer: %v", err)
	}
	_ = res.Body.Close() // HEAD has none
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return ok("it does not say")
	}
	return clock(offset(theirs, asked.Truncate(time.Second), time.Now()), distributorClockWarn, 0)
}

func (d *distributorPart) balance(ctx context.Context) Finding {
	b, err := d.client.Balance(ctx)
	if err != nil {
		return warn("%v", err).with("ask the distributor why get_balance fails")
	}
	amount, err := decimal.NewFromString(b.Amount.String())
	f := unless(err == nil && amount.IsPositive(), Warn, "%s %s", b.Amount, b.Currency)
	if low := decimal.New(int64(d.low), -2); f.Status == OK && amount.LessThan(low) {
		return warn("%s %s, below %s", b.Amount, b.Currency, low)
	}
	return f
}
