package access_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"recarga/internal/access"
	"recarga/internal/testkit"
)

func client(t *testing.T, addr string) context.Context {
	t.Helper()
	return access.WithClient(t.Context(), netip.MustParseAddr(addr))
}

// failures are how many of n failures are answered as such.
func failures(ctx context.Context, l *access.Limiter, n int) (answered int) {
	for range n {
		if l.Failed(ctx, access.AtAPI, access.WrongKey) == nil {
			answered++
		}
	}
	return answered
}

// TestLimiter: of each address ten failures in a row are answered as such, and then one a second; one address takes
// nothing from another.
func TestLimiter(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		counted := 0
		l := access.NewLimiter(slog.New(slog.NewTextHandler(&log, nil)), func(string, string) { counted++ })
		guesser, other := client(t, "198.51.100.1"), client(t, "198.51.100.2")
		if got := failures(guesser, l, 1000); got != access.FailuresAtOnce {
			t.Errorf("%d failures at once are answered as such", got)
		}
		if got := failures(other, l, 1); got != 1 {
			t.Error("another address is slowed down")
		}
		var many *access.TooManyError
		if err := l.Failed(guesser, access.AtAPI, access.WrongKey); !errors.As(err, &many) || many.Wait <= 0 ||
			many.Wait > time.Second {
			t.Errorf("%v", err)
		}
		for range 100 {
			time.Sleep(time.Second)
			if got := failures(guesser, l, 40); got != 1 {
				t.Fatalf("%d failures in a second are answered as such", got)
			}
		}
		if lines := strings.Count(log.String(), "\n"); lines > 103 || lines < 100 {
			t.Errorf("%d lines in 100 s", lines)
		}
		if counted != 1000+1+1+4000 {
			t.Errorf("%d are counted", counted)
		}
	})
}

// TestLimiterOverAll: many addresses together are slowed down as well, an IPv6 network is one address, and neither
// memory nor log grows with them.
func TestLimiterOverAll(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		l := access.NewLimiter(slog.New(slog.NewTextHandler(&log, nil)), nil)
		answered, addr := 0, netip.MustParseAddr("10.0.0.0")
		for range 20_000 {
			addr = addr.Next()
			answered += failures(access.WithClient(t.Context(), addr), l, 1)
		}
		if answered > 200 || answered < 100 {
			t.Errorf("%d failures of many addresses are answered as such at once", answered)
		}
		if lines := strings.Count(log.String(), "\n"); lines > 20 {
			t.Errorf("%d lines at once", lines)
		}
		time.Sleep(time.Hour)
		network := failures(client(t, "2001:db8::1"), l, 10) + failures(client(t, "2001:db8::ffff:1"), l, 10)
		if network != access.FailuresAtOnce || failures(client(t, "2001:db8:0:1::1"), l, 1) != 1 {
			t.Errorf("%d failures of one network are answered as such", network)
		}
	})
}

// TestLookups: one address cannot take the places of the others, and a key that was right before waits for nobody.
func TestLookups(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		l := access.NewLookups()
		right := func() error { return nil }
		if err := l.Do(client(t, "198.51.100.9"), "right", right); err != nil {
			t.Fatal(err)
		}
		stuck, end := context.WithCancel(client(t, "198.51.100.1"))
		var group sync.WaitGroup
		var under atomic.Int64
		for range 50 {
			group.Go(func() {
				_ = l.Do(stuck, "wrong", func() error { under.Add(1); <-stuck.Done(); return stuck.Err() })
			})
		}
		synctest.Wait()
		if n := under.Load(); n != 2 {
			t.Errorf("%d lookups of one address are under way", n)
		}
		if err := l.Do(client(t, "198.51.100.2"), "another", right); err != nil {
			t.Error(err)
		}
		if err := l.Do(client(t, "198.51.100.1"), "right", right); err != nil {
			t.Error(err)
		}
		end()
		group.Wait()
		if err := l.Do(client(t, "198.51.100.1"), "new", right); err != nil {
			t.Error(err)
		}
	})
}

func TestClient(t *testing.T) {
	proxies, err := access.ParseProxies("10.0.0.0/8, 192.0.2.1, fd00::/8")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer, want string
		forwarded  []string
	}{
		"nobody between":              {"203.0.113.1:5", "203.0.113.1", nil},
		"spoofed by a stranger":       {"203.0.113.1:5", "203.0.113.1", []string{"198.51.100.7"}},
		"a proxy":                     {"10.1.2.3:5", "198.51.100.7", []string{"198.51.100.7"}},
		"spoofed through a proxy":     {"10.1.2.3:5", "198.51.100.7", []string{"6.6.6.6, 198.51.100.7"}},
		"two proxies":                 {"10.1.2.3:5", "198.51.100.7", []string{"6.6.6.6, 198.51.100.7, 192.0.2.1"}},
		"two headers":                 {"10.1.2.3:5", "198.51.100.7", []string{"6.6.6.6", "198.51.100.7"}},
		"with a port":                 {"10.1.2.3:5", "198.51.100.7", []string{"198.51.100.7:4711"}},
		"IPv6":                        {"[fd00::1]:5", "2001:db8::7", []string{"[2001:db8::7]:4711"}},
		"IPv4 in IPv6":                {"[::ffff:10.1.2.3]:5", "198.51.100.7", []string{"::ffff:198.51.100.7"}},
		"nonsense":                    {"10.1.2.3:5", "10.1.2.3", []string{"unknown"}},
		"nonsense before":             {"10.1.2.3:5", "198.51.100.7", []string{"<script>, 198.51.100.7"}},
		"a proxy that says nothing":   {"10.1.2.3:5", "10.1.2.3", nil},
		"only proxies":                {"10.1.2.3:5", "10.9.9.9", []string{"10.9.9.9"}},
		"not an address, over a pipe": {"@", "invalid IP", []string{"198.51.100.7"}},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = c.peer, c.forwarded
		if got := proxies.Client(r).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestRoles: nobody may what the table does not say.
func TestRoles(t *testing.T) {
	all := []access.Role{access.Caller, access.Viewer, access.Operator, access.Admin}
	for name, want := range map[string]string{
		"placeTopup": "caller admin", "getTopup": "caller viewer operator admin", "cancelTopup": "caller operator admin",
		"resolveTopup": "operator admin", "exportTopups": "viewer operator admin", "addOperator": "admin", "no such": "",
		access.QueuesAct: "operator admin",
	} {
		p, _ := access.Of(name)
		var may []string
		for _, role := range all {
			if p.Allows(role) {
				may = append(may, role.String())
			}
		}
		if got := strings.Join(may, " "); got != want {
			t.Errorf("%s: %s may, want %s", name, got, want)
		}
	}
}
