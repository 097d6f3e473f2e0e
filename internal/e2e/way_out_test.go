package e2e

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"recarga/internal/testkit"
	"recarga/topup"
)

// TestWayOut: webhooks reach a receiver with a certificate of the company's own authority, behind a gateway that wants
// a key, through an egress proxy. While the proxy fails by itself, no try is spent; then the event comes.
func TestWayOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const key = "the-key-of-the-gateway"
	server := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != key {
			http.Error(out, "no key, or another: "+r.Header.Get("X-Api-Key"), http.StatusForbidden)
			return
		}
		w.receiver.ServeHTTP(out, r)
	}))
	t.Cleanup(server.Close)
	authority := filepath.Join(t.TempDir(), "authority.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := testkit.NewProxy(t)
	proxy.Fails.Store(http.StatusProxyAuthRequired)
	w.env["RECARGA_CALLBACK_URL"], w.env["RECARGA_WEBHOOK_CA"] = server.URL+"/hook", authority
	w.env["RECARGA_WEBHOOK_PROXY"] = strings.Replace(proxy.URL, "://", "://recarga:proxy-password@", 1)
	w.env["RECARGA_WEBHOOK_HEADERS"] = `{"X-Api-Key":"wrong-key"}`
	w.env["RECARGA_WEBHOOK_SCHEDULE"], w.env["RECARGA_WEBHOOK_DISABLE_AFTER"] = "100ms", "1ms"
	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	pings := func(status int, want string) {
		t.Helper()
		if out := w.run(t, "webhook", "ping"); out.status != status || !strings.Contains(out.stdout, want) ||
			strings.Contains(out.stdout+out.stderr, "wrong-key") {
			t.Errorf("ping: %+v; want %s", out, want)
		}
	}
	pings(1, "egress proxy: it answered 407 Proxy Authentication Required to CONNECT")
	proxy.Fails.Store(0)
	pings(1, "answer: no key, or another: (hidden)")
	proxy.Fails.Store(http.StatusBadGateway)
	p.terminate()

	w.env["RECARGA_WEBHOOK_HEADERS"] = `{"X-Api-Key":"` + key + `"}`
	p = w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	c := p.client()
	id := place(t, c, order("WAY-OUT", "5537686660")).ID
	settled(t, c, id)
	testkit.Eventually(t, patience, func() bool { // more often than the schedule has tries
		d := get(t, c, id)
		return len(d.Events) == 1 && len(d.Events[0].Tries) >= 3
	}, "it is not tried again while the proxy fails")
	proxy.Fails.Store(0)
	w.notified(t, get(t, c, id))
	var d topup.Details
	testkit.Eventually(t, patience, func() bool {
		d = get(t, c, id)
		return d.Events[0].DeliveredAt != nil
	}, "it is not recorded as delivered")
	for i, try := range d.Events[0].Tries {
		if last := i == len(d.Events[0].Tries)-1; try.Delivered() != last || !last && string(try.Error) !=
			"Recarga's way out to the network failed; your endpoint was not reached" {
			t.Errorf("try %d: %+v", i, try)
		}
	}
	out := w.run(t, "get", string(id))
	if !strings.Contains(out.stdout, "delivered, HTTP 204") || !strings.Contains(out.stdout, "failed") {
		t.Errorf("get: %+v", out)
	}
	for _, secret := range []string{key, "proxy-password"} {
		if strings.Contains(p.log()+out.stdout, secret) {
			t.Errorf("%s is shown: %s", secret, p.log())
		}
	}
}
