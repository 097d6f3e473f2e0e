package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
	"recarga/webhook"
)

// TestPing: an endpoint that is pinged gets a signed event of its own, which webhook.Handler takes without calling the
// shop, and the answer is shown. Other endpoints get nothing.
func TestPing(t *testing.T) {
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "who are you?")
	})
	bystander := newReceiver(t, status(204))
	d := deliverer(t, webhook.Config{}, newBook(), shops{"shop": {
		{URL: bystander.URL, Secrets: []string{vectorSecret}}, {Name: "crm", URL: r.URL, Secrets: []string{vectorSecret}},
	}})
	pinged, err := d.Ping(t.Context(), "shop", "crm")
	if err != nil || pinged.Try.Delivered() || *pinged.Try.Status != 403 || pinged.Try.Response.Body != "who are you?" {
		t.Fatalf("%+v, %v", pinged, err)
	}
	got := r.requests()[0]
	ev, err := webhook.Verify(got.body, got.Header, vectorSecret)
	var data webhook.PingedEndpoint
	if err == nil {
		err = json.Unmarshal(ev.OperatorData, &data)
	}
	want := webhook.PingedEndpoint{Caller: "shop", Endpoint: "crm"}
	if diff := cmp.Diff(want, data); diff != "" || err != nil || ev.Type != webhook.EventPing || ev.ID != pinged.ID ||
		!strings.HasPrefix(ev.ID, "ping_") || ev.Timestamp.IsZero() {
		t.Errorf("%+v, %v: %s", ev, err, diff)
	}
	if n := len(bystander.requests()); n != 0 {
		t.Errorf("%d requests to the other endpoint", n)
	}
	handler := httptest.NewServer(webhook.Handler(vectorSecret, func(_ context.Context, ev webhook.Event) error { return errors.New("called for " + string(ev.Type)) }))
	defer handler.Close()
	d = deliverer(t, webhook.Config{}, newBook(), at(handler.URL, vectorSecret))
	if pinged, err := d.Ping(t.Context(), "shop", topup.DefaultEndpoint); err != nil || *pinged.Try.Status != 204 {
		t.Errorf("the handler: %+v, %v", pinged, err)
	}
	for caller, endpoint := range map[string]string{"shop": "crm", "nobody": topup.DefaultEndpoint} {
		if _, err := d.Ping(t.Context(), caller, endpoint); !errors.Is(err, topup.ErrNotFound) {
			t.Errorf("%s of %s: %v", endpoint, caller, err)
		}
	}
}

// TestPingsAreBounded: who pings too often is refused, and nothing is sent.
func TestPingsAreBounded(t *testing.T) {
	r := newReceiver(t, status(204))
	d := deliverer(t, webhook.Config{Rate: 0.001}, newBook(), at(r.URL, vectorSecret))
	if _, err := d.Ping(t.Context(), "shop", topup.DefaultEndpoint); err != nil {
		t.Fatal(err)
	}
	var often *topup.QuotaError
	if _, err := d.Ping(t.Context(), "shop", topup.DefaultEndpoint); !errors.As(err, &often) || len(r.requests()) != 1 {
		t.Errorf("%v after %d requests", err, len(r.requests()))
	}
}
