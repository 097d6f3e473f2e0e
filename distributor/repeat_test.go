package distributor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"recarga/topup"
)

// watched has every request that leaves looked at.
type watched struct {
	http.RoundTripper
	look func(*http.Request)
}

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	w.look(r)
	return w.RoundTripper.RoundTrip(r)
}

// TestAPurchaseHasNothingToBeRepeatedBy: net/http repeats a request that has GetBody or an Idempotency-Key.
func TestAPurchaseHasNothingToBeRepeatedBy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"success":true,"access_token":"abc","response_code":"91"}`)
	}))
	defer server.Close()
	c, err := New(Config{URL: server.URL, SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	purchases := 0
	c.http.Transport = watched{c.http.Transport, func(r *http.Request) {
		if path.Base(r.URL.Path) != "product_purchase" {
			return
		}
		purchases++
		if key, named := r.Header["Idempotency-Key"]; r.GetBody != nil || named {
			t.Errorf("GetBody is there: %v; Idempotency-Key: %q", r.GetBody != nil, key)
		}
	}}
	r := c.Purchase(t.Context(), topup.Order{ID: "A", Phone: "5537686660"}, time.Now().Add(time.Minute))
	if purchases != 1 {
		t.Errorf("%d purchases were sent: %+v", purchases, r)
	}
}

// TestNoRedirectIsFollowed: whatever a redirect leads to, only the vendor's own answer counts, and nobody else gets the
// secret key of a login.
func TestNoRedirectIsFollowed(t *testing.T) {
	var followed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		followed.Add(1)
		_, _ = fmt.Fprint(w, `{"success":true,"response_code":"00","distributor_transaction_id":"A","access_token":"abc"}`)
	}))
	defer elsewhere.Close()
	for status := http.StatusMultipleChoices; status <= http.StatusPermanentRedirect; status++ {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		c, err := New(Config{URL: server.URL, SecretKey: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.loginOnce(t.Context()); err == nil {
			t.Errorf("%d: logged in", status)
		}
		c.tokens.set(token{value: "abc", expires: time.Now().Add(time.Hour)})
		r := c.Purchase(t.Context(), topup.Order{ID: "A", Phone: "5537686660"}, time.Now().Add(time.Minute))
		if r.Outcome != topup.OutcomeUnknown {
			t.Errorf("%d: %+v", status, r)
		}
		c.Close()
		server.Close()
	}
	if n := followed.Load(); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}
