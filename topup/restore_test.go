package topup_test

import (
	"testing"
	"time"

	"recarga/topup"
)

// TestClaimableBy: a restored order is whose who asks for what it was, as far as a statement says it.
func TestClaimableBy(t *testing.T) {
	at := time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC)
	lost := topup.LostCharge{ID: "A", Phone: "5537686660", Amount: topup.Pesos(10), From: at, Until: at, Evidence: "line 7"}
	if err := lost.Check(); err != nil {
		t.Fatal(err)
	}
	r := topup.Request{ID: "A", Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
	for name, c := range map[string]struct {
		order   func(*topup.Order)
		request func(*topup.Request)
		want    bool
	}{
		"the same":               {want: true},
		"of its caller":          {order: func(o *topup.Order) { o.Caller = "shop" }, want: true},
		"of another caller":      {order: func(o *topup.Order) { o.Caller = "kiosk" }},
		"claimed before":         {order: func(o *topup.Order) { o.Unclaimed = false }},
		"another id":             {request: func(r *topup.Request) { r.ID = "B" }},
		"another phone":          {request: func(r *topup.Request) { r.Phone = "5537686661" }},
		"another amount":         {request: func(r *topup.Request) { r.Amount++ }},
		"what no statement says": {request: func(r *topup.Request) { r.Product, r.Operator = "OTHER", "X" }, want: true},
	} {
		o, asked := lost.Order(at), r
		if c.order != nil {
			c.order(&o)
		}
		if c.request != nil {
			c.request(&asked)
		}
		if got := o.ClaimableBy(asked); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestLostChargeInTheFuture: a statement's clock may be fast; no order has ended later than now.
func TestLostChargeInTheFuture(t *testing.T) {
	now := time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC)
	o := topup.LostCharge{From: now.Add(time.Minute), Until: now.Add(time.Hour)}.Order(now)
	if !o.CreatedAt.Equal(now) || !o.FinishedAt.Equal(now) {
		t.Errorf("from %s to %s", o.CreatedAt, o.FinishedAt)
	}
}
