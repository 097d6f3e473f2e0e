package webhook_test

import (
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

// through is a Config that goes through a proxy.
func through(t *testing.T, p *testkit.Proxy) webhook.Config {
	t.Helper()
	u, err := webhook.ParseProxy(strings.Replace(p.URL, "://", "://recarga:hush@", 1))
	if err != nil {
		t.Fatal(err)
	}
	return webhook.Config{Proxy: u}
}

// TestProxy: everything goes through the proxy, signed and whole, and the proxy learns its own credentials only.
func TestProxy(t *testing.T) {
	r, p := newReceiver(t, status(204)), testkit.NewProxy(t)
	b := newBook(news(t, "evt_1"), news(t, "evt_2"))
	d := deliverer(t, through(t, p), b, at(r.URL+"/hook?token=topsecret", vectorSecret))
	for _, id := range []string{"evt_1", "evt_2"} {
		deliver(t, d, id)
		if kept, try := b.get(t, id); kept.State != topup.EventDelivered {
			t.Errorf("recorded %s, %+v", kept.State, try)
		}
	}
	asked := p.Asked()
	if len(asked) != 1 || asked[0].Method != http.MethodConnect || asked[0].Host != r.Listener.Addr().String() {
		t.Fatalf("the proxy was asked %v", asked)
	}
	if user, password, ok := basicAuth(asked[0].Header.Get("Proxy-Authorization")); !ok || user != "recarga" ||
		password != "hush" {
		t.Errorf("the proxy got %s:%s", user, password)
	}
	for _, got := range r.requests() {
		if got.Header.Get("Proxy-Authorization") != "" {
			t.Error("the receiver got the proxy's password")
		}
		if _, err := webhook.Verify(got.body, got.Header, vectorSecret); err != nil {
			t.Error(err)
		}
	}
}

func basicAuth(header string) (user, password string, ok bool) {
	return (&http.Request{Header: http.Header{"Authorization": {header}}}).BasicAuth()
}

// TestProxyKeepsTheGuard: what may not be reached directly may not be reached through the proxy, which is not even asked;
// and it is asked for the address that was checked, not for a name that it would resolve by itself.
func TestProxyKeepsTheGuard(t *testing.T) {
	p := testkit.NewProxy(t)
	for _, host := range []string{"127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "[fd00::1]",
		"[::ffff:127.0.0.1]", "0.0.0.0"} {
		b := newBook(news(t, "evt_1"))
		deliver(t, strictDeliverer(t, through(t, p), b, at("https://"+host+"/", vectorSecret)), "evt_1")
		if _, try := b.get(t, "evt_1"); try.Error != "target refused: its address is not public" {
			t.Errorf("%s: %+v", host, try)
		}
	}
	if n := len(p.Asked()); n != 0 {
		t.Errorf("the proxy was asked %d times", n)
	}

	server := httptest.NewUnstartedServer(status(204))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	p.To = server.Listener.Addr().String()
	asked := rebind(t) // public at the first look-up, private from then on
	b := newBook(news(t, "evt_1"))
	cfg := through(t, p)
	cfg.RootCAs = trusting(server.Certificate())
	deliver(t, strictDeliverer(t, cfg, b, at("https://rebind.example.:8443/", vectorSecret)), "evt_1")
	requests := p.Asked()
	if len(requests) != 1 || requests[0].Host != "93.184.216.34:8443" || asked.Load() != 1 {
		t.Errorf("the proxy was asked %v after %d look-ups", requests, asked.Load())
	}
}

func trusting(c *x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return pool
}

// TestProxyThatFails: a failure of the proxy spends no try and disables no endpoint; it is recorded, and the events
// come when the proxy is there again. What it cannot be blamed for still counts.
func TestProxyThatFails(t *testing.T) {
	gone := testkit.NewProxy(t)
	gone.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	silence, err := url.Parse("http://" + silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t, status(204))
	for name, c := range map[string]struct {
		status int32
		proxy  *url.URL
		want   string
	}{
		"407":         {status: 407, want: "egress proxy: it answered 407 Proxy Authentication Required to CONNECT"},
		"502":         {status: 502, want: "egress proxy: it answered 502 Bad Gateway to CONNECT"},
		"unreachable": {proxy: through(t, gone).Proxy, want: "egress proxy: not reached: "},
		"silent":      {proxy: silence, want: "egress proxy: no answer within "},
	} {
		t.Run(name, func(t *testing.T) {
			j, p := openJournal(t), testkit.NewProxy(t)
			p.Fails.Store(c.status)
			cfg := through(t, p)
			if c.proxy != nil {
				cfg.Proxy = c.proxy
			}
			cfg.Schedule, cfg.Health, cfg.DisableAfter = []time.Duration{time.Hour}, j, time.Microsecond
			cfg.Timeout = 500 * time.Millisecond
			var outcomes []webhook.TryOutcome
			cfg.Observe = func(tried webhook.Tried) { outcomes = append(outcomes, tried.Outcome) }
			b := newBook(news(t, "evt_1"))
			d := deliverer(t, cfg, b, at(r.URL, vectorSecret))
			for range 4 { // twice as many as the schedule has tries
				deliver(t, d, "evt_1")
				if kept, try := b.get(t, "evt_1"); kept.State != topup.EventPending ||
					!strings.HasPrefix(string(try.Error), c.want) || string(try.ForCaller().Error) !=
					"Recarga's way out to the network failed; your endpoint was not reached" {
					t.Fatalf("recorded %s, %+v", kept.State, try)
				}
				b.change("evt_1", func(ev *topup.Event) { ev.DueAt = time.Now() }) // the wait passes
			}
			if len(outcomes) != 4 || outcomes[0] != webhook.TryProxy {
				t.Errorf("observed %v", outcomes)
			}
			if h, err := j.EndpointHealth(t.Context(), "shop", r.URL); err != nil || h.FailingSince != nil {
				t.Errorf("health %+v, %v", h, err)
			}
		})
	}
	if n := len(r.requests()); n != 0 {
		t.Errorf("%d requests reached the receiver", n)
	}
}

// TestProxyThatFailsForDays: in the end an event is exhausted, as its tries are bounded; redelivered, it begins anew.
func TestProxyThatFailsForDays(t *testing.T) {
	p := testkit.NewProxy(t)
	p.Fails.Store(502)
	ev := news(t, "evt_1")
	ev.Tries = slices.Repeat([]topup.Try{{Error: "egress proxy: it answered 502 Bad Gateway to CONNECT"}}, 200)
	ev.TryCount = len(ev.Tries)
	ev.DueAt = time.Now()
	b := newBook(ev)
	d := deliverer(t, through(t, p), b, at("http://shop.example/", vectorSecret))
	deliver(t, d, "evt_1")
	if kept, _ := b.get(t, "evt_1"); kept.State != topup.EventExhausted {
		t.Errorf("it is %s after %d tries", kept.State, kept.TryCount)
	}
	b.change("evt_1", func(ev *topup.Event) {
		ev.State, ev.ScheduleStart, ev.DueAt = topup.EventPending, ev.TryCount, time.Now()
	})
	deliver(t, d, "evt_1")
	if kept, _ := b.get(t, "evt_1"); kept.State != topup.EventPending {
		t.Errorf("redelivered, it is %s", kept.State)
	}
}

// TestPrivateAuthority: an endpoint whose certificate an authority of one's own has signed is trusted where that is
// among the roots, and an http proxy before it changes nothing.
func TestPrivateAuthority(t *testing.T) {
	server := httptest.NewTLSServer(status(204))
	t.Cleanup(server.Close)
	for name, cfg := range map[string]webhook.Config{"direct": {}, "through a proxy": through(t, testkit.NewProxy(t))} {
		b := newBook(news(t, "evt_1"))
		cfg.RootCAs = trusting(server.Certificate())
		deliver(t, deliverer(t, cfg, b, at(server.URL, vectorSecret)), "evt_1")
		if kept, try := b.get(t, "evt_1"); kept.State != topup.EventDelivered {
			t.Errorf("%s: recorded %s, %+v", name, kept.State, try)
		}
	}
}
