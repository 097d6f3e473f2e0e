package e2e

import (
	"fmt"
	"testing"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// TestEmptyAccountHoldsOrders: the balance runs out before 200 orders are bought. Those that are left wait, none is
// declined for it, and all are bought after a deposit.
func TestEmptyAccountHoldsOrders(t *testing.T) {
	t.Parallel()
	for _, s := range realStacks() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *sandbox.Config) { c.LatencyMinMS, c.LatencyMaxMS = 5, 20 })
			w.change(t, `{"initial_balance": 2500}`)
			w.env["RECARGA_BALANCE_INTERVAL"], w.env["RECARGA_BALANCE_LOW"], w.env["RECARGA_BALANCE_RESERVE"] = "400ms", "2000",
				"1500"
			c := w.crew(t, s)
			placeMany(t, c, 200, topup.PriorityNormal)
			held := func() (n int) {
				all, _, err := c.List(t.Context(), producer.OrderFilter{Limit: 200})
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range all {
					if o.WaitsFor == topup.NullString(topup.WaitBalance) {
						n++
					}
				}
				return n
			}
			testkit.Eventually(t, patience, func() bool { return held()+len(w.charges()) == 200 },
				"all others wait for the balance")
			if bought := len(w.charges()); bought > 250 || bought < 50 {
				t.Errorf("%d orders were bought of 2,500 before they waited", bought)
			}
			b, err := c.Balance(t.Context())
			if err != nil || !b.Low || len(b.History) == 0 {
				t.Errorf("the balance is %+v, %v", b, err)
			}
			w.change(t, `{"initial_balance": 100000}`)
			testkit.Eventually(t, patience, func() bool { return len(w.charges()) == 200 }, "all are bought after a deposit")
			for _, r := range w.vendor.Requests() {
				if r.ResponseCode == "51" {
					t.Errorf("%s was declined", r.DistributorTransactionID)
				}
			}
			for i := range 200 {
				id := topup.ID(fmt.Sprintf("MANY-%05d", i))
				testkit.Eventually(t, patience, func() bool {
					o, err := c.Get(t.Context(), id)
					return err == nil && o.State == topup.StateSucceeded
				}, "%s succeeds", id)
				o := get(t, c, id)
				for _, a := range o.Attempts[:len(o.Attempts)-1] {
					if a.Outcome != topup.OutcomeNotSent { // on a machine too busy to send in time
						t.Errorf("%s spent a try: %+v", id, a)
					}
				}
			}
		})
	}
}
