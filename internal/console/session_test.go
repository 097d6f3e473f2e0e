package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// cookieOf is what a login leaves in the browser.
func cookieOf(s *sessions, name string) *http.Cookie {
	w := httptest.NewRecorder()
	s.begin(w, httptest.NewRequest(http.MethodPost, Path+"/login", nil), name)
	return w.Result().Cookies()[0]
}

func with(c *http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, Path+"/", nil)
	r.AddCookie(c)
	return r
}

// TestSessions: a login is good in every process with the same key, for twelve hours, and as it was given.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, elsewhere, closed := newSessions("the admin key"), newSessions("the admin key"), newSessions("another key"), newSessions("")
		c := cookieOf(here, "José. Ana")
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure {
			t.Errorf("cookie %+v", c)
		}
		if who, ok := there.of(with(c)); !ok || who.Name != "José. Ana" {
			t.Errorf("another process: %+v, %v", who, ok)
		}
		for name, s := range map[string]*sessions{"another key": elsewhere, "no key": closed} {
			if _, ok := s.of(with(c)); ok {
				t.Errorf("%s: logged in", name)
			}
		}
		for i := range c.Value {
			changed := *c
			changed.Value = c.Value[:i] + string('A'+(c.Value[i]+1)%26) + c.Value[i+1:]
			if _, ok := here.of(with(&changed)); ok && changed.Value != c.Value {
				t.Errorf("believed with byte %d changed: %s", i, changed.Value)
			}
		}
		time.Sleep(sessionHours*time.Hour - time.Second)
		if _, ok := here.of(with(c)); !ok {
			t.Error("ended too soon")
		}
		time.Sleep(time.Second)
		if _, ok := here.of(with(c)); ok {
			t.Error("does not end")
		}
	})
}

func TestCookieIsSecureBehindTLS(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, Path+"/login", nil)
	r.Header.Set("X-Forwarded-Proto", "https")
	newSessions("the admin key").begin(w, r, "Ana")
	if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, "; Secure") {
		t.Errorf("cookie %s", got)
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
	if newSessions("").right("") {
		t.Error("an empty key is right")
	}
}
