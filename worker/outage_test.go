package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/admission"
	"recarga/internal/journal"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/worker"
)

var always96 = topup.Result{Outcome: topup.OutcomeUnavailable, HTTPStatus: 500, Code: "96",
	Message: "System malfunction"}

// out is a new shared state with an operator's outage.
func out() *sharedState {
	return &sharedState{restrictions: topup.Restrictions{Outages: map[string]topup.Outage{
		topup.OperatorOf(request("A").Product): {Since: time.Now()},
	}}}
}

// crew are several workers like the bench's, on a queue without Redis: the next one takes the next task, at its time.
func (b *bench) crew(t *testing.T, n int, change func(*worker.Config)) {
	t.Helper()
	b.with(change)
	workers := []*worker.Worker{b.Worker}
	for range n - 1 {
		workers = append(workers, worker.New(b.Config))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	var mu sync.Mutex
	next := 0
	b.outlet.answer = func(id topup.ID, at time.Time) {
		mu.Lock()
		next++
		w := workers[next%n]
		mu.Unlock()
		busy.Go(func() {
			for again := at; ; {
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Until(again)):
				}
				var err error
				if again, err = w.Process(ctx, id); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				if again.IsZero() || err != nil {
					return
				}
			}
		})
	}
	for _, w := range workers {
		busy.Go(func() { w.Sweep(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		busy.Wait()
		for _, w := range workers[1:] {
			w.Close()
		}
	})
}

// placed accepts orders that find their operator out, and so wait.
func (b *bench) placed(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		id := topup.ID(fmt.Sprintf("ORD-%04d", i))
		b.accept(t, request(id))
		if err := b.journal.Defer(t.Context(), id, 0, topup.WaitOutage, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

// timeline notes when the vendor is asked.
func (b *bench) timeline() (requests func() []time.Time) {
	var mu sync.Mutex
	var at []time.Time
	b.vendor.during = func(context.Context, topup.Order) {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, time.Now())
	}
	return func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(at)
	}
}

// TestRecoveryGoesStepByStep: after the probe that goes through, the requests of all workers together are one in the
// first second, two in the next, then four, and so on; after that the rest.
func TestRecoveryGoesStepByStep(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			testkit.Bubble(t, func(t *testing.T) {
				const orders = 600
				b := setUp(t, approved)
				requests, shared := b.timeline(), out()
				b.placed(t, orders)
				b.crew(t, workers, func(c *worker.Config) {
					c.Admission.SharedState, c.Admission.Breaker = shared, admission.Breaker{Share: 0.5, Probe: 5 * time.Second}
				})
				testkit.Pass(15 * time.Second)
				perSecond := make([]int, 8)
				all := requests()
				for _, at := range all[1:] { // after the probe
					if second := int(at.Sub(all[0]).Seconds()); second < len(perSecond) {
						perSecond[second]++
					}
				}
				if want := []int{1, 2, 4, 8, 16, 32, 64, 128}; !slices.Equal(perSecond, want) {
					t.Errorf("requests a second: %v, want %v", perSecond, want)
				}
				if len(all) != orders || shared.outages() != 0 {
					t.Errorf("%d requests for %d orders; %d outages", len(all), orders, shared.outages())
				}
			})
		})
	}
}

// TestReleasedByADeadWorker: the worker that released the order with which recovery begins has died before it
// enqueued it. The sweep finds it, and it is bought while its operator still recovers.
func TestReleasedByADeadWorker(t *testing.T) {
	b := setUp(t, approved)
	b.placed(t, 1)
	if _, err := b.journal.Release(t.Context(), "ORD-0000", time.Now()); err != nil {
		t.Fatal(err)
	}
	shared := out()
	for operator, o := range shared.restrictions.Outages {
		o.RecoveringSince = time.Now().Add(time.Hour) // so that it does not end
		shared.restrictions.Outages[operator] = o
	}
	b.crew(t, 1, func(c *worker.Config) {
		c.Admission.SharedState, c.Admission.Breaker = shared, admission.Breaker{Share: 0.5}
	})
	b.enqueues(t, 1)
	b.ends(t, "ORD-0000", topup.StateSucceeded)
}

// TestOutageEnds: all orders that are left are answered 96 for ever. Probes take one after the other, each ends when
// its tries are spent, and an outage that nobody waits for ends too. The balance, which is out of order, has no say.
func TestOutageEnds(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		const orders = 3
		var log bytes.Buffer
		b := setUp(t, always96)
		b.vendor.balance = errors.New("get_balance is out of order")
		shared := out()
		b.placed(t, orders)
		b.crew(t, 2, func(c *worker.Config) {
			c.Admission.SharedState, c.SweepInterval, c.Admission.Breaker = shared, time.Second, admission.Breaker{Share: 0.5,
				Probe: 5 * time.Second}
			c.Policy = worker.Policy{Initial: time.Second, Max: time.Second, MaxAttempts: 2}
			c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		})
		testkit.Pass(2 * time.Minute)
		const each = 3 + 2 // probes that spend no try, and tries
		var probes []topup.ID
		for range each {
			for i := range orders {
				probes = append(probes, topup.ID(fmt.Sprintf("ORD-%04d", i)))
			}
		}
		if !slices.Equal(b.vendor.requests, probes) {
			t.Errorf("probes took %v, want %v", b.vendor.requests, probes)
		}
		for _, id := range probes[:orders] {
			b.is(t, id, topup.StateFailed, topup.ReasonRetriesExhausted, len(probes))
		}
		if n := strings.Count(log.String(), `level=WARN msg="probe failed"`); n != len(probes) {
			t.Errorf("%d of %d failing probes are in the log:\n%s", n, len(probes), log.String())
		}
		if want := `response_code=96 error="System malfunction"`; !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, log.String())
		}
		if shared.outages() != 0 {
			t.Error("the outage continues, though nobody waits to end it")
		}
	})
}

// TestAnyOutageEnds: however many orders, workers, tries and whatever time they have, orders that are always answered
// 96 end by their tries or by their time, each after the others with fewer attempts, and the outage ends with them.
func TestAnyOutageEnds(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range testkit.Times(2, 8) {
		orders, workers, tries := 1+r.IntN(6), 1+r.IntN(3), 1+r.IntN(6)
		tried := time.Duration(10+r.IntN(120)) * time.Second
		t.Run(fmt.Sprint(orders, " orders, ", workers, " workers, ", tries, " tries, ", tried), func(t *testing.T) {
			testkit.Bubble(t, func(t *testing.T) { outageEnds(t, orders, workers, tries, tried) })
		})
	}
}

func outageEnds(t *testing.T, orders, workers, tries int, tried time.Duration) {
	const probe, forgotten, slack = 5 * time.Second, 30 * time.Second, 10 * time.Second
	b := setUpWithin(t, journal.TimeLimits{Untried: time.Hour, Tried: tried}, always96)
	shared := out()
	b.placed(t, orders)
	b.crew(t, workers, func(c *worker.Config) {
		c.Admission.SharedState, c.SweepInterval, c.Admission.Breaker = shared, time.Second, admission.Breaker{Share: 0.5,
			Probe: probe}
		c.Policy = worker.Policy{Initial: time.Second, Max: time.Second, MaxAttempts: tries}
	})
	// Each is probed for the first time after those before it, has its time from then on, and nobody waits after that.
	testkit.Pass(time.Duration(orders)*probe + tried + forgotten + slack)
	if shared.outages() != 0 {
		t.Error("the outage continues")
	}
	made, last := map[topup.ID]int{}, map[topup.ID]int{}
	for i, id := range b.vendor.requests {
		last[id] = i
	}
	for i, id := range b.vendor.requests {
		for other, until := range last {
			if until > i && made[other] < made[id] {
				t.Errorf("request %d is of %s, and %s still waits, with fewer: %v", i, id, other, b.vendor.requests)
			}
		}
		made[id]++
	}
	for i := range orders {
		id := topup.ID(fmt.Sprintf("ORD-%04d", i))
		b.is(t, id, topup.StateFailed, topup.ReasonRetriesExhausted, len(b.vendor.requests))
		if n := made[id]; n == 0 || n > 3+tries {
			t.Errorf("%s had %d attempts, with %d tries", id, n, tries)
		}
	}
}

// TestNewOrderEndsAnOutage: nobody waited for the operator any more. The next order is the probe, at once, and what
// comes after it is bought.
func TestNewOrderEndsAnOutage(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		b := setUp(t, approved)
		b.vendor.balance = errors.New("get_balance is out of order")
		requests, shared := b.timeline(), out()
		b.crew(t, 1, func(c *worker.Config) {
			c.Admission.SharedState, c.SweepInterval, c.Admission.Breaker = shared, time.Second, admission.Breaker{Share: 0.5,
				Probe: 5 * time.Second}
		})
		testkit.Pass(10 * time.Second)
		if shared.outages() != 1 {
			t.Fatal("the outage was forgotten before a probe of another worker could have been answered")
		}
		placed := time.Now()
		b.placed(t, 2)
		testkit.Pass(20 * time.Second)
		if all := requests(); len(all) != 2 || all[0].Sub(placed) > time.Second || all[1].Sub(all[0]) > 2*time.Second {
			t.Errorf("placed at %v, bought at %v", placed, all)
		}
		if shared.outages() != 0 {
			t.Error("the outage continues")
		}
	})
}

// TestLimitOfOneOrder: the distributor refuses one number for today. That order comes back later and later, until its
// time is over; nobody else waits.
func TestLimitOfOneOrder(t *testing.T) {
	limited := topup.Result{Outcome: topup.OutcomeNotSent, HTTPStatus: 429, LimitedOrder: true, Error: "limit"}
	b := setUp(t, limited, approved)
	shared := &sharedState{}
	b.with(func(c *worker.Config) {
		c.Admission.SharedState, c.Admission.Breaker = shared, admission.Breaker{Share: 0.5}
	})
	for _, id := range []topup.ID{"A", "B"} {
		b.accept(t, request(id))
		b.process(t, id)
	}
	b.is(t, "A", topup.StateRetrying, "", 2)
	b.is(t, "B", topup.StateSucceeded, "", 2)
	if !shared.restrictions.PausedUntil.IsZero() {
		t.Errorf("all wait until %v", shared.restrictions.PausedUntil)
	}

	policy := worker.Policy{Initial: 2 * time.Second, Max: 2 * time.Minute, MaxAttempts: 2}
	begun, status := time.Now(), limited.HTTPStatus
	endsAt := begun.Add(30 * time.Minute)
	var earlier []topup.Attempt
	before, now := time.Duration(0), begun
	for n := 1; ; n++ {
		s := policy.Decide(topup.Order{AttemptCount: n, EndsAt: &endsAt}, limited, earlier, 0, now)
		if s.State != topup.StateRetrying {
			if s.Reason != topup.ReasonRetriesExhausted || now.Sub(begun) < 27*time.Minute {
				t.Errorf("after %s it is %s/%s", now.Sub(begun), s.State, s.Reason)
			}
			break
		}
		if wait := s.NextAttemptAt.Sub(now); wait <= before && wait < 90*time.Second {
			t.Errorf("wait %d is %s, the one before it was %s", n, wait, before)
		} else {
			before = wait
		}
		earlier = append(earlier, topup.Attempt{Number: n, StartedAt: now, Outcome: limited.Outcome, HTTPStatus: &status})
		now = *s.NextAttemptAt
	}
	limited.RetryAfter = 10 * time.Minute
	s := policy.Decide(topup.Order{AttemptCount: 1}, limited, nil, 0, begun)
	if !s.NextAttemptAt.Equal(begun.Add(limited.RetryAfter)) {
		t.Errorf("Retry-After of %s: comes back at %v", limited.RetryAfter, s.NextAttemptAt)
	}
}

// TestWaitingRetriesSpendNoRoom: retries that the rate limit keeps waiting take nothing from the retry budget
// meanwhile.
func TestWaitingRetriesSpendNoRoom(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		const orders = 60
		b := setUp(t, unavailable)
		for i := range orders {
			id := topup.ID(fmt.Sprintf("ORD-%04d", i))
			b.accept(t, request(id))
			b.process(t, id)
		}
		testkit.Pass(5 * time.Second) // all are due again
		for i := range orders {
			id := topup.ID(fmt.Sprintf("ORD-%04d", i))
			if err := b.journal.Defer(t.Context(), id, 1, topup.WaitRate, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		limiter := &rateLimiter{}
		b.with(func(c *worker.Config) { c.Admission.RateLimiter = limiter })
		b.sweep(t)
		testkit.Pass(10 * time.Second)
		limiter.add(orders)
		testkit.Pass(5 * time.Second)
		if n := len(b.outlet.tasks()); n != orders {
			t.Errorf("%d of %d retries are released", n, orders)
		}
	})
}

func (b *bench) ends(t *testing.T, id topup.ID, state topup.State) {
	t.Helper()
	testkit.Eventually(t, 20*time.Second, func() bool { return b.details(t, id).State == state }, "%s is %s", id, state)
}
