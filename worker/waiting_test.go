package worker_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/admission"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/worker"
)

// rateLimiter grants what the test has put into it.
type rateLimiter struct {
	mu   sync.Mutex
	left int
}

func (l *rateLimiter) Take(_ context.Context, _ topup.Priority, n int) (int, time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	granted := min(n, l.left)
	l.left -= granted
	if granted < n {
		return granted, time.Millisecond, nil
	}
	return granted, 0, nil
}

func (*rateLimiter) Limited() bool { return true }

func (l *rateLimiter) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left += n
}

// sharedState is what several workers know.
type sharedState struct {
	mu           sync.Mutex
	restrictions topup.Restrictions
	probed       time.Time
	resumed      int
}

func (s *sharedState) Restrictions(context.Context) (topup.Restrictions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return topup.Restrictions{PausedUntil: s.restrictions.PausedUntil, Outages: maps.Clone(s.restrictions.Outages)}, nil
}

func (s *sharedState) Pause(_ context.Context, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restrictions.PausedUntil = until
	return nil
}

func (s *sharedState) SetOutage(_ context.Context, operator string, o topup.Outage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restrictions.Outages = map[string]topup.Outage{operator: o}
	return nil
}

func (s *sharedState) EndOutage(context.Context, string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restrictions.Outages = nil
	return nil
}

func (s *sharedState) ClaimProbe(_ context.Context, _ string, every time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.probed) < every {
		return false, nil
	}
	s.probed = time.Now()
	return true, nil
}

func (s *sharedState) Resume(_ context.Context, _ string, _ time.Time, total, n int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	granted := max(0, min(n, total-s.resumed))
	s.resumed += granted
	return granted, nil
}

func (s *sharedState) GiveBack(_ context.Context, _ string, _ time.Time, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resumed -= n
	return nil
}

func (s *sharedState) outages() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.restrictions.Outages)
}

// with changes what the bench's worker works with.
func (b *bench) with(change func(*worker.Config)) {
	cfg := b.Config
	change(&cfg)
	b.Worker.Close()
	b.Worker = worker.New(cfg)
}

// sweep runs the sweep, and with it the release of waiting orders, until the test ends.
func (b *bench) sweep(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { b.Sweep(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
}

// enqueues waits until so many orders were enqueued, and returns them in the order in which they first were: the sweep
// may come between, and enqueue what was released and has not begun.
func (b *bench) enqueues(t *testing.T, n int) (orders []string) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool {
		orders = nil
		for _, id := range b.outlet.tasks() {
			if !slices.Contains(orders, id) {
				orders = append(orders, id)
			}
		}
		return len(orders) >= n
	}, "%d orders are enqueued", n)
	return orders
}

func (b *bench) waitsFor(t *testing.T, id topup.ID, why topup.Wait) {
	t.Helper()
	if d := b.details(t, id); d.WaitsFor != topup.NullString(why) || len(d.Attempts) != 0 {
		t.Errorf("%s waits for %q with %d attempts, want %q and none", id, d.WaitsFor, len(d.Attempts), why)
	}
}

func TestRateLimitedOrderWaits(t *testing.T) {
	b := setUp(t, approved)
	limiter := &rateLimiter{}
	b.with(func(c *worker.Config) { c.Admission.RateLimiter = limiter })
	b.accept(t, request("A"))
	if again := b.process(t, "A"); !again.IsZero() {
		t.Errorf("comes back at %v; the release loop enqueues it", again)
	}
	b.waitsFor(t, "A", topup.WaitRate)
	limiter.add(1)
	b.sweep(t)
	b.enqueues(t, 1)
	b.process(t, "A")
	b.is(t, "A", topup.StateSucceeded, "", 1)
	if d := b.details(t, "A"); d.WaitsFor != "" {
		t.Errorf("it still waits for %s", d.WaitsFor)
	}
}

// TestReleaseIsFair: the urgent come first, and the callers of one priority alternate, however many orders one
// of them has.
func TestReleaseIsFair(t *testing.T) {
	b := setUp(t, approved)
	limiter := &rateLimiter{}
	b.with(func(c *worker.Config) { c.Admission.RateLimiter = limiter })
	for _, of := range []struct {
		caller   string
		priority topup.Priority
		n        int
	}{{"a", topup.PriorityBulk, 5}, {"b", topup.PriorityBulk, 2}, {"c", topup.PriorityBulk, 1}, {"a",
		topup.PriorityNormal, 2}, {"b", topup.PriorityHigh, 1}} {
		for i := range of.n {
			r := request(topup.ID(fmt.Sprintf("%s-%s-%d", of.priority, of.caller, i)))
			r.Caller, r.Priority = of.caller, of.priority
			b.accept(t, r)
			if _, err := b.Process(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.sweep(t)
	var released []string
	for n := range 11 { // one at a time
		limiter.add(1)
		released = b.enqueues(t, n+1)
	}
	want := "high-b-0 normal-a-0 normal-a-1 bulk-a-0 bulk-b-0 bulk-c-0 bulk-a-1 bulk-b-1 bulk-a-2 bulk-a-3 bulk-a-4"
	if got := strings.Join(released, " "); got != want {
		t.Errorf("released\n%s, want\n%s", got, want)
	}
}

// TestBusyIsHonouredByAll: after a 429 nobody sends until the distributor's time has come, and it spends no retry.
func TestBusyIsHonouredByAll(t *testing.T) {
	busy := topup.Result{Outcome: topup.OutcomeUnavailable, HTTPStatus: 429, RetryAfter: time.Hour}
	b := setUp(t, busy)
	shared := &sharedState{}
	b.with(func(c *worker.Config) { c.Admission.SharedState = shared })
	for _, id := range []topup.ID{"A", "B"} {
		b.accept(t, request(id))
		b.process(t, id)
	}
	b.waitsFor(t, "B", topup.WaitRate)
	if until := shared.restrictions.PausedUntil; time.Until(until) < 50*time.Minute {
		t.Errorf("the others wait until %v", until)
	}
	if len(b.vendor.requests) != 1 {
		t.Errorf("the vendor saw %v", b.vendor.requests)
	}
	policy := worker.Policy{Initial: time.Second, Max: time.Second, MaxAttempts: 1}
	if s := policy.Decide(topup.Order{AttemptCount: 1}, busy, nil, 0, time.Now()); s.State != topup.StateRetrying {
		t.Errorf("an order that was turned away is %s", s.State)
	}
}

// TestOutageSpendsNoAttempts: once enough purchases have failed, orders wait, and only probes are made; when
// one goes through, all are released.
func TestOutageSpendsNoAttempts(t *testing.T) {
	b := setUp(t, unavailable)
	shared := &sharedState{}
	b.with(func(c *worker.Config) {
		c.Admission.SharedState, c.Admission.Breaker = shared, admission.Breaker{Share: 0.5, Probe: 50 * time.Millisecond}
		c.Policy.Initial = time.Hour // so that only probes try again
		c.Policy.Max = time.Hour
	})
	for i := range 70 {
		id := topup.ID(fmt.Sprint("ORD-", i))
		b.accept(t, request(id))
		b.process(t, id)
	}
	if n := len(b.vendor.requests); n != 50 || shared.outages() != 1 {
		t.Fatalf("%d requests and %d outages; want 50 and 1", n, shared.outages())
	}
	b.waitsFor(t, "ORD-69", topup.WaitOutage)
	b.sweep(t)
	testkit.Eventually(t, time.Minute, func() bool {
		b.vendor.mu.Lock()
		defer b.vendor.mu.Unlock()
		if len(b.vendor.requests) < 53 {
			return false
		}
		b.vendor.answers = []topup.Result{approved}
		return true
	}, "three probes are made")
	testkit.Eventually(t, 2*time.Minute, func() bool {
		for i := range 70 {
			id := topup.ID(fmt.Sprint("ORD-", i))
			d := b.details(t, id)
			if len(d.Attempts) > 1 {
				t.Fatalf("%s has spent %d attempts", id, len(d.Attempts))
			}
			if d.Released {
				b.process(t, id)
			}
			if len(d.Attempts) == 0 {
				return false
			}
		}
		return true
	}, "all orders have had an attempt")
}

// account has no money; nobody knows before it is to be spent.
type account struct{ asked atomic.Int64 }

func (*account) Active() bool                   { return true }
func (*account) Waits(topup.Waiting) topup.Wait { return "" }
func (a *account) Take(topup.Waiting) topup.Wait {
	a.asked.Add(1)
	return topup.WaitBalance
}

// TestProbeSpendsNoReservedMoney: a reserve that keeps orders waiting keeps the probes of an outage waiting as well.
func TestProbeSpendsNoReservedMoney(t *testing.T) {
	b := setUp(t, approved)
	shared, empty := &sharedState{}, &account{}
	shared.restrictions.Outages = map[string]topup.Outage{topup.OperatorOf(request("A").Product): {Since: time.Now()}}
	b.with(func(c *worker.Config) {
		c.Admission.SharedState, c.Admission.Breaker = shared, admission.Breaker{Share: 0.5, Probe: 10 * time.Millisecond}
		c.Admission.Reserves = []admission.Reserve{empty}
	})
	b.accept(t, request("A"))
	b.process(t, "A") // and so it waits
	b.sweep(t)
	testkit.Eventually(t, 10*time.Second, func() bool { return empty.asked.Load() >= 4 }, "three probes ask for money")
	b.is(t, "A", topup.StateQueued, "", 0)
}

// TestEveryCallerIsServed: nobody is left out, and whoever has few orders is done within as many rounds.
func TestEveryCallerIsServed(t *testing.T) {
	b := setUp(t, approved)
	limiter := &rateLimiter{}
	b.with(func(c *worker.Config) { c.Admission.RateLimiter = limiter })
	r := rand.New(rand.NewPCG(1, 2))
	var all []string
	for i := range 120 {
		q := request(topup.ID(fmt.Sprintf("%03d", i)))
		q.Caller, q.Priority = fmt.Sprint("caller-", r.IntN(7)), topup.PriorityBulk
		b.accept(t, q)
		all = append(all, string(q.ID))
	}
	b.sweep(t)
	var released []string
	for n := range 40 {
		limiter.add(3)
		released = b.enqueues(t, 3*(n+1))
	}
	if !slices.Equal(slices.Sorted(slices.Values(released)), all) {
		t.Errorf("released %v", released)
	}
}
