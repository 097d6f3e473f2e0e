package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"recarga/topup"
)

// fates are the orders' phone numbers: mostly ordinary ones, and each of the distributor's tricks.
func fate(r *rand.Rand, i int64) topup.Phone {
	tricks := []topup.Phone{
		"5500000051", "5500000091", "5500000005", "5500001091", "5500001096", "5500000500", "5500000501", "5500000502",
		"5500000503", "5500000200", "5500000599", "5500000429", "5500000504",
	}
	if r.IntN(4) == 0 {
		return tricks[r.IntN(len(tricks))]
	}
	return phoneOf(int(i % 100000))
}

// checkouts place orders side by side: those whose server is away wait.
const checkouts = 64

// load places orders until the returned function is called, which waits for those under way.
func (c *chaos) load(rate int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var placing sync.WaitGroup
	for i := range checkouts {
		r := rand.New(rand.NewPCG(c.r.Uint64(), uint64(i)))
		placing.Go(func() {
			tick := time.NewTicker(checkouts * time.Second / time.Duration(rate))
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					c.place(ctx, r)
				}
			}
		})
	}
	return func() { cancel(); placing.Wait() }
}

// place is what a checkout does: it repeats an order until it is answered, sometimes twice, sometimes at two servers,
// sometimes changes its mind, and sometimes hangs up in the middle. Every order is placed again at the end.
func (c *chaos) place(ctx context.Context, r *rand.Rand) {
	request := c.order(r)
	if r.IntN(8) == 0 {
		serving := c.serving()
		_ = placeAndHangUp(serving[r.IntN(len(serving))].url, request, false)
		return
	}
	for range 1 + r.IntN(8)/7 {
		_, _, _ = c.api(r).Place(ctx, request)
	}
	if r.IntN(20) == 0 {
		_, _ = c.api(r).Cancel(ctx, request.ID)
	}
}

// order is the next order of the run.
func (c *chaos) order(r *rand.Rand) topup.Request {
	n := c.placing.Add(1)
	request := order(fmt.Sprintf("CHAOS-%06d", n), fate(r, n))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders = append(c.orders, request)
	return request
}

// placeAgain places every order once more, as a checkout does that was not answered.
func (c *chaos) placeAgain() {
	c.t.Helper()
	c.eachOrder(func(r topup.Request) {
		if _, _, err := c.api(rand.New(rand.NewPCG(1, 1))).Place(c.t.Context(), r); err != nil {
			c.t.Errorf("place %s: %v", r.ID, err)
		}
	})
}

// eachOrder does something for every order, some at a time.
func (c *chaos) eachOrder(do func(topup.Request)) {
	work := make(chan topup.Request)
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for r := range work {
				do(r)
			}
		})
	}
	for _, r := range c.orders {
		work <- r
	}
	close(work)
	working.Wait()
}
