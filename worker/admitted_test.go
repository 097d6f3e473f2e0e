package worker_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"recarga/internal/admission"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/worker"
)

// TestATaskPassesByNothing: a new order that comes with its task takes a short way. It is the way of none that may not
// be bought now.
func TestATaskPassesByNothing(t *testing.T) {
	busy := topup.Result{Outcome: topup.OutcomeNotSent, HTTPStatus: http.StatusTooManyRequests, RetryAfter: time.Hour}
	for name, c := range map[string]struct {
		restrict func(*worker.Config)
		waits    topup.Wait
		before   int // requests of the order before it
	}{
		"the rate is used up": {func(c *worker.Config) { c.Admission.RateLimiter = &rateLimiter{} }, topup.WaitRate, 0},
		"there is no money": {func(c *worker.Config) {
			c.Admission.Reserves = []admission.Reserve{&account{}}
		}, topup.WaitBalance, 0},
		"the distributor asked for a pause": {func(*worker.Config) {}, topup.WaitRate, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, busy)
			b.with(c.restrict)
			for n, id := range []topup.ID{"A", "B"} {
				b.accept(t, request(id))
				if _, err := b.HandlePurchase(t.Context(), purchaseTask(t, request(id), "")); err != nil {
					t.Fatal(err)
				}
				if n >= c.before {
					b.waitsFor(t, id, c.waits)
				}
			}
			if n := len(b.vendor.requests); n != c.before {
				t.Errorf("the vendor saw %d requests, want %d", n, c.before)
			}
		})
	}
}

// TestAProbeIsFree: the order that an operator was probed with has spent no try, so it is not failed by an outage.
func TestAProbeIsFree(t *testing.T) {
	b := setUp(t, unavailable)
	b.with(func(c *worker.Config) {
		c.Admission.SharedState, c.Admission.Breaker = out(), admission.Breaker{Share: 0.5, Probe: 10 * time.Millisecond}
		c.Policy = worker.Policy{Initial: time.Hour, Max: time.Hour, MaxAttempts: 1}
	})
	b.placed(t, 1)
	b.sweep(t)
	const id = topup.ID("ORD-0000")
	testkit.Eventually(t, time.Minute, func() bool {
		made := b.details(t, id).Attempts
		return len(made) > 0 && made[0].Outcome != ""
	}, "a probe is made")
	if d := b.details(t, id); d.State != topup.StateRetrying || !d.Attempts[0].Probe {
		t.Errorf("after a probe: %+v", d)
	}
}

// TestWritingNeverEnds: however long the journal is away, a result that it has not taken is tried again within seconds.
func TestWritingNeverEnds(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		began, waits := time.Now(), worker.Persistent()
		for time.Since(began) < 7*24*time.Hour {
			wait := waits.NextBackOff()
			if wait == backoff.Stop || wait > 5*time.Second {
				t.Fatalf("after %s: %s", time.Since(began), wait)
			}
			time.Sleep(wait)
		}
	})
}
