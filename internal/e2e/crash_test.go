package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"recarga/internal/journal/journaltest"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/topup"
)

// phoneOf spreads orders over ordinary numbers.
func phoneOf(i int) topup.Phone { return topup.Phone(fmt.Sprintf("55376%05d", i)) }

// TestKillNine kills the whole program in the middle of 200 orders, starts it again on the same file,
// and asks the vendor's own ledger: every order ends or is held, none is charged twice, and the
// checkout is notified the truth about each.
func TestKillNine(t *testing.T) {
	t.Parallel()
	const orders = 200
	w := newWorld(t, func(c *sandbox.Config) { c.LatencyMinMS, c.LatencyMaxMS = 20, 300 })
	p := w.start(t, "serve")
	c := p.client()
	request := func(i int) topup.Request { return order(fmt.Sprintf("KILL-%03d", i), phoneOf(i)) }
	for i := range orders / 2 {
		place(t, c, request(i))
	}
	// The other half is being accepted when the program dies.
	dying, died := context.WithCancel(t.Context())
	var placed sync.WaitGroup
	for i := orders / 2; i < orders; i++ {
		placed.Go(func() { _, _, _ = c.Place(dying, request(i)) })
	}
	testkit.Eventually(t, patience, func() bool { return len(w.vendor.Purchases()) >= orders/4 }, "a quarter is bought")
	p.kill()
	died()
	placed.Wait()
	before := len(w.vendor.Purchases())

	p = w.start(t, "serve")
	c = p.client()
	for i := range orders { // what a checkout does with an order it has no answer for: place it again
		place(t, c, request(i))
	}
	charges, held := w.charges(), 0
	for i := range orders {
		o := settled(t, c, request(i).ID)
		charges = w.charges()
		judge(t, o, charges[o.ID])
		w.notified(t, o)
		if o.State == topup.StateUnknown {
			held++
		}
	}
	t.Logf("killed after %d purchases; %d charged in the end, %d held as unknown", before, len(charges), held)
}

// TestRedisStopped: without Redis orders are still accepted, and they are bought when it is back,
// with everything it held lost.
func TestRedisStopped(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	redis := testkit.Redis(t, "--appendonly", "no", "--save", "")
	w.env["RECARGA_REDIS_URL"] = redis.URL()
	c := w.start(t, "serve").client()
	settled(t, c, place(t, c, order("BEFORE", "5537686660")).ID)
	redis.Kill()
	const orders = 20
	for i := range orders {
		place(t, c, order(fmt.Sprintf("GONE-%02d", i), phoneOf(i)))
	}
	if got := len(w.vendor.Purchases()); got != 1 {
		t.Errorf("%d purchases while Redis was gone", got-1)
	}
	redis.Start()
	for i := range orders {
		o := settled(t, c, topup.ID(fmt.Sprintf("GONE-%02d", i)))
		judge(t, o, w.charges()[o.ID])
		if o.State != topup.StateSucceeded {
			t.Errorf("%s is %s", o.ID, o.State)
		}
		w.notified(t, o)
	}
}

// TestDrain: SIGTERM during purchases waits for their answers; nothing is left unknown.
func TestDrain(t *testing.T) {
	t.Parallel()
	const orders = 50
	w := newWorld(t, func(c *sandbox.Config) { c.LatencyMinMS, c.LatencyMaxMS = 3000, 3000 })
	p := w.start(t, "serve")
	c := p.client()
	for i := range orders {
		place(t, c, order(fmt.Sprintf("DRAIN-%02d", i), phoneOf(i)))
	}
	testkit.Eventually(t, patience, func() bool { return len(w.vendor.Requests()) == orders },
		"all requests are under way")
	start := time.Now()
	if status := p.terminate(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, p.log())
	}
	t.Logf("ended %s after SIGTERM", time.Since(start).Round(time.Millisecond))
	c = w.start(t, "serve").client()
	for i := range orders {
		o := get(t, c, topup.ID(fmt.Sprintf("DRAIN-%02d", i)))
		if o.State != topup.StateSucceeded {
			t.Errorf("%s is %s after the drain: %+v", o.ID, o.State, o.Attempts)
		}
		judge(t, o, w.charges()[o.ID])
		w.notified(t, o)
	}
}

// TestManyWorkers: an api and three workers on PostgreSQL and Redis; one worker is killed while it
// buys.
func TestManyWorkers(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	const orders = 150
	w := newWorld(t, func(c *sandbox.Config) { c.LatencyMinMS, c.LatencyMaxMS = 20, 300; c.OneSession = true })
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	w.env["RECARGA_DATABASE_URL"] = journaltest.Postgres(t).URL()
	c := w.start(t, "api").client()
	victim := w.start(t, "worker")
	w.start(t, "worker")
	w.start(t, "worker")
	for i := range orders {
		place(t, c, order(fmt.Sprintf("MANY-%03d", i), phoneOf(i)))
		if i == orders/2 {
			victim.kill()
		}
	}
	for i := range orders {
		o := settled(t, c, topup.ID(fmt.Sprintf("MANY-%03d", i)))
		judge(t, o, w.charges()[o.ID])
		w.notified(t, o)
	}
}

// TestDeadWorkersOrder: what a killed worker was buying is looked at by another one soon after the
// attempt's deadline; asynq by itself would take one to two minutes, and would buy it again.
func TestDeadWorkersOrder(t *testing.T) {
	t.Parallel()
	const deadline = 4 * time.Second // the timeout, and 2s
	w := newWorld(t, nil)
	w.env["RECARGA_DISTRIBUTOR_TIMEOUT"] = "2s"
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	c := w.start(t, "api").client()
	victim := w.start(t, "worker")
	place(t, c, order("DEAD-1", "5500000504")) // charged, and answered after a minute
	testkit.Eventually(t, patience, func() bool { return len(w.vendor.Purchases()) == 1 }, "it is bought")
	victim.kill()
	w.start(t, "worker")
	o := settled(t, c, "DEAD-1")
	if o.State != topup.StateUnknown || len(o.Attempts) != 1 || len(w.vendor.Requests()) != 1 {
		t.Fatalf("%s after %d requests: %+v", o.State, len(w.vendor.Requests()), o.Attempts)
	}
	late := o.Attempts[0].FinishedAt.Sub(o.Attempts[0].StartedAt) - deadline
	t.Logf("called unknown %s after the attempt's deadline", late.Round(time.Millisecond))
	if late < 0 || late > 30*time.Second {
		t.Errorf("called unknown %s after the attempt's deadline; asynq's own recovery takes 60s and more", late)
	}
	w.notified(t, o)
}
