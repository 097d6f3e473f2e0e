package balance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"recarga/distributor"
	"recarga/internal/admission"
	"recarga/internal/balance"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quiet enqueues nothing, and delivers nothing: the tests process the orders.
type quiet struct{}

func (quiet) EnqueueOrder(context.Context, topup.Request, time.Time) error { return nil }
func (quiet) EnqueueEvent(context.Context, string, time.Time) error        { return nil }
func (quiet) ForceEnqueueOrder(context.Context, topup.Request) error       { return nil }
func (quiet) ForceEnqueueEvent(context.Context, string) error              { return nil }
func (quiet) Announce(context.Context) error                               { return nil }
func (quiet) Deliver(context.Context, string) (time.Time, error)           { return time.Time{}, nil }
func (quiet) DeliverNow(context.Context, topup.Event, func(topup.Event, time.Time)) bool {
	return true
}

// fixture is a book of record, the sandbox, and two workers with a watch each.
type fixture struct {
	*journal.Journal
	vendor  *sandbox.Server
	url     string
	client  *distributor.Client
	watches []*balance.Watch
	workers []*worker.Worker
}

func setUp(t *testing.T, databaseURL string, change func(*balance.Config)) *fixture {
	t.Helper()
	j, err := journal.Open(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	cfg := sandbox.DefaultConfig()
	cfg.LatencyMaxMS, cfg.SlowAnswerMS, cfg.ApproveDelayMS = 15, 20, 20
	k := &fixture{Journal: j, vendor: sandbox.New(cfg, log)}
	server := httptest.NewServer(k.vendor)
	k.url = server.URL
	if k.client, err = distributor.New(distributor.Config{URL: server.URL + "/api/distributor", CustomerID: "demo",
		SecretKey: "demo", Timeout: 5 * time.Second, Log: log}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		cfg := balance.Config{Book: j, Asker: k.client, Deliverer: quiet{}, Interval: 10 * time.Millisecond,
			Stale: time.Millisecond, Notify: true, Log: log}
		change(&cfg)
		w := balance.New(cfg)
		k.watches = append(k.watches, w)
		k.workers = append(k.workers, worker.New(worker.Config{
			Journal: j, Distributor: w.Distributor(
				k.client), Deliverer: quiet{}, Waker: quiet{}, Timeout: 5 * time.Second, Log: log,
			Policy:    worker.Policy{Initial: time.Millisecond, Max: time.Millisecond, MaxAttempts: 3},
			Admission: admission.Config{Reserves: []admission.Reserve{w}},
		}))
	}
	t.Cleanup(func() {
		for _, w := range k.workers {
			w.Close()
		}
		k.client.Close()
		k.vendor.Close()
		server.Close()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func sqlite(t *testing.T) string { return journaltest.SQLite(t) }

// watch runs the watches until the function it returns is called.
func (k *fixture) watch(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	for _, w := range k.watches {
		done.Go(func() { w.Run(ctx) })
	}
	return func() { cancel(); done.Wait() }
}

// buy places an order and processes it until nobody needs to.
func (k *fixture) buy(t *testing.T, worker int, id topup.ID, phone topup.Phone, pesos int64) {
	r := topup.Request{ID: id, Caller: topup.DefaultCaller, Phone: phone, Product: "MOVISTAR_TAE",
		Amount: topup.Pesos(pesos)}
	if _, _, err := k.Accept(t.Context(), r, time.Now()); err != nil {
		t.Error(err)
		return
	}
	for {
		again, err := k.workers[worker].Process(t.Context(), r.ID)
		if err != nil {
			t.Error(err)
		}
		if again.IsZero() {
			return
		}
		<-time.After(time.Until(again))
	}
}

// set changes the sandbox.
func (k *fixture) set(t *testing.T, settings string) {
	t.Helper()
	res, err := http.Post(k.url+"/sandbox/config", "application/json", bytes.NewBufferString(settings))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
}

// events are the data of the events of a type.
func (k *fixture) events(t *testing.T, kind topup.EventType) (all []json.RawMessage) {
	t.Helper()
	due, err := k.DueEvents(t.Context(), time.Now().Add(time.Hour), topup.DueEvent{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		ev, err := k.Event(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ Data json.RawMessage }
		if ev.Type == kind && json.Unmarshal(ev.Body, &body) == nil {
			all = append(all, body.Data)
		}
	}
	return all
}

// asked waits until somebody has asked for the balance after this moment.
func (k *fixture) asked(t *testing.T) {
	t.Helper()
	now := time.Now()
	testkit.Eventually(t, 20*time.Second, func() bool {
		s, err := k.Balance(t.Context())
		return err == nil && s.From.After(now)
	}, "the balance is asked for")
}

// TestNeverCriesWolf: orders of every fate, at random times, on two workers, while both watch: no fall is ever taken
// for one that they do not explain.
func TestNeverCriesWolf(t *testing.T) {
	for _, engine := range []struct {
		name string
		url  func(*testing.T) string
	}{{"sqlite", sqlite}, {"postgres", func(t *testing.T) string { return journaltest.Postgres(t).URL() }}} {
		t.Run(engine.name, func(t *testing.T) {
			k := setUp(t, engine.url(t), func(*balance.Config) {})
			stop := k.watch(t)
			defer stop()
			k.asked(t)
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			var all sync.WaitGroup
			for i := range 12 {
				all.Go(func() {
					dice := rand.New(rand.NewPCG(seed, uint64(i)))
					fates := []topup.Phone{"5537686660", "5537686661", "5537686662", "5500000091", "5500001091", "5500000013",
						"5500000500", "5500000501", "5500000502", "5500000503", "5500000504", "5500000599", "5500000200", "5500000000",
						"5500000401"}
					for n := range testkit.Times(8, 25) {
						k.buy(t, i%2, topup.ID(fmt.Sprintf("WOLF-%d-%d", i, n)), fates[dice.IntN(len(fates))], 10+dice.Int64N(200))
					}
				})
			}
			all.Wait()
			k.asked(t)
			if s, err := k.Balance(t.Context()); err != nil || s.Drift != 0 {
				t.Errorf("cried wolf: %s, %v", s.Drift, err)
			}
			if events := k.events(t, topup.EventBalanceDrift); len(events) != 0 {
				t.Errorf("notified of %s", events)
			}
		})
	}
}

// TestSecondChargeIsNoticed: an order that the distributor charges twice is a drift of its amount, of which the
// operator is notified once.
func TestSecondChargeIsNoticed(t *testing.T) {
	k := setUp(t, sqlite(t), func(*balance.Config) {})
	defer k.watch(t)()
	k.asked(t)
	k.buy(t, 0, "ONCE", "5537686660", 30)
	k.buy(t, 1, "TWICE", "5500000002", 40)
	testkit.Eventually(t, 20*time.Second, func() bool { return len(k.events(t, topup.EventBalanceDrift)) > 0 },
		"the operator is notified of the drift")
	k.asked(t)
	events := k.events(t, topup.EventBalanceDrift)
	if len(events) != 1 || !strings.Contains(string(events[0]), `"unexplained_at_least":40,`) &&
		!strings.Contains(string(events[0]), `"unexplained_at_least":40}`) {
		t.Errorf("notified of %s", events)
	}
}

// TestLowIsNotifiedOncePerFall: by two workers together, however many purchases see it.
func TestLowIsNotifiedOncePerFall(t *testing.T) {
	k := setUp(t, sqlite(t), func(c *balance.Config) { c.Low = topup.Pesos(500) })
	stop := k.watch(t)
	defer stop()
	for fall := 1; fall <= 2; fall++ {
		k.set(t, `{"initial_balance": 1000}`)
		testkit.Eventually(t, 20*time.Second, func() bool {
			s, err := k.Balance(t.Context())
			return err == nil && !s.Low && s.Amount == topup.Pesos(1000)
		}, "it is no longer low")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for n := range 10 {
					k.buy(t, i%2, topup.ID(fmt.Sprintf("LOW-%d-%d-%d", fall, i, n)), "5537686660", 10)
				}
			})
		}
		all.Wait()
		testkit.Eventually(t, 20*time.Second, func() bool {
			s, err := k.Balance(t.Context())
			return err == nil && s.Low
		}, "it is low")
		k.asked(t)
		if events := k.events(t, topup.EventBalanceLow); len(events) != fall {
			t.Errorf("after fall %d there were %d events: %s", fall, len(events), events)
		}
	}
}

// TestTakeLeavesEnough: of many orders that are let through at once, no more than there is money for.
func TestTakeLeavesEnough(t *testing.T) {
	k := setUp(t, sqlite(t), func(c *balance.Config) { c.Reserve = topup.Pesos(100) })
	now := time.Now()
	if err := k.RecordBalance(t.Context(),
		topup.BalanceReading{Amount: topup.Pesos(175), From: now, At: now}); err != nil {
		t.Fatal(err)
	}
	w := k.watches[0]
	order := func(i int) topup.Waiting {
		return topup.Waiting{ID: topup.ID(fmt.Sprint(i)), Amount: topup.Pesos(10)}
	}
	if why := w.Waits(order(0)); why != "" {
		t.Errorf("with nothing known it waits for %s", why)
	}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	let := 0
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if w.Take(order(i)) == "" {
				mu.Lock()
				defer mu.Unlock()
				let++
			}
		})
	}
	all.Wait()
	if let != 7 {
		t.Errorf("%d orders of 10 are let through with 75 above the limit", let)
	}
	if why := w.Waits(order(99)); why != topup.WaitBalance {
		t.Errorf("the next one waits for %q", why)
	}
}
