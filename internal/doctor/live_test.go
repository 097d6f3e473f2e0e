package doctor

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"

	"recarga/internal/config"
	"recarga/internal/coordination"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
)

// facing starts a sandbox behind a front that may answer in its place, and returns its URL.
func facing(
	t *testing.T, change func(*sandbox.Config), front func(w http.ResponseWriter, r *http.Request, s *sandbox.Server),
) string {
	t.Helper()
	cfg := sandbox.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	s := sandbox.New(cfg, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front(w, r, s) }))
	t.Cleanup(func() { s.Close(); server.Close() })
	return server.URL + "/api/distributor"
}

// altering is a vendor with a part of every answer to a path's calls replaced.
func altering(path, old, replacement string) func(*testing.T) string {
	return func(t *testing.T) string {
		return facing(t, nil, func(w http.ResponseWriter, r *http.Request, s *sandbox.Server) {
			answer := httptest.NewRecorder()
			s.ServeHTTP(answer, r)
			body := answer.Body.Bytes()
			if strings.HasSuffix(r.URL.Path, path) {
				body = regexp.MustCompile(old).ReplaceAll(body, []byte(replacement))
			}
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			_, _ = w.Write(body)
		})
	}
}

func answering(status int) func(*testing.T) string {
	return func(t *testing.T) string {
		return facing(t, nil, func(w http.ResponseWriter, _ *http.Request, _ *sandbox.Server) { w.WriteHeader(status) })
	}
}

func with(change func(*sandbox.Config)) func(*testing.T) string {
	return func(t *testing.T) string { return vendor(t, change) }
}

// slowAtLast answers the last call of a walk late.
func slowAtLast(t *testing.T) string {
	var calls atomic.Int32
	const last = 6
	return facing(t, nil, func(w http.ResponseWriter, r *http.Request, s *sandbox.Server) {
		if calls.Add(1) == last {
			slow := strconv.FormatInt(slowAnswer.Milliseconds()+1, 10)
			setting := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/sandbox/config",
				strings.NewReader(`{"latency_min_ms":`+slow+`,"latency_max_ms":`+slow+`}`))
			s.ServeHTTP(httptest.NewRecorder(), setting)
		}
		s.ServeHTTP(w, r)
	})
}

// trusting takes any token for a good one.
func trusting(t *testing.T) string {
	return facing(t, nil, func(w http.ResponseWriter, r *http.Request, s *sandbox.Server) {
		if strings.Contains(r.Header.Get("Authorization"), madeUpToken) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"success":true,"balance":1.00,"currency":"USD","last_updated":"2024-12-17T00:00:00.000Z"}`))
			return
		}
		s.ServeHTTP(w, r)
	})
}

func dated(t *testing.T) string {
	return facing(t, nil, func(w http.ResponseWriter, r *http.Request, s *sandbox.Server) {
		w.Header().Set("Date", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))
		s.ServeHTTP(w, r)
	})
}

// TestLiveBad: each check of the walk finds what it is for, and a failure ends it.
func TestLiveBad(t *testing.T) {
	cases := []struct {
		check  string
		status Status
		// found and fix are patterns.
		found, fix string
		url        func(*testing.T) string
		change     func(*Config)
	}{
		{"live reachable", Fail, "connection refused.*9 more", "RECARGA_DISTRIBUTOR_URL",
			func(t *testing.T) string { return "http://" + nobody(t) }, nil},
		{"live reachable", Fail, "cannot be used", "RECARGA_DISTRIBUTOR_URL", func(*testing.T) string { return "ftp://x" },
			nil},
		{"live login", Fail, "^refused, HTTP 401 .6 more not checked.$", "RECARGA_DISTRIBUTOR_SECRET_KEY", with(nil),
			func(c *Config) { c.DistributorSecretKey = "geheim" }},
		{"live login", Fail, "down, HTTP 503", "ask the distributor", answering(http.StatusServiceUnavailable), nil},
		{"live login", Fail, "HTTP 429", "RECARGA_DISTRIBUTOR_RATE", answering(http.StatusTooManyRequests), nil},
		{"live login", Fail, "HTTP 404", "must end in /api/distributor",
			func(t *testing.T) string { return vendor(t, nil) + "/login" }, nil},
		{"live login", Fail, "cannot be used: it is not a JSON object", "something else answers",
			altering("/login", `(?s).*`, "Aprobado"), nil},
		{"live login", Fail, "deadline exceeded", "until it answers",
			with(func(c *sandbox.Config) { c.LatencyMinMS, c.LatencyMaxMS = 60_000, 60_000 }),
			func(c *Config) { c.Timeout = 300 * time.Millisecond }},
		{"live login", Warn, "not as documented: token_type is missing$", "what changed",
			altering("/login", `"token_type":"Bearer",`, ""), nil},
		{"live login", Warn, "renewed after 9s", "live longer", with(func(c *sandbox.Config) { c.ExpiresIn = 10 }), nil},
		{"live token renewal", Fail, "HTTP 429, to be asked again after \\d+ s", "RECARGA_DISTRIBUTOR_RATE",
			with(func(c *sandbox.Config) { c.LimitRequests = 1 }), nil},
		{"live token renewal", Fail, "^a made-up token was accepted", "whoever knows", trusting, nil},
		{"live balance", Warn, `^0\.00 USD, of this moment$`, "pay into",
			with(func(c *sandbox.Config) { c.InitialBalance.Decimal = decimal.Zero }), nil},
		{"live balance", Warn, `^1000\.00000000000011 USD`, "binary floating point",
			altering("/get_balance", `100000\.00`, "1000.00000000000011"), nil},
		{"live balance", Warn, `^100000\.00 USD, \d{4,}h.* old$`, "get_balance means",
			altering("/get_balance", `"last_updated":"[^"]+"`, `"last_updated":"2024-12-17T00:00:00.000Z"`), nil},
		{"live balance", Warn, `of unknown age; not as documented: last_updated is missing`, "what changed",
			altering("/get_balance", `,"last_updated":"[^"]+"`, ""), nil},
		{"live errors", Warn, "not as documented: success is missing, error is missing", "what changed",
			altering("/get_balance", `"success":false,"error":`, `"message":`), nil},
		{"live clock", Warn, "(59|1m0).*s ahead", "synchronize", dated, nil},
		{"live latency", Warn, "^6 answers, .* slowest took 2\\.", "RECARGA_DISTRIBUTOR_TIMEOUT", slowAtLast, nil},
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.check+" "+c.found, " ", "_"), func(t *testing.T) {
			t.Parallel()
			cfg := liveAt(c.url(t))
			cfg.Timeout = patience
			if c.change != nil {
				c.change(&cfg)
			}
			found := walked(t, cfg)
			f := findingOf(t, found, c.check)
			if f.Status != c.status || !regexp.MustCompile(c.found).MatchString(f.Found) ||
				!regexp.MustCompile(c.fix).MatchString(f.Fix) {
				t.Errorf("%+v; want %s, found %q, fix %q", f, c.status, c.found, c.fix)
			}
			if last := found[len(found)-1]; c.status == Fail && last.Check != c.check {
				t.Errorf("the walk went on to %q", last.Check)
			}
		})
	}
}

// liveAt is a distributor of the sandbox's customer.
func liveAt(url string) Config {
	return Config{Settings: config.Settings{
		DistributorURL: url, DistributorCustomerID: "demo", DistributorSecretKey: "demo",
	}}
}

// walked is what a walk finds; what it shows must be the same.
func walked(t *testing.T, cfg Config) []Finding {
	t.Helper()
	var shown []Finding
	l := NewLive(cfg, func(f Finding) { shown = append(shown, f) })
	defer l.Close()
	found := l.Examine(t.Context())
	if diff := cmp.Diff(found, shown); diff != "" {
		t.Error(diff)
	}
	for _, f := range found {
		if (f.Status == OK) != (f.Fix == "") || strings.Contains(f.Found+f.Fix, "geheim") {
			t.Errorf("%+v", f)
		}
	}
	return found
}

func TestLiveWell(t *testing.T) {
	for name, one := range map[string]bool{"several: ": false, "one: ": true} {
		t.Run(name, func(t *testing.T) {
			found := walked(t, liveAt(vendor(t, func(c *sandbox.Config) { c.OneSession = one })))
			for _, f := range found {
				if f.Status != OK {
					t.Errorf("%+v", f)
				}
			}
			if f := findingOf(t, found, "live sessions"); !strings.HasPrefix(f.Found, name) {
				t.Errorf("%+v, want %s", f, name)
			}
		})
	}
}

// TestLiveSharesItsToken: where one session is allowed, the workers are left with a token that is good.
func TestLiveSharesItsToken(t *testing.T) {
	addr := testkit.Redis(t).Addr()
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = rdb.Close() })
	url := vendor(t, func(c *sandbox.Config) { c.OneSession = true })
	store := coordination.Redis{Client: rdb}.TokenStore("demo", "demo", url)
	cfg := liveAt(url)
	cfg.RedisURL = "redis://" + addr
	shared := func() Finding { return findingOf(t, walked(t, cfg), "live shared token") }
	if f := shared(); f.Status != OK || !strings.HasPrefix(f.Found, "none") {
		t.Errorf("%+v", f)
	}
	if f := shared(); f.Status != OK || f.Found != "accepted" {
		t.Errorf("after a walk: %+v", f)
	}
	mustDo(t, store.Save(t.Context(), "ended-by-another", time.Now().Add(time.Hour)))
	if f := shared(); f.Status != Warn || !strings.Contains(f.Found, "a new login put another in its place") {
		t.Errorf("after a login from elsewhere: %+v", f)
	}
	if f := shared(); f.Found != "accepted" {
		t.Errorf("after that: %+v", f)
	}
	cfg.RedisURL = "redis://" + nobody(t)
	if f := shared(); f.Status != Warn || !strings.Contains(f.Fix, "RECARGA_REDIS_URL") {
		t.Errorf("without Redis: %+v", f)
	}
}

// TestLiveTriesNoWrongSecret: some vendors lock an account after a few.
func TestLiveTriesNoWrongSecret(t *testing.T) {
	var logins, wrong atomic.Int32
	url := facing(t, nil, func(w http.ResponseWriter, r *http.Request, s *sandbox.Server) {
		if strings.HasSuffix(r.URL.Path, "/login") {
			logins.Add(1)
			body := new(bytes.Buffer)
			_, _ = body.ReadFrom(r.Body)
			if !strings.Contains(body.String(), `"secret_key":"demo"`) {
				wrong.Add(1)
			}
			r = httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.Path, body)
			r.Header.Set("Content-Type", "application/json")
		}
		s.ServeHTTP(w, r)
		if n := len(s.Requests()); n != 0 {
			t.Errorf("%d purchases", n)
		}
	})
	walked(t, liveAt(url))
	if logins.Load() != 2 || wrong.Load() != 0 {
		t.Errorf("%d logins, %d of them with a wrong secret; want 2 and 0", logins.Load(), wrong.Load())
	}
}

// TestLiveCertificate: an end that is near is reported before anything is asked.
func TestLiveCertificate(t *testing.T) {
	a := testkit.NewAuthority(t)
	cfg := liveAt(secured(t, a, 10*24*time.Hour+time.Hour))
	cfg.RootCAs, cfg.Timeout = a.Pool, patience
	l := NewLive(cfg, nil)
	defer l.Close()
	checks := l.checks()
	i := slices.IndexFunc(checks, func(c Check) bool { return c.Name == "live certificate" })
	if f := checks[i].bounded(context.Background(), patience); f.Status != Warn ||
		!strings.HasSuffix(f.Found, ", 10 days") {
		t.Errorf("%+v", f)
	}
}
