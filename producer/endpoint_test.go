package producer_test

import (
	"testing"

	"recarga/producer"
	"recarga/topup"
)

// TestEndpointSwitches: an endpoint that an operator disables is disabled with that reason, and healthy once it is
// enabled.
func TestEndpointSwitches(t *testing.T) {
	p, j := newProducer(t, &waker{})
	e := topup.DisabledEndpoint{Caller: "shop", Endpoint: topup.DefaultEndpoint, URL: "https://shop.example/hook"}
	health := func() topup.EndpointHealth {
		t.Helper()
		h, err := j.EndpointHealth(t.Context(), e.Caller, e.URL)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	ana := producer.Actor{By: "ana"}
	if err := p.DisableEndpoint(t.Context(), e, ana); err != nil {
		t.Fatal(err)
	}
	if h := health(); h.DisabledAt == nil || h.Reason != topup.DisabledByOperator {
		t.Errorf("disabled: %+v", h)
	}
	if err := p.EnableEndpoint(t.Context(), e, ana); err != nil {
		t.Fatal(err)
	}
	if h := health(); h.DisabledAt != nil || h.Reason != "" {
		t.Errorf("enabled: %+v", h)
	}
}
