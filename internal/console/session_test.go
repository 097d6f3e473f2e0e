package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"recarga/internal/access"
	"recarga/internal/testkit"
)

// cookieOf is what a login leaves in the browser.
func cookieOf(s *sessions, name string) *http.Cookie {
	w := httptest.NewRecorder()
	if err := s.begin(w, httptest.NewRequest(http.MethodPost, Path+"/login", nil), session{Name: name}); err != nil {
		panic(err)
	}
	return w.Result().Cookies()[0]
}

func with(c *http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, Path+"/", nil)
	r.AddCookie(c)
	return r
}

// TestSessions: a login is good in every process with the same key, for twelve hours, and as it was given.
func TestSessions(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		of := func(key string) *sessions { return newSessions(Config{AdminKey: key, Journal: noneEnded{}}) }
		here, there, elsewhere, closed := of("the admin key"), of("the admin key"), of("another key"), of("")
		c := cookieOf(here, "José. Ana")
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure {
			t.Errorf("cookie %+v", c)
		}
		if who, err := there.of(with(c)); err != nil || who.Name != "José. Ana" {
			t.Errorf("another process: %+v, %v", who, err)
		}
		for name, s := range map[string]*sessions{"another key": elsewhere, "no key": closed} {
			if _, err := s.of(with(c)); err == nil {
				t.Errorf("%s: logged in", name)
			}
		}
		for i := range c.Value {
			changed := *c
			changed.Value = c.Value[:i] + string('A'+(c.Value[i]+1)%26) + c.Value[i+1:]
			if _, err := here.of(with(&changed)); err == nil && changed.Value != c.Value {
				t.Errorf("believed with byte %d changed: %s", i, changed.Value)
			}
		}
		time.Sleep(sessionHours*time.Hour - time.Second)
		if _, err := here.of(with(c)); err != nil {
			t.Error("ended too soon")
		}
		time.Sleep(time.Second)
		if _, err := here.of(with(c)); err == nil {
			t.Error("does not end")
		}
	})
}

// noneEnded: nobody has logged out.
type noneEnded struct{ Journal }

func (noneEnded) EndSession(context.Context, string, time.Time) error { return nil }
func (noneEnded) SessionEnded(context.Context, string) (bool, error)  { return false, nil }

// TestCookieIsSecureBehindTLS: a proxy says so, and nobody else.
func TestCookieIsSecureBehindTLS(t *testing.T) {
	proxies, err := access.ParseProxies("192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	for peer, secure := range map[string]bool{"192.0.2.1:1234": true, "198.51.100.1:1234": false} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, Path+"/login", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-Proto", "https")
		s := newSessions(Config{AdminKey: "the admin key", Proxies: proxies, Journal: noneEnded{}})
		if err := s.begin(w, r, session{Name: "Ana"}); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Set-Cookie"); strings.Contains(got, "; Secure") != secure {
			t.Errorf("%s: cookie %s", peer, got)
		}
	}
}

func TestClosedWithoutAKey(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path+"/login", nil))
	if !strings.Contains(w.Body.String(), "RECARGA_ADMIN_KEY") || strings.Contains(w.Body.String(), "<form") {
		t.Errorf("the page of a closed console: %s", w.Body)
	}
	if _, _, err := newSessions(Config{}).owner(t.Context(), ""); err == nil {
		t.Error("an empty key is right")
	}
}
