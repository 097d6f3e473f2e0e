package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"recarga/internal/httpclient"
	"recarga/topup"
)

// However many origins take all they can and give nothing back, there is room for one more.
func TestSlotsKeepAShareFree(t *testing.T) {
	for hanging := 1; hanging < 64; hanging++ {
		s := newSlots(64, 64)
		for range 64 {
			for i := range hanging {
				s.take(fmt.Sprint(i))
			}
		}
		if free := 64 - s.used; free < 64/(hanging+1) {
			t.Errorf("%d origins that hang leave %d slots, want %d", hanging, free, 64/(hanging+1))
		}
		if !s.take("another") {
			t.Errorf("%d origins that hang leave no room for another", hanging)
		}
	}
}

func TestSlotsAreGivenBack(t *testing.T) {
	s := newSlots(4, 1)
	if !s.take("a") || s.take("a") || !s.take("b") {
		t.Error("want one slot an origin")
	}
	s.free("a")
	if !s.take("a") {
		t.Error("a slot that was given back is not free")
	}
	s.free("a")
	s.free("b")
	if s.close(); s.take("a") || len(s.by) > 0 {
		t.Errorf("after close: %v", s.by)
	}
}

func TestJitterIsATenth(t *testing.T) {
	d := NewDeliverer(Config{}, nil, nil)
	low, high := time.Hour, time.Duration(0)
	for range 10_000 {
		wait := d.jitter(time.Minute)
		low, high = min(low, wait), max(high, wait)
	}
	if low < 54*time.Second || low > 55*time.Second || high > 66*time.Second || high < 65*time.Second {
		t.Errorf("a minute becomes %s to %s", low, high)
	}
}

// The check itself must let the public internet through.
func TestPublicTargetsAreAllowed(t *testing.T) {
	check := PublicOnly()
	for network, address := range map[string]string{"tcp4": "93.184.215.14:443",
		"tcp6": "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8443"} {
		if err := check(network, address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A proxy would connect to anything on our behalf, and all tries to an endpoint would share an HTTP/2
// connection.
func TestSendUsesNeitherProxyNorHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("asked by %s", r.Proto)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	d := NewDeliverer(Config{AllowPrivate: true}, nil, nil)
	defer d.Close(t.Context())
	transport := d.client.Transport.(httpclient.Guard).Base.(*http.Transport)
	if transport.Proxy != nil {
		t.Error("a proxy is asked for")
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	to := target{url: server.URL, secrets: []string{NewSecret()}}
	if a := d.send(t.Context(), topup.Event{ID: "evt_1", Body: []byte("{}")}, to, time.Now()); !a.delivered() ||
		a.err != nil {
		t.Errorf("got %+v", a)
	}
}
