package webhook_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"recarga/topup"
	"recarga/webhook"
)

// TestCheckHeaders: what Recarga and HTTP set themselves is refused by name, and no value is shown.
func TestCheckHeaders(t *testing.T) {
	for name, refused := range map[string]bool{
		"X-Api-Key": false, "authorization": false, "Cookie": false, "X-Webhook-Gate": false, "CF-Access-Client-Id": false,
		"Host": true, "host": true, "Content-Length": true, "content-type": true, "Transfer-Encoding": true,
		"Connection": true, "Keep-Alive": true, "TE": true, "Trailer": true, "Upgrade": true, "Expect": true,
		"Proxy-Authorization": true, "proxy-connection": true, "Webhook-Id": true, "webhook-signature": true,
		"webhook-anything": true, "User-Agent": true, "traceparent": true, "Idempotency-Key": true,
		"": true, "X Key": true, "X:Key": true, "X-Ñ": true, strings.Repeat("X", 101): true,
	} {
		wrong := webhook.CheckHeaders("headers", map[string]string{name: "topsecret"})
		if (len(wrong) > 0) != refused {
			t.Errorf("%q: %v", name, wrong)
		}
		for _, err := range wrong {
			if strings.Contains(err.Error(), "topsecret") || len(topup.FieldErrors(err)) != 1 {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for _, value := range []string{"", " x", "x ", "a\r\nHost: b", "a\x00b", "ñ", strings.Repeat("x", 1025)} {
		wrong := webhook.CheckHeaders("headers", map[string]string{"X-Key": value})
		if len(wrong) != 1 || value != "" && strings.Contains(wrong[0].Error(), value) && value != " x" && value != "x " {
			t.Errorf("value %q: %v", value, wrong)
		}
	}
	if wrong := webhook.CheckHeaders("headers", map[string]string{"X-Key": "a", "x-key": "b"}); len(wrong) != 1 {
		t.Errorf("a name twice: %v", wrong)
	}
}

// gateway asks for a key, as those in front of receivers do, and shows what it was given where it is another.
func gateway(key string, behind http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+key {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "no route for "+got)
			return
		}
		behind.ServeHTTP(w, r)
	}
}

// TestHeadersOfTheirOwn: an endpoint's headers are sent to it, and to nobody else; an answer that repeats them is kept
// without them.
func TestHeadersOfTheirOwn(t *testing.T) {
	handled := 0
	r := newReceiver(t, gateway("topsecret", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { handled++ })))
	wrong := newReceiver(t, gateway("another", http.NotFoundHandler()))
	bystander := newReceiver(t, status(204))
	j := openJournal(t)
	key := func(k string) map[string]string { return map[string]string{"authorization": "Bearer " + k} }
	d := deliverer(t, webhook.Config{}, j, shops{"shop": {
		{URL: r.URL + "/hook", Secrets: []string{vectorSecret}, Headers: key("topsecret")},
		{Name: "crm", URL: bystander.URL, Secrets: []string{vectorSecret}},
		{Name: "wrong", URL: wrong.URL, Secrets: []string{vectorSecret}, Headers: key("not-the-key")},
	}})
	for _, endpoint := range []string{topup.DefaultEndpoint, "crm", "wrong"} {
		pinged, err := d.Ping(t.Context(), "shop", endpoint)
		if err != nil || pinged.Try.Delivered() != (endpoint != "wrong") {
			t.Errorf("%s: %+v, %v", endpoint, pinged.Try, err)
		}
		if said := pinged.Try.Response; endpoint == "wrong" && said.Body != "no route for (hidden)" {
			t.Errorf("kept %+v", said)
		}
	}
	if handled != 1 {
		t.Errorf("%d requests passed the gateway", handled)
	}
	for _, got := range bystander.requests() {
		if got.Header.Get("Authorization") != "" {
			t.Error("another endpoint got the key")
		}
	}

	// An order's own URL gets the headers of its origin, wherever the order's caller has registered that.
	for id, url := range map[topup.ID]string{"ORD-1": r.URL + "/orders/1", "ORD-2": bystander.URL + "/orders/2"} {
		req := topup.Request{ID: id, Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10),
			CallbackURL: url}
		if _, _, err := j.Accept(t.Context(), req, time.Now()); err != nil {
			t.Fatal(err)
		}
		_, ev, err := j.Cancel(t.Context(), id, "shop", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		deliver(t, d, ev.ID)
	}
	for _, got := range append(r.requests(), bystander.requests()...) {
		has := got.Header.Get("Authorization") != ""
		if strings.HasPrefix(got.URL.Path, "/orders/") && has != (got.URL.Path == "/orders/1") {
			t.Errorf("%s has the key: %t", got.URL.Path, has)
		}
	}
}
