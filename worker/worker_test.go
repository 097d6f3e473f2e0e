package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"recarga/distributor"
	"recarga/internal/archive"
	"recarga/internal/intake"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
	"recarga/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vendor is a distributor whose answers the test writes.
type vendor struct {
	mu    sync.Mutex
	login error
	// loggingIn is called before each login, whose error is read after it.
	loggingIn func()
	balance   error
	answers   []topup.Result
	during    func(ctx context.Context, o topup.Order)
	sendBy    time.Time // of the latest request
	requests  []topup.ID
}

func (v *vendor) Authorize(context.Context) error {
	if v.loggingIn != nil {
		v.loggingIn()
	}
	return v.login
}

func (v *vendor) Purchase(ctx context.Context, o topup.Order, sendBy time.Time) topup.Result {
	v.mu.Lock()
	v.requests, v.sendBy = append(v.requests, o.ID), sendBy
	n, answers := len(v.requests), v.answers
	v.mu.Unlock()
	if !sendBy.After(time.Now()) {
		return topup.Result{Outcome: topup.OutcomeNotSent}
	}
	if v.during != nil {
		v.during(ctx, o)
	}
	return answers[min(n, len(answers))-1]
}

func (v *vendor) Balance(context.Context) (distributor.Balance, error) {
	return distributor.Balance{Amount: "970.00", Currency: "USD"}, v.balance
}

// outlet is where the worker delivers and enqueues.
type outlet struct {
	mu        sync.Mutex
	full      bool
	delivered []topup.Event
	enqueued  []string
	failed    bool
	// poison is what the queue never takes.
	poison string
	// refused are the reasons of refused tasks.
	refused []string
	// answer, if any, does what the enqueued task asks for.
	answer func(id topup.ID, at time.Time)
}

func (e *outlet) DeliverNow(_ context.Context, ev topup.Event, _ func(topup.Event, time.Time)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.full {
		return false
	}
	e.delivered = append(e.delivered, ev)
	return true
}

func (e *outlet) Deliver(context.Context, string) (time.Time, error) { return time.Time{}, nil }

func (e *outlet) enqueue(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed || id == e.poison {
		return errors.New("no Redis")
	}
	e.enqueued = append(e.enqueued, id)
	return nil
}

func (e *outlet) EnqueueEvent(_ context.Context, id string, _ time.Time) error { return e.enqueue(id) }
func (e *outlet) EnqueueOrder(_ context.Context, r topup.Request, at time.Time) error {
	if err := e.enqueue(string(r.ID)); err != nil || e.answer == nil {
		return err
	}
	e.answer(r.ID, at)
	return nil
}
func (e *outlet) ForceEnqueueOrder(ctx context.Context, r topup.Request) error {
	return e.EnqueueOrder(ctx, r, time.Time{})
}
func (e *outlet) ForceEnqueueEvent(_ context.Context, id string) error { return e.enqueue(id) }
func (e *outlet) Announce(context.Context) error                       { return nil }

func (e *outlet) tasks() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.enqueued)
}

func (e *outlet) refuse(reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refused = append(e.refused, reason)
}

func (e *outlet) types() (types []topup.EventType) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.delivered {
		types = append(types, ev.Type)
	}
	return types
}

// shaky is the journal, with errors the test orders.
type shaky struct {
	*journal.Journal
	mu     sync.Mutex
	finish int      // how many calls of Finish fail first
	poison topup.ID // what changes no order whose id begins so, ever
}

func (s *shaky) Finish(ctx context.Context, settlement topup.Settlement,
	now time.Time) (topup.Order, *topup.Event, error) {
	s.mu.Lock()
	fails := s.finish > 0
	s.finish--
	s.mu.Unlock()
	if fails || s.refuses(settlement.ID) {
		return topup.Order{}, nil, errors.New("database is gone")
	}
	return s.Journal.Finish(ctx, settlement, now)
}

func (s *shaky) refuses(id topup.ID) bool {
	return s.poison != "" && strings.HasPrefix(string(id), string(s.poison))
}

func (s *shaky) End(ctx context.Context, id topup.ID, now time.Time) (topup.Order, *topup.Event, error) {
	if s.refuses(id) {
		return topup.Order{}, nil, errors.New("a constraint failed")
	}
	return s.Journal.End(ctx, id, now)
}

// bench is a worker with its surroundings.
type bench struct {
	*worker.Worker
	journal *shaky
	vendor  *vendor
	outlet  *outlet
}

func setUp(t *testing.T, answers ...topup.Result) *bench {
	t.Helper()
	return setUpWithin(t, journal.TimeLimits{}, answers...)
}

// setUpWithin is setUp with limits of the orders' time; zero: none.
func setUpWithin(t *testing.T, limits journal.TimeLimits, answers ...topup.Result) *bench {
	t.Helper()
	j, err := journal.Open(t.Context(), journaltest.SQLite(t),
		journal.WithFirstTryGrace(0), journal.WithCatalog(topup.DefaultCatalog()),
		journal.WithArchive(archive.Folder(t.TempDir())), journal.WithTimeLimits(limits))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{journal: &shaky{Journal: j}, vendor: &vendor{answers: answers}, outlet: &outlet{}}
	b.Worker = worker.New(worker.Config{
		Journal: b.journal, Distributor: b.vendor, Deliverer: b.outlet, Waker: b.outlet, Balances: b.vendor,
		Timeout: 2 * time.Second,
		Policy:  worker.Policy{Initial: time.Second, Max: time.Minute, MaxAttempts: 3},
		Intake:  intake.Rules{Default: true, DefaultURL: "https://shop.example/hook", Caller: b.journal.Caller},
		Refused: b.outlet.refuse,
		Log:     slog.New(slog.DiscardHandler), SweepInterval: 10 * time.Millisecond, Alone: true,
	})
	t.Cleanup(func() {
		b.Worker.Close()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func request(id topup.ID) topup.Request {
	return topup.Request{ID: id, Caller: topup.DefaultCaller, Phone: "5537686660", Product: "MOVISTAR_TAE",
		Amount: topup.Pesos(10)}
}

func (b *bench) accept(t *testing.T, r topup.Request) {
	t.Helper()
	if _, _, err := b.journal.Accept(t.Context(), r, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) process(t *testing.T, id topup.ID) (again time.Time) {
	t.Helper()
	again, err := b.Process(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func (b *bench) details(t *testing.T, id topup.ID) topup.Details {
	t.Helper()
	d, err := b.journal.Details(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (b *bench) is(t *testing.T, id topup.ID, state topup.State, reason topup.Reason, requests int) {
	t.Helper()
	d := b.details(t, id)
	if d.State != state || d.Reason != reason {
		t.Errorf("%s is %s/%s, want %s/%s: %+v", id, d.State, d.Reason, state, reason, d.Attempts)
	}
	if len(b.vendor.requests) != requests {
		t.Errorf("the vendor saw %d requests, want %d", len(b.vendor.requests), requests)
	}
}

var (
	approved    = topup.Result{Outcome: topup.OutcomeApproved, HTTPStatus: 200, Code: "00", TransactionID: "TXN-1"}
	declined    = topup.Result{Outcome: topup.OutcomeDeclined, HTTPStatus: 402, Code: "51"}
	unavailable = topup.Result{Outcome: topup.OutcomeUnavailable, HTTPStatus: 500, Code: "91"}
	unknown     = topup.Result{Outcome: topup.OutcomeUnknown, Error: "cut off"}
	refused     = topup.Result{Outcome: topup.OutcomeNotSent, HTTPStatus: 401, LoginAgain: true}
)

func TestProcessSettlesAnOrder(t *testing.T) {
	cases := []struct {
		name     string
		answers  []topup.Result
		state    topup.State
		reason   topup.Reason
		events   []topup.EventType
		again    bool
		requests int
	}{
		{"approved", []topup.Result{approved}, topup.StateSucceeded, "", []topup.EventType{"topup.succeeded"}, false, 1},
		{"declined", []topup.Result{declined}, topup.StateFailed, topup.ReasonDeclined, []topup.EventType{"topup.failed"},
			false, 1},
		{"unavailable", []topup.Result{unavailable}, topup.StateRetrying, "", nil, true, 1},
		{"unknown", []topup.Result{unknown}, topup.StateUnknown, "", []topup.EventType{"topup.unknown"}, false, 1},
		{"token refused once", []topup.Result{refused, approved}, topup.StateSucceeded, "",
			[]topup.EventType{"topup.succeeded"}, false, 2},
		{"token refused twice", []topup.Result{refused}, topup.StateRetrying, "", nil, true, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := setUp(t, c.answers...)
			b.accept(t, request("A"))
			again := b.process(t, "A")
			b.is(t, "A", c.state, c.reason, c.requests)
			if !slices.Equal(b.outlet.types(), c.events) {
				t.Errorf("delivered %v, want %v", b.outlet.types(), c.events)
			}
			if again.After(time.Now()) != c.again {
				t.Errorf("comes back at %v, want that: %v", again, c.again)
			}
			// Whatever wakes a worker for it again, nothing more is sent.
			b.process(t, "A")
			b.is(t, "A", c.state, c.reason, c.requests)
		})
	}
}

// TestArchivedIsLeftAlone: an order that has left for the archive is not bought again, whoever still has its task.
func TestArchivedIsLeftAlone(t *testing.T) {
	b := setUp(t, approved)
	b.accept(t, request("A"))
	b.process(t, "A")
	for _, ev := range b.details(t, "A").Events {
		if err := b.journal.RecordTry(t.Context(), ev, topup.Try{At: time.Now()}, topup.EventDelivered,
			time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	soon := time.Now().Add(time.Hour)
	if moved, err := b.journal.Archive(t.Context(), soon, soon, nil); err != nil || moved.Orders != 1 {
		t.Fatalf("%+v, %v", moved, err)
	}
	b.process(t, "A")
	b.is(t, "A", topup.StateSucceeded, "", 1)
}

// TestOnlyOneSends: twenty workers are woken for one order at once.
func TestOnlyOneSends(t *testing.T) {
	b := setUp(t, approved)
	b.accept(t, request("A"))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { b.process(t, "A") })
	}
	wg.Wait()
	b.is(t, "A", topup.StateSucceeded, "", 1)
}

// TestUnderWayIsLeftAlone: an order whose attempt is under way elsewhere is not touched.
func TestUnderWayIsLeftAlone(t *testing.T) {
	b := setUp(t, approved)
	b.accept(t, request("A"))
	now := time.Now()
	if _, err := b.journal.Begin(t.Context(), "A", 0, "another worker", now.Add(time.Hour), now); err != nil {
		t.Fatal(err)
	}
	if again := b.process(t, "A"); !again.IsZero() {
		t.Errorf("comes back at %v", again)
	}
	b.is(t, "A", topup.StateSubmitting, "", 0)
}

func TestExpired(t *testing.T) {
	b := setUp(t, approved)
	r := request("A")
	soon := time.Now().Add(time.Second)
	r.ExpiresAt = &soon
	b.accept(t, r)
	<-time.After(time.Until(soon) + time.Millisecond)
	b.process(t, "A")
	b.is(t, "A", topup.StateFailed, topup.ReasonExpired, 0)
	if !slices.Equal(b.outlet.types(), []topup.EventType{"topup.failed"}) {
		t.Errorf("delivered %v", b.outlet.types())
	}
}

func TestNotDueYet(t *testing.T) {
	b := setUp(t, approved)
	r := request("A")
	later := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	r.ProcessAt = &later
	b.accept(t, r)
	if again := b.process(t, "A"); !again.Equal(later) {
		t.Errorf("comes back at %v, want %v", again, later)
	}
	b.is(t, "A", topup.StateQueued, "", 0)
}

// TestNoToken: without a login nothing is sent, and the attempt says why.
func TestNoToken(t *testing.T) {
	b := setUp(t, approved)
	b.vendor.login = errors.New("wrong credentials")
	b.accept(t, request("A"))
	b.process(t, "A")
	b.is(t, "A", topup.StateRetrying, "", 0)
	if a := b.details(t, "A").Attempts[0]; a.Outcome != topup.OutcomeNotSent || a.Error != "wrong credentials" {
		t.Errorf("attempt %+v", a)
	}
}

// TestWrongCredentials: while the distributor refuses them, orders wait, spend no try, and go on once it accepts them.
func TestWrongCredentials(t *testing.T) {
	b := setUp(t, approved)
	b.vendor.login = fmt.Errorf("login: %w", distributor.ErrCredentials)
	for _, id := range []topup.ID{"A", "B"} {
		b.accept(t, request(id))
		if _, err := b.HandlePurchase(t.Context(), purchaseTask(t, request(id), "")); err != nil {
			t.Error(err)
		}
		b.is(t, id, topup.StateQueued, "", 0)
		b.waitsFor(t, id, topup.WaitLogin)
		if d := b.details(t, id); len(d.Attempts) > 0 {
			t.Errorf("%s has attempts: %+v", id, d.Attempts)
		}
	}
	b.vendor.login = nil
	logging, stop := context.WithCancel(t.Context())
	stop()
	b.Login(logging) // once
	b.sweep(t)
	b.enqueues(t, 2)
	for _, id := range []topup.ID{"A", "B"} {
		b.process(t, id)
	}
	b.is(t, "A", topup.StateSucceeded, "", 2)
	b.is(t, "B", topup.StateSucceeded, "", 2)
}

func TestPanicLeavesUnknown(t *testing.T) {
	b := setUp(t, approved)
	b.vendor.during = func(context.Context, topup.Order) { panic("boom") }
	b.accept(t, request("A"))
	b.process(t, "A")
	b.is(t, "A", topup.StateUnknown, "", 1)
}

// TestResultIsWrittenUntilItIs: the journal fails for a while after the money has moved.
func TestResultIsWrittenUntilItIs(t *testing.T) {
	b := setUp(t, approved)
	b.journal.finish = 3
	b.accept(t, request("A"))
	b.process(t, "A")
	b.is(t, "A", topup.StateSucceeded, "", 1)
}

// TestShutdownDoesNotCutOff: the task's context ends in the middle of a purchase.
func TestShutdownDoesNotCutOff(t *testing.T) {
	b := setUp(t, approved)
	b.accept(t, request("A"))
	ctx, cancel := context.WithCancel(t.Context())
	b.vendor.during = func(inner context.Context, _ topup.Order) {
		cancel()
		if inner.Err() != nil {
			t.Error("the purchase is cut off with its task")
		}
	}
	if _, err := b.Process(ctx, "A"); err != nil {
		t.Fatal(err)
	}
	b.is(t, "A", topup.StateSucceeded, "", 1)
}

// TestLateAnswerSettles: an attempt is timed out while its worker still waits for the answer. The
// answer, when it comes, is evidence.
func TestLateAnswerSettles(t *testing.T) {
	b := setUp(t, approved)
	b.accept(t, request("A"))
	b.vendor.during = func(context.Context, topup.Order) {
		timedOut := topup.Settlement{ID: "A", Number: 1, Result: unknown, State: topup.StateUnknown}
		if _, _, err := b.journal.Journal.Finish(t.Context(), timedOut, time.Now()); err != nil {
			t.Error(err)
		}
	}
	b.process(t, "A")
	b.is(t, "A", topup.StateSucceeded, "", 1)
	d := b.details(t, "A")
	if len(d.Events) != 2 || d.Events[0].Type != "topup.unknown" || d.Events[1].Type != "topup.succeeded" ||
		d.Events[1].Sequence != 2 {
		t.Errorf("events %+v", d.Events)
	}
}

// TestNoRoomToDeliver: an event that cannot be tried at once is enqueued; when that fails too,
// the event is still there for the sweep.
func TestNoRoomToDeliver(t *testing.T) {
	b := setUp(t, approved)
	b.outlet.full = true
	b.accept(t, request("A"))
	b.process(t, "A")
	if id := b.details(t, "A").Events[0].ID; !slices.Equal(b.outlet.enqueued, []string{id}) {
		t.Errorf("enqueued %v, want %s", b.outlet.enqueued, id)
	}
	b.outlet.failed = true
	b.accept(t, request("B"))
	b.process(t, "B")
	due, err := b.journal.DueEvents(t.Context(), time.Now(), topup.DueEvent{}, 10)
	if err != nil || len(due) != 2 {
		t.Errorf("due events %v, %v; want both", due, err)
	}
}

// TestSweep: what the queue has lost is enqueued, and an attempt without a result becomes unknown.
func TestSweep(t *testing.T) {
	b := setUp(t, approved)
	for i := range 3 {
		b.accept(t, request(topup.ID(fmt.Sprintf("LOST-%d", i))))
	}
	b.accept(t, request("DEAD"))
	now := time.Now()
	if _, err := b.journal.Begin(t.Context(), "DEAD", 0, "a worker that died", now.Add(-time.Second),
		now.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.Sweep(ctx) })
	// The orders are enqueued after the attempts are timed out, so all is done when the last one is in.
	want := []string{"LOST-0", "LOST-1", "LOST-2"}
	testkit.Eventually(t, 20*time.Second, func() bool { return len(b.outlet.tasks()) >= len(want) }, "the sweep enqueues")
	cancel()
	wg.Wait()
	if got := b.outlet.tasks()[:len(want)]; !slices.Equal(got, want) {
		t.Errorf("enqueued %v, want %v", got, want)
	}
	b.is(t, "DEAD", topup.StateUnknown, "", 0)
	if !slices.Equal(b.outlet.types(), []topup.EventType{"topup.unknown"}) {
		t.Errorf("delivered %v", b.outlet.types())
	}
}

// TestSweepPassesBy: an order, or an event, that the queue does not take keeps no other from it.
func TestSweepPassesBy(t *testing.T) {
	b := setUp(t, approved)
	var events []string
	for i := range 3 {
		b.accept(t, request(topup.ID(fmt.Sprint("ORDER-", i))))
		invalid := request(topup.ID(fmt.Sprint("INVALID-", i))).Order(time.Now())
		ev, err := b.journal.AcceptInvalid(t.Context(), invalid, "no such product", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev.ID)
	}
	for _, poison := range []string{"ORDER-0", events[0]} {
		b.outlet.poison, b.outlet.enqueued = poison, nil
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { b.Sweep(ctx) })
		for _, id := range append([]string{"ORDER-0", "ORDER-1", "ORDER-2"}, events...) {
			testkit.Eventually(t, testkit.Patience,
				func() bool { return id == poison || slices.Contains(b.outlet.tasks(), id) }, "%s is enqueued", id)
		}
		cancel()
		wg.Wait()
	}
}

// TestSweepPassesByInTheJournal: an order that the journal refuses to change keeps no other from its end, or from the
// queue.
func TestSweepPassesByInTheJournal(t *testing.T) {
	b := setUp(t, approved)
	b.journal.poison = "A-"
	over := time.Now().Add(time.Second)
	for _, id := range []topup.ID{"A-DEAD", "DEAD", "A-OVER", "OVER", "LOST"} {
		r := request(id)
		if strings.HasSuffix(string(id), "OVER") {
			r.ExpiresAt = &over
		}
		b.accept(t, r)
		if strings.HasSuffix(string(id), "DEAD") {
			past := time.Now().Add(-time.Minute)
			if _, err := b.journal.Begin(t.Context(), id, 0, "a worker that died", past, past); err != nil {
				t.Fatal(err)
			}
		}
	}
	<-time.After(time.Until(over) + time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.Sweep(ctx) })
	testkit.Eventually(t, testkit.Patience, func() bool {
		return b.details(t, "DEAD").State == topup.StateUnknown && b.details(t, "OVER").State.Final() &&
			slices.Contains(b.outlet.tasks(), "LOST")
	}, "all but what the journal refuses is done")
	cancel()
	wg.Wait()
	b.is(t, "A-DEAD", topup.StateSubmitting, "", 0)
	b.is(t, "A-OVER", topup.StateQueued, "", 0)
}

// TestSweepEndsWithoutTheQueue: while the queue is away, an order whose time is over ends, also behind one that waits.
func TestSweepEndsWithoutTheQueue(t *testing.T) {
	b := setUp(t, approved)
	b.outlet.failed = true
	b.accept(t, request("PATIENT"))
	r := request("OVER")
	soon := time.Now().Add(50 * time.Millisecond)
	r.ExpiresAt = &soon
	b.accept(t, r)
	<-time.After(time.Until(soon) + time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.Sweep(ctx) })
	testkit.Eventually(t, testkit.Patience, func() bool { return b.details(t, "OVER").State.Final() }, "the order ends")
	cancel()
	wg.Wait()
	b.is(t, "OVER", topup.StateFailed, topup.ReasonExpired, 0)
	b.is(t, "PATIENT", topup.StateQueued, "", 0)
}

func TestTasksFromElsewhere(t *testing.T) {
	cases := map[string]struct {
		payload string
		state   string
		fails   bool
	}{
		"new and valid": {`{"distributor_transaction_id":"A","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10}`,
			"succeeded/", false},
		"new and invalid": {`{"distributor_transaction_id":"A","phone_number":"123","product_id":"NONE","amount":1}`,
			"failed/invalid", false},
		"expired": {`{"distributor_transaction_id":"A","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10,"expires_at":"2020-01-01T00:00:00Z"}`,
			"failed/expired", false},
		"no id":    {`{"phone_number":"5537686660"}`, "", true},
		"not JSON": {`order A please`, "", true},
		"empty":    {``, "", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, approved)
			_, err := b.HandlePurchase(t.Context(), tasks.Task{Type: tasks.TypePurchase, Payload: []byte(c.payload)})
			if (err != nil) != c.fails {
				t.Fatalf("error %v", err)
			}
			if c.fails {
				return
			}
			d := b.details(t, "A")
			if got := string(d.State) + "/" + string(d.Reason); got != c.state || len(d.Events) != 1 {
				t.Errorf("%s with %d events, want %s with 1", got, len(d.Events), c.state)
			}
		})
	}
}

// TestTheJournalsContentCounts: a task for a known order with another content buys the recorded one.
func TestTheJournalsContentCounts(t *testing.T) {
	b := setUp(t, approved)
	b.accept(t, request("A"))
	b.vendor.during = func(_ context.Context, o topup.Order) {
		if o.Amount != topup.Pesos(10) || o.Phone != "5537686660" {
			t.Errorf("buys %s for %s", o.Amount, o.Phone.Digits())
		}
	}
	other := `{"distributor_transaction_id":"A","phone_number":"5511111111","product_id":"MOVISTAR_TAE","amount":5000}`
	if _, err := b.HandlePurchase(t.Context(), tasks.Task{Type: tasks.TypePurchase, Payload: []byte(other)}); err != nil {
		t.Fatal(err)
	}
	b.is(t, "A", topup.StateSucceeded, "", 1)
}

// TestEvidence: an unknown attempt has evidence of what the money did around it.
func TestEvidence(t *testing.T) {
	before := approved
	balance := json.Number("990.00")
	before.BalanceAfter = &balance
	b := setUp(t, before, unknown, unknown)
	for _, id := range []topup.ID{"BEFORE", "A", "B"} {
		b.accept(t, request(id))
		b.process(t, id)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.Sweep(ctx) }()
	var evidence string
	testkit.Eventually(t, 10*time.Second, func() bool {
		evidence = b.details(t, "A").Attempts[0].Evidence
		return evidence != ""
	}, "evidence of A")
	stop()
	<-ended
	for _, part := range []string{"balance before: 990.00 (order BEFORE, ", "after: 970.00 USD",
		"0 other orders succeeded", "1 others are unknown"} {
		if !strings.Contains(evidence, part) {
			t.Errorf("%q is not in %q", part, evidence)
		}
	}
}

// TestResentByAPerson: the order gets a new schedule, in which the tries before count no more.
func TestResentByAPerson(t *testing.T) {
	b := setUp(t, unknown, unavailable)
	b.with(func(c *worker.Config) { c.Policy.MaxAttempts = 2 })
	b.accept(t, request("A"))
	b.process(t, "A")
	b.is(t, "A", topup.StateUnknown, "", 1)
	b.resend(t, "A")
	b.process(t, "A")
	b.is(t, "A", topup.StateRetrying, "", 2)
}

func (b *bench) resend(t *testing.T, id topup.ID) {
	t.Helper()
	r := topup.Resolution{Outcome: topup.ResolvedResend, Reason: "not in the statement", Forced: true}
	if _, _, err := b.journal.Resolve(t.Context(), id, r, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// TestNothingIsSentAfterTheEnd: the request itself is bound by the order's end, which may come after its attempt
// began.
func TestNothingIsSentAfterTheEnd(t *testing.T) {
	b := setUp(t, approved)
	r := request("A")
	b.with(func(c *worker.Config) { c.Slack = time.Hour })
	ends := time.Now().Add(time.Minute).UTC().Truncate(time.Microsecond)
	r.ExpiresAt = &ends
	b.accept(t, r)
	if _, err := b.Process(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if len(b.vendor.requests) != 1 || !b.vendor.sendBy.Equal(ends) {
		t.Errorf("a request may be sent until %s; the order ends at %s", b.vendor.sendBy, ends)
	}
}
