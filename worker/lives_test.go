package worker_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/reconcile"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/worker"
)

// TestRandomLives: random lives of orders, in the time of a bubble, judged by what the vendor really charged. An
// order that is failed or canceled was never charged, one that succeeded was; every order ends or is held; nothing is
// sent when an order's time is over; and nobody but a person says a wrong word about money. RECARGA_TEST_SEED repeats
// a run.
func TestRandomLives(t *testing.T) {
	seed := rand.Uint64()
	if given := os.Getenv("RECARGA_TEST_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("RECARGA_TEST_SEED is %q: %v", given, err)
		}
	}
	sqlite := func(t *testing.T) string { return journaltest.SQLite(t) }
	postgres := func(t *testing.T) string { return journaltest.Postgres(t).URL() }
	for _, c := range []struct {
		name     string
		database func(*testing.T) string
		resend   bool
		lives    int
	}{
		{"sqlite, hold", sqlite, false, manyLives},
		{"sqlite, resend", sqlite, true, 6000},
		{"postgres, hold", postgres, false, 2000},
		{"postgres, resend", postgres, true, 2000},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.name, "postgres") {
				testkit.Deep(t) // to its pool, which closes what is idle, each wait of a bubble is long
			}
			t.Logf("seed %d", seed)
			url, lives := c.database(t), testkit.Times(c.lives/200, testkit.Some(c.lives))
			testkit.Bubble(t, func(t *testing.T) { liveRandomly(t, url, seed, lives, c.resend) })
		})
	}
}

const (
	// callTimeout is of a purchase; a worker that slept answers long after it.
	callTimeout = 20 * time.Second
	// A whole life is longer than all limits of an order together.
	expiresAfter, maxElapsed, wholeLife = time.Hour, 20 * time.Minute, 4 * time.Hour
	// manyLives are enough for a statement to come, now and then, while an order waits that it charges.
	manyLives = 10_000
	// statementEvery is the time between two statements of the vendor.
	statementEvery = 50 * time.Minute
)

// planet is the world of all lives: the vendor with its ledger, the queue, and the people.
type planet struct {
	*worker.Worker
	t       *testing.T
	seed    uint64
	resend  bool
	journal *journal.Journal
	busy    sync.WaitGroup

	mu sync.Mutex
	// charged is the vendor's ledger, and statement its lines.
	charged   map[topup.ID]int
	statement strings.Builder
	// byStatement counts the decisions that statements led to.
	byStatement map[topup.ResolvedAs]int
	// spiteful are the orders that the vendor charged, and called unavailable. chargedHeld is how often those were
	// charged that a statement then held.
	spiteful    map[topup.ID]bool
	chargedHeld map[topup.ID]int
	// blind are the orders that a person sent again, or called failed, without looking into the ledger.
	blind map[topup.ID]bool
}

// chance is the luck of one order at one matter, the same in each run of a seed.
func (p *planet) chance(id topup.ID, matter string) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, id, "/", matter) // it never fails
	return rand.New(rand.NewPCG(p.seed, h.Sum64()))
}

func (p *planet) Authorize(context.Context) error { return nil }

// Purchase charges, or does not, and says so, or does not: at once, or when everybody has stopped waiting for it.
func (p *planet) Purchase(_ context.Context, o topup.Order, sendBy time.Time) topup.Result {
	now := time.Now()
	if !now.Before(sendBy) {
		return topup.Result{Outcome: topup.OutcomeNotSent}
	}
	if o.ExpiresAt != nil && !now.Before(*o.ExpiresAt) {
		p.t.Errorf("%s is sent at %s, and expired at %s", o.ID, now, o.ExpiresAt)
	}
	r := p.chance(o.ID, fmt.Sprint("attempt", o.AttemptCount))
	fates := []struct {
		charges bool
		result  topup.Result
	}{
		{true, approved}, {false, declined}, {false, topup.Result{Outcome: topup.OutcomeDeclined, Code: "12"}},
		{false, unavailable}, {false, topup.Result{Outcome: topup.OutcomeNotSent, Error: "no route"}},
		{true, unknown}, {false, unknown},
	}
	fate := fates[r.IntN(len(fates))]
	if fate.result.Outcome == topup.OutcomeApproved {
		fate.result.TransactionID = fmt.Sprint("TXN-", o.ID, "-", o.AttemptCount) // each purchase has its own
	}
	spite := fate.result.Outcome == topup.OutcomeUnavailable && r.IntN(3) == 0
	if fate.charges || spite {
		p.mu.Lock()
		p.spiteful[o.ID] = p.spiteful[o.ID] || spite
		p.charged[o.ID]++
		_, _ = fmt.Fprintf(&p.statement, "%s,TXN-%s-%d,%s,%s,%s,Aprobado\n", // it never fails
			now.UTC().Format(time.RFC3339), o.ID, o.AttemptCount, o.ID, o.Phone.Digits(), o.Amount)
		p.mu.Unlock()
	}
	switch r.IntN(4) {
	case 0: // the worker sleeps, or its process stands still, and comes back
		time.Sleep(time.Duration(r.IntN(int(2 * maxElapsed))))
	case 1:
		time.Sleep(time.Duration(r.IntN(int(callTimeout))))
	}
	return fate.result
}

// task is what a task of the queue does; now and then the queue loses it.
func (p *planet) task(r topup.Request, at time.Time) {
	if p.chance(r.ID, fmt.Sprint("queue", at.UnixNano())).IntN(8) == 0 {
		return
	}
	p.busy.Go(func() {
		time.Sleep(time.Until(at))
		again, err := p.Process(context.Background(), r.ID)
		if err != nil && !errors.Is(err, topup.ErrLost) {
			p.t.Errorf("%s: %v", r.ID, err)
		}
		if !again.IsZero() {
			p.task(r, again)
		}
	})
}

func (p *planet) EnqueueOrder(_ context.Context, r topup.Request, at time.Time) error {
	p.task(r, at)
	return nil
}

func (p *planet) ForceEnqueueOrder(ctx context.Context, r topup.Request) error {
	return p.EnqueueOrder(ctx, r, time.Time{})
}
func (*planet) EnqueueEvent(context.Context, string, time.Time) error { return nil }
func (*planet) ForceEnqueueEvent(context.Context, string) error       { return nil }
func (*planet) Announce(context.Context) error                        { return nil }

func liveRandomly(t *testing.T, url string, seed uint64, lives int, resend bool) {
	j, err := journal.Open(context.Background(), url,
		journal.WithTimeLimits(journal.TimeLimits{Untried: expiresAfter, Tried: maxElapsed}))
	if err != nil {
		t.Fatal(err)
	}
	p := &planet{t: t, seed: seed, resend: resend, journal: j, charged: map[topup.ID]int{}, blind: map[topup.ID]bool{},
		byStatement: map[topup.ResolvedAs]int{},
		spiteful:    map[topup.ID]bool{}, chargedHeld: map[topup.ID]int{}}
	p.Worker = worker.New(worker.Config{
		Journal: j, Distributor: p, Deliverer: &outlet{}, Waker: p, Timeout: callTimeout, Log: slog.New(slog.DiscardHandler),
		Policy: worker.Policy{Initial: time.Second, Max: time.Minute, MaxAttempts: 4, ResendUnknown: resend},
	})
	ctx, stop := context.WithCancel(context.Background())
	var sweeping, people sync.WaitGroup
	// The race detector's own runtime breaks (ThreadSanitizer: CHECK failed) on a life with statements.
	sweeping.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			time.Sleep(statementEvery)
			p.reconcile([]reconcile.Absent{reconcile.AbsentFailed, reconcile.AbsentResend}[n%2])
		}
	})
	sweeping.Go(func() {
		for ctx.Err() == nil {
			p.SweepOnce(ctx)
			time.Sleep(15 * time.Second)
		}
	})
	for i := range lives {
		people.Go(func() { p.live(topup.ID(fmt.Sprint("LIFE-", i))) })
	}
	people.Wait()
	stop()
	sweeping.Wait()
	p.busy.Wait()
	states := map[string]int{}
	for i := range lives {
		states[p.judge(topup.ID(fmt.Sprint("LIFE-", i)))]++
	}
	t.Logf("%d lives: %v; by statements %v", lives, states, p.byStatement)
	if testkit.Proving() && (len(states) < 6 || p.byStatement[topup.ResolvedSucceeded] == 0 || lives >= manyLives &&
		p.byStatement[topup.ResolvedHeld] == 0) {
		t.Errorf("the lives were poor: %v, %v", states, p.byStatement)
	}
	p.Close()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// live is one order's life as its people make it: it is placed, perhaps canceled, and resolved while it is held.
func (p *planet) live(id topup.ID) {
	r := p.chance(id, "people")
	begins := time.Now().Add(time.Duration(r.IntN(int(wholeLife / 2))))
	time.Sleep(time.Until(begins))
	order := request(id)
	if r.IntN(4) == 0 {
		order.ExpiresAt = new(begins.Add(time.Duration(1 + r.IntN(int(maxElapsed)))))
	}
	if _, _, err := p.journal.Accept(context.Background(), order, begins); err != nil {
		p.t.Errorf("%s: %v", id, err)
		return
	}
	if r.IntN(20) > 0 { // else nobody is woken until its time is over
		p.task(order, begins)
	}
	if r.IntN(6) == 0 {
		time.Sleep(time.Duration(r.IntN(int(5 * time.Minute))))
		_, _, _ = p.journal.Cancel(context.Background(), id, "", time.Now()) // it may be too late for it
	}
	for time.Since(begins) < wholeLife {
		time.Sleep(time.Minute + time.Duration(r.IntN(int(10*time.Minute))))
		o, err := p.journal.Order(context.Background(), id)
		switch {
		case err != nil:
			p.t.Errorf("%s: %v", id, err)
		case o.State == topup.StateUnknown && r.IntN(3) > 0:
			p.resolve(r, o)
		case o.DisputedAt != nil:
			p.decide(o)
		case o.State.Final():
			time.Sleep(2 * maxElapsed) // for answers that come late
			if o, err = p.journal.Order(context.Background(), id); err == nil && o.DisputedAt != nil {
				p.decide(o)
			}
			return
		}
	}
}

// resolve is a person's decision: by the vendor's ledger, or now and then without reading it.
func (p *planet) resolve(r *rand.Rand, o topup.Order) {
	p.mu.Lock()
	charged, blindly := p.charged[o.ID] > 0, r.IntN(10) == 0
	p.mu.Unlock()
	d := topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "the ledger", Attempt: o.AttemptCount}
	switch {
	case time.Since(o.CreatedAt) < wholeLife/2 && (blindly && r.IntN(2) == 0 || !charged && r.IntN(2) == 0):
		d.Outcome = topup.ResolvedResend
	case charged && !blindly:
		d.Outcome = topup.ResolvedSucceeded
	}
	if blindly && charged {
		p.mu.Lock()
		p.blind[o.ID] = true
		delete(p.chargedHeld, o.ID)
		p.mu.Unlock()
	}
	_, _, _ = p.journal.Resolve(context.Background(), o.ID, d, time.Now()) // it may be too early, or expired
}

// reconcile compares the book with the vendor's statement of all that it has charged, settles what that proves, and
// has a person decide what it disputes.
func (p *planet) reconcile(absent reconcile.Absent) {
	p.mu.Lock()
	text := "date,transaction_id,distributor_transaction_id,phone_number,amount,status\n" + p.statement.String()
	p.mu.Unlock()
	opts, err := reconcile.ParseOptions(url.Values{"absent": {string(absent)}, "margin": {"1m"}}, time.Now())
	if err != nil {
		p.t.Error(err)
		return
	}
	read, err := reconcile.Read(context.Background(), strings.NewReader(text), opts)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer func() { _ = read.Close() }() // it was read
	var disputed []topup.ID
	r := reconcile.New(p.journal, clerk{p}, slog.New(slog.DiscardHandler))
	err = r.Run(context.Background(), read, func(r reconcile.Result) error {
		if f := r.Finding; f != nil && f.Disputed {
			disputed = append(disputed, topup.ID(f.ID))
		}
		return nil
	})
	if err != nil {
		p.t.Error(err)
	}
	for _, id := range disputed {
		if o, err := p.journal.Order(context.Background(), id); err == nil && o.DisputedAt != nil {
			p.decide(o)
		}
	}
}

// clerk settles what a statement proves, one at a time.
type clerk struct{ *planet }

// Resolve implements reconcile.Orders.
func (c clerk) Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error) {
	o, _, err := c.journal.Resolve(ctx, id, r, time.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.byStatement[r.Outcome]++
	}
	if charged := c.charged[id] > 0; err == nil && charged != (r.Outcome == topup.ResolvedSucceeded) {
		c.t.Errorf("%s is settled by a statement as %s, and charged: %t; seed %d", id, r.Outcome, charged, c.seed)
	}
	return o, err
}

// Dispute implements reconcile.Orders.
func (c clerk) Dispute(ctx context.Context, id topup.ID, d topup.Dispute) (topup.Order, error) {
	return c.journal.Dispute(ctx, id, d, time.Now())
}

// Restore implements reconcile.Orders.
func (c clerk) Restore(ctx context.Context, l topup.LostCharge) (topup.Order, error) {
	return c.journal.Restore(ctx, l, time.Now())
}

// Hold implements reconcile.Orders.
func (c clerk) Hold(ctx context.Context, id topup.ID, h topup.Hold) (topup.Order, error) {
	o, _, err := c.journal.Hold(ctx, id, h, time.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.byStatement[topup.ResolvedHeld]++
		c.chargedHeld[id] = c.charged[id]
	}
	if err == nil && c.charged[id] == 0 {
		c.t.Errorf("%s is held by a statement, and was not charged; seed %d", id, c.seed)
	}
	return o, err
}

// decide ends a dispute: the vendor has approved the order after all, or twice.
func (p *planet) decide(o topup.Order) {
	if o.State == topup.StateSucceeded {
		u := topup.Upholding{Outcome: topup.DisputeUpheld, Reason: "the vendor pays one of them back"}
		if _, err := p.journal.Uphold(context.Background(), o.ID, u, time.Now()); err != nil &&
			!errors.Is(err, topup.ErrNotDisputed) {
			p.t.Errorf("%s: %v", o.ID, err)
		}
		return
	}
	c := topup.Correction{Outcome: topup.ResolvedSucceeded, Reason: "the vendor approved it"}
	_, _, err := p.journal.Correct(context.Background(), o.ID, c, time.Now())
	// two people may decide one dispute
	if decided := new(topup.TransitionError); err != nil && !errors.As(err, &decided) {
		p.t.Errorf("%s: %v", o.ID, err)
	}
}

func approvals(d topup.Details) (n int) {
	for _, a := range d.Attempts {
		if a.Outcome == topup.OutcomeApproved {
			n++
		}
	}
	return n
}

// judge compares an order with the ledger, and says what became of it.
func (p *planet) judge(id topup.ID) string {
	d, err := p.journal.Details(context.Background(), id)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	charged, blind, spiteful := p.charged[id], p.blind[id], p.spiteful[id]
	atHold, held := p.chargedHeld[id]
	uncharged := d.State == topup.StateFailed || d.State == topup.StateCanceled
	wrong := ""
	switch {
	case held && charged > atHold:
		wrong = "was charged again after a statement had held it"
	case uncharged && charged > 0 && !spiteful && (!blind || d.Reason != topup.ReasonResolved):
		wrong = "was charged"
	case d.State == topup.StateSucceeded && charged == 0:
		wrong = "was never charged"
	case charged > 1 && !p.resend && !blind && !spiteful:
		wrong = "was charged twice"
	case approvals(d) > 1 && len(d.Disputes) == 0:
		wrong = "was approved twice, and nobody was asked"
	case !d.State.Final() && d.State != topup.StateUnknown:
		wrong = "has neither ended nor is it held"
	}
	if wrong != "" {
		p.t.Errorf("%s is %s/%s, and %s (%d times, ledger); seed %d\n%+v\n%+v", id, d.State, d.Reason, wrong, charged,
			p.seed, d.Attempts, d.Resolutions)
	}
	return string(d.State) + "/" + string(d.Reason)
}
