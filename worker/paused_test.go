package worker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/topup/desk"
	"recarga/worker"
)

// controlled is what people have set, and since when an order is paused, or is not.
type controlled struct {
	mu  sync.Mutex
	set desk.Controls
	// changed is when an order of a caller and product was last paused, or resumed.
	changed map[[2]string]time.Time
}

func (c *controlled) now(context.Context) desk.Controls {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.set)
}

func (c *controlled) toggle(control desk.Control) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := slices.Clone(c.set)
	same := func(o desk.Control) bool { return o.Kind == control.Kind && o.Name == control.Name }
	if slices.ContainsFunc(before, same) {
		c.set = slices.DeleteFunc(slices.Clone(before), same)
	} else {
		c.set = append(slices.Clone(before), control)
	}
	for _, caller := range pausedCallers {
		for _, product := range pausedProducts {
			_, was := before.PurchasePause(caller, product)
			if _, is := c.set.PurchasePause(caller, product); is != was {
				c.changed[[2]string{caller, product}] = time.Now()
			}
		}
	}
}

// paused reports whether an order is paused, and since when that is so.
func (c *controlled) paused(caller, product string) (bool, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, paused := c.set.PurchasePause(caller, product)
	return paused, c.changed[[2]string{caller, product}]
}

var (
	pausedCallers  = []string{"shop", "kiosk", "web"}
	pausedProducts = []string{"MOVISTAR_TAE", "MOVISTAR_PAQUETE_16", "UNEFON_TAE"}
)

// TestPauses: people pause and resume callers, products, operators and all purchases at random, beside orders of all
// priorities. No purchase of what is paused begins, but within a second; what is not paused is bought within seconds,
// whoever else waits; and nothing fails by a pause.
func TestPauses(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, limited := range []bool{false, true} {
		t.Run(fmt.Sprint("limited ", limited), func(t *testing.T) {
			testkit.Bubble(t, func(t *testing.T) { pauseRandomly(t, rand.New(rand.NewPCG(seed, 0)), limited) })
		})
	}
}

func pauseRandomly(t *testing.T, r *rand.Rand, limited bool) {
	people := &controlled{changed: map[[2]string]time.Time{}}
	b := setUp(t, approved)
	j, err := journal.Open(t.Context(), journaltest.SQLite(t), journal.WithFirstTryGrace(0)) // of any product
	if err != nil {
		t.Fatal(err)
	}
	b.journal.Journal = j
	defer func() { _ = j.Close() }()
	b.with(func(c *worker.Config) {
		c.Admission.Controls, c.SweepInterval = people.now, time.Second
		if limited {
			c.Admission.RateLimiter = &rateLimiter{left: 1 << 30}
		}
	})
	bought := map[topup.ID]bool{}
	var mu sync.Mutex
	b.vendor.during = func(_ context.Context, o topup.Order) {
		mu.Lock()
		defer mu.Unlock()
		bought[o.ID] = true
		if paused, since := people.paused(o.Caller, o.Product); paused && time.Since(since) > time.Second {
			t.Errorf("%s of %s is bought %s after its pause", o.Product, o.Caller, time.Since(since))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	defer busy.Wait()
	defer cancel()
	wake := func(id topup.ID, at time.Time) {
		busy.Go(func() {
			time.Sleep(time.Until(at)) // of the bubble's clock
			if _, err := b.Process(context.WithoutCancel(ctx), id); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	b.outlet.answer = wake
	busy.Go(func() { b.Sweep(ctx) })
	pick := func(of []string) string { return of[r.IntN(len(of))] }
	orders := map[topup.ID]topup.Request{}
	placed := map[topup.ID]time.Time{}
	waits := func(id topup.ID) (overdue bool) {
		q := orders[id]
		paused, since := people.paused(q.Caller, q.Product)
		if since.Before(placed[id]) {
			since = placed[id]
		}
		mu.Lock()
		defer mu.Unlock()
		return !paused && !bought[id] && time.Since(since) > 5*time.Second
	}
	for step := range testkit.Times(60, 1500) {
		switch r.IntN(5) {
		case 0:
			people.toggle(desk.Control{Kind: desk.PauseCaller, Name: topup.NullString(pick(pausedCallers))})
		case 1:
			product := pick(pausedProducts)
			people.toggle([]desk.Control{
				{Kind: desk.PauseProduct, Name: topup.NullString(product)},
				{Kind: desk.PauseOperator, Name: topup.NullString(topup.OperatorOf(product))},
				{Kind: desk.PausePurchases},
			}[r.IntN(3)])
		default:
			q := request(topup.ID(fmt.Sprint("P-", step)))
			q.Caller, q.Product = pick(pausedCallers), pick(pausedProducts)
			q.Priority = topup.Priorities()[r.IntN(3)]
			b.accept(t, q)
			orders[q.ID], placed[q.ID] = q, time.Now()
			wake(q.ID, time.Now())
		}
		time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
		for id := range orders {
			if waits(id) {
				d := b.details(t, id)
				t.Fatalf("%s of %s is not paused and not bought: %s, waits for %q", d.Product, d.Caller, d.State, d.WaitsFor)
			}
		}
	}
	for _, c := range people.now(ctx) {
		people.toggle(c)
	}
	time.Sleep(10 * time.Second)
	for id := range orders {
		if d := b.details(t, id); d.State != topup.StateSucceeded || len(d.Attempts) != 1 {
			t.Errorf("%s is %s with %d attempts, and waits for %q", id, d.State, len(d.Attempts), d.WaitsFor)
		}
	}
}

// TestAPauseSpendsNoTry: an order that was tried waits for the end of a pause without an attempt, however often it is
// processed, and has all its tries left then. Its time goes on: at its end it fails, as in any wait.
func TestAPauseSpendsNoTry(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		b := setUpWithin(t, journal.TimeLimits{Tried: time.Hour}, unavailable)
		people := &controlled{changed: map[[2]string]time.Time{}}
		b.with(func(c *worker.Config) {
			c.Admission.Controls, c.Policy.MaxAttempts = people.now, 2
		})
		for _, id := range []topup.ID{"RESUMED", "FORGOTTEN"} {
			b.accept(t, request(id))
			b.process(t, id)
		}
		people.toggle(desk.Control{Kind: desk.PausePurchases})
		for range 50 {
			time.Sleep(time.Minute)
			b.process(t, "RESUMED")
			b.process(t, "FORGOTTEN")
		}
		b.is(t, "RESUMED", topup.StateRetrying, "", 2)
		for _, id := range []topup.ID{"RESUMED", "FORGOTTEN"} {
			if d := b.details(t, id); d.WaitsFor != topup.NullString(topup.WaitPaused) || d.AttemptCount != 1 {
				t.Errorf("%s waits for %q after %d attempts", id, d.WaitsFor, d.AttemptCount)
			}
		}
		b.vendor.answers = []topup.Result{approved}
		people.toggle(desk.Control{Kind: desk.PausePurchases})
		time.Sleep(time.Second)
		b.process(t, "RESUMED")
		b.is(t, "RESUMED", topup.StateSucceeded, "", 3)
		people.toggle(desk.Control{Kind: desk.PausePurchases})
		time.Sleep(time.Second)
		for range 15 {
			b.process(t, "FORGOTTEN")
			time.Sleep(time.Minute)
		}
		b.is(t, "FORGOTTEN", topup.StateFailed, topup.ReasonRetriesExhausted, 3)
	})
}
