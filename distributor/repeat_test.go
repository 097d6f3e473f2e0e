package distributor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
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
