package e2e

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// settle settles the orders that are held, by the ledger, until none is left.
func (c *chaos) settle() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Minute)
	defer cancel()
	operator, clean := c.operator(), 0
	testkit.Eventually(c.t, 10*time.Minute, func() bool {
		if clean++; !c.settled(ctx, operator) {
			clean = 0
		}
		return clean == 2 // an order may move from one list to another while they are read
	}, "every order is settled")
}

// settled reports whether all orders are final, and does an operator's work on those that are held.
func (c *chaos) settled(ctx context.Context, operator *producer.Client) bool {
	open := 0
	for _, state := range []topup.State{topup.StateUnknown, topup.StateQueued, topup.StateRetrying,
		topup.StateSubmitting} {
		orders, _, err := operator.List(ctx, producer.OrderFilter{State: state, Limit: 100})
		if err != nil {
			return false
		}
		if open += len(orders); state == topup.StateUnknown {
			c.resolve(ctx, operator, orders)
		}
	}
	return open == 0
}

func (c *chaos) resolve(ctx context.Context, operator *producer.Client, held []topup.Order) {
	charges := c.world.charges()
	for _, o := range held {
		r := topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "not in the statement", By: "chaos"}
		if charges[o.ID] > 0 {
			r.Outcome = topup.ResolvedSucceeded
		}
		if _, err := operator.Resolve(ctx, o.ID, r); err == nil {
			c.done["held orders settled"]++
		}
	}
}

// judge holds every order against the distributor's ledger and the checkout's belief.
func (c *chaos) judge() {
	c.t.Helper()
	charges := c.world.charges()
	var states sync.Map
	c.eachOrder(func(r topup.Request) {
		o, err := c.serving()[0].api.Get(c.t.Context(), r.ID)
		if err != nil {
			c.t.Errorf("lost: %v", err)
			return
		}
		judge(c.t, o, charges[o.ID])
		if !o.State.Final() {
			c.t.Errorf("%s is %s", o.ID, o.State)
		}
		c.world.notified(c.t, o)
		n, _ := states.LoadOrStore(o.State, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	})
	for id, n := range charges {
		if n > 1 {
			c.t.Errorf("%s was charged %d times", id, n)
		}
	}
	c.report(&states, len(charges))
}
