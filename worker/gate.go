package worker

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"recarga/topup"
)

// Line is where orders stand that cannot be bought now. Nobody who stands there spends a try.
type Line interface {
	Defer(ctx context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error
	Waiting(ctx context.Context, each int) ([]topup.Waiting, error)
	Released(ctx context.Context) (int, error)
	Release(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error)
}

// RateLimiter limits the purchases of all workers together.
type RateLimiter interface {
	// Take takes the right to at most n purchases, and says how many it got; wait is until there may be another.
	Take(ctx context.Context, p topup.Priority, n int) (granted int, wait time.Duration, err error)
}

// SharedState is what all workers know of the distributor's trouble.
type SharedState interface {
	Restrictions(ctx context.Context) (topup.Restrictions, error)
	Pause(ctx context.Context, until time.Time) error
	SetOutage(ctx context.Context, operator string, o topup.Outage) error
	EndOutage(ctx context.Context, operator string) error
	ClaimProbe(ctx context.Context, operator string, every time.Duration) (bool, error)
	// Resume says how many of n purchases an operator that recovers gets now; all workers together get at most
	// total since it began to recover.
	Resume(ctx context.Context, operator string, recoveringSince time.Time, total, n int) (int, error)
	// GiveBack gives back n that Resume granted, and that were not made.
	GiveBack(ctx context.Context, operator string, recoveringSince time.Time, n int) error
}

// Reserve keeps orders in line for a reason of its own.
type Reserve interface {
	// Active tells whether it keeps any, without asking anybody.
	Active() bool
	// Waits says why an order must wait; empty when it need not.
	Waits(o topup.Waiting) topup.Wait
	// Take is Waits of an order that is bought now, if it need not wait.
	Take(o topup.Waiting) topup.Wait
}

// Breaker says when an operator's purchases stop because they fail, and how they come back.
type Breaker struct {
	// Share of the purchases of the last half minute that have to fail, of at least 50; 0: never.
	Share float64
	// Probe is the time between two purchases that try an operator that is out, by all workers together.
	// Defaults to 5s.
	Probe time.Duration
}

const (
	// breakerWindow, in steps of breakerStep, is what the share of failures is taken of.
	breakerWindow, breakerStep = 30 * time.Second, 3 * time.Second
	// enough and enoughRecovering are how many purchases say something.
	enough, enoughRecovering = 50, 5
	// recovery is how long an operator recovers: one purchase in its first second, two in the next, four …
	recovery = 8 * time.Second
	// noticesFor is how long what was read of the board holds.
	noticesFor = 250 * time.Millisecond
	// leastPause is for a 429 that does not say when to come again.
	leastPause = time.Second
)

// gate decides whether an order may be bought now.
type gate struct {
	Config
	budget *budget
	// free: every order may. For the way that most go.
	free atomic.Bool
	// crowd tells, by rank, that orders of that priority stand in line.
	crowd []atomic.Bool

	mu      sync.Mutex
	read    time.Time
	notices topup.Restrictions
	// changes counts what this worker has changed of the outages itself: what was read before it is older.
	changes   int
	detectors map[string]*gobreaker.TwoStepCircuitBreaker[struct{}]
}

func newGate(cfg Config) *gate {
	g := &gate{
		Config: cfg, budget: newBudget(), crowd: make([]atomic.Bool, len(topup.Priorities())),
		detectors: map[string]*gobreaker.TwoStepCircuitBreaker[struct{}]{},
	}
	g.judgeFreedom()
	return g
}

// admit says why an order must stand in line; empty when it may be bought now. after is when to ask again
// about one that need not stand in line either.
func (g *gate) admit(ctx context.Context, o topup.Order) (why topup.Wait, after time.Duration, err error) {
	if why, after, err = g.mayGo(ctx, o); why != "" || after > 0 || err != nil {
		return why, after, err
	}
	return g.take(o), 0, nil
}

// take says what else an order has to wait for, which may be bought by all other rules.
func (g *gate) take(o topup.Order) topup.Wait {
	for _, h := range g.Reserves {
		if why := h.Take(waiting(o)); why != "" {
			return why
		}
	}
	return ""
}

func (g *gate) mayGo(ctx context.Context, o topup.Order) (why topup.Wait, after time.Duration, err error) {
	why = g.barred(waiting(o), o.Released)
	if why == topup.WaitOutage && o.Released {
		// Another worker may have called it since the board was read: to send it back would waste its turn.
		g.reread(ctx)
		why = g.barred(waiting(o), o.Released)
	}
	if why != "" {
		return why, 0, nil
	}
	switch {
	case o.Released: // it has been counted
		return "", 0, nil
	case o.Priority == topup.PriorityBulk:
		return topup.WaitFairShare, 0, nil
	case o.AttemptCount > 0 && !g.budget.retry():
		return "", budgetWait + rand.N(budgetWait), nil
	}
	if g.RateLimiter != nil {
		if g.crowd[o.Priority.Rank()].Load() {
			return topup.WaitRate, 0, nil
		}
		granted, _, err := g.RateLimiter.Take(ctx, o.Priority, 1)
		if err != nil || granted == 0 {
			return topup.WaitRate, 0, err
		}
	}
	if o.AttemptCount == 0 {
		g.budget.first()
	}
	return "", 0, nil
}

func waiting(o topup.Order) topup.Waiting {
	return topup.Waiting{ID: o.ID, Priority: o.Priority, Caller: o.Caller, Product: o.Product, Amount: o.Amount, AttemptCount: o.AttemptCount}
}

// barred says why no order like this one may be bought now. One that was called may be while its operator
// recovers: it is one of those that the recovery resumes with.
func (g *gate) barred(o topup.Waiting, called bool) topup.Wait {
	for _, h := range g.Reserves {
		if why := h.Waits(o); why != "" {
			return why
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Now().Before(g.notices.PausedUntil) {
		return topup.WaitRate
	}
	outage, out := g.notices.Outages[topup.OperatorOf(o.Product)]
	if out && (!called || !outage.Recovering()) {
		return topup.WaitOutage
	}
	return ""
}

// refresh reads the board where what is known may be old.
func (g *gate) refresh(ctx context.Context) {
	g.mu.Lock()
	stale := time.Since(g.read) > noticesFor
	g.mu.Unlock()
	if stale {
		g.reread(ctx)
	}
	g.judgeFreedom()
}

// reread reads the board, and ends recoveries. Without Redis, what is known stays.
func (g *gate) reread(ctx context.Context) {
	if g.SharedState == nil {
		return
	}
	g.mu.Lock()
	before := g.changes
	g.mu.Unlock()
	notices, err := g.SharedState.Restrictions(ctx)
	if err != nil {
		return
	}
	for operator, o := range notices.Outages {
		if o.Recovering() && time.Since(o.RecoveringSince) >= recovery && g.endOutage(ctx, operator, o) {
			delete(notices.Outages, operator)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.changes != before {
		return
	}
	if g.notices.PausedUntil.After(notices.PausedUntil) {
		notices.PausedUntil = g.notices.PausedUntil // the board has what another was asked to wait
	}
	for operator := range g.notices.Outages {
		if _, still := notices.Outages[operator]; !still {
			delete(g.detectors, operator)
		}
	}
	g.read, g.notices = time.Now(), notices
}

// endOutage takes an outage off the board.
func (g *gate) endOutage(ctx context.Context, operator string, o topup.Outage) bool {
	if err := g.SharedState.EndOutage(ctx, operator); err != nil {
		return false
	}
	g.Log.InfoContext(ctx, "outage is over", "operator", operator, "lasted", time.Since(o.Since).Round(time.Second),
		"recovered", o.Recovering())
	return true
}

func (g *gate) judgeFreedom() {
	holding := g.RateLimiter != nil
	for _, h := range g.Reserves {
		holding = holding || h.Active()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free.Store(!holding && len(g.notices.Outages) == 0 && !time.Now().Before(g.notices.PausedUntil))
}

// outages is a copy of what is known.
func (g *gate) outages() map[string]topup.Outage {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.notices.Outages)
}

// pausedFor is how long the distributor wants no request.
func (g *gate) pausedFor() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Until(g.notices.PausedUntil)
}

// report learns from the result of an attempt.
func (g *gate) report(ctx context.Context, o topup.Order, r topup.Result) {
	switch {
	case r.LoginAgain, r.TooLate, r.LimitedOrder: // says nothing of the operator, nor of other orders
	case rateLimited(r.HTTPStatus):
		g.pause(ctx, max(r.RetryAfter, leastPause))
	case g.SharedState == nil || g.Breaker.Share <= 0:
	default:
		g.judge(ctx, topup.OperatorOf(o.Product), r)
	}
	if o.AttemptCount > 1 && (answers(r) || r.LimitedOrder) {
		g.budget.refund()
	}
}

// answers tells that the operator works, whatever it said.
func answers(r topup.Result) bool {
	return r.Outcome == topup.OutcomeApproved || r.Outcome == topup.OutcomeDeclined
}

// pause has all workers wait: the distributor said for how long.
func (g *gate) pause(ctx context.Context, d time.Duration) {
	until := time.Now().Add(d)
	g.mu.Lock()
	longer := until.After(g.notices.PausedUntil)
	if longer {
		g.notices.PausedUntil = until
	}
	g.mu.Unlock()
	g.judgeFreedom()
	if !longer || g.SharedState == nil {
		return
	}
	g.Log.WarnContext(ctx, "distributor asks to slow down", "wait", d)
	if err := g.SharedState.Pause(context.WithoutCancel(ctx), until); err != nil {
		g.Log.WarnContext(ctx, "other workers not told to slow down", "error", err)
	}
}

// judge counts a purchase, and declares an outage when too many fail. During one only probes are made, and
// what others have left behind says nothing.
func (g *gate) judge(ctx context.Context, operator string, r topup.Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	outage, out := g.notices.Outages[operator]
	if out && !outage.Recovering() {
		return
	}
	d := g.detectors[operator]
	if d == nil {
		d = newDetector(g.Breaker.Share, out)
		g.detectors[operator] = d
	}
	var failure error
	if !answers(r) {
		failure = fmt.Errorf("%s %s%s", r.Outcome, r.Code, r.Error)
	}
	if done, err := d.Allow(); err == nil {
		done(failure)
	}
	if d.State() != gobreaker.StateOpen {
		return
	}
	if !out {
		outage.Since = time.Now()
	}
	outage.RecoveringSince, outage.Why = time.Time{}, fmt.Sprintf("%.0f %% or more of the purchases failed; the last one: %v", 100*g.Breaker.Share, failure)
	g.tellOutage(ctx, operator, outage)
}

// newDetector counts until too many fail. It is used for that alone: when it opens, it is thrown away.
func newDetector(share float64, recovering bool) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	least := uint32(enough)
	if recovering {
		least = enoughRecovering
	}
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Interval: breakerWindow, BucketPeriod: breakerStep, Timeout: time.Hour,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.Requests >= least && float64(c.TotalFailures) >= share*float64(c.Requests)
		},
	})
}

// recover notes that a probe went through.
func (g *gate) recovers(ctx context.Context, operator string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	outage, out := g.notices.Outages[operator]
	if !out || outage.Recovering() {
		return
	}
	outage.RecoveringSince = time.Now()
	g.tellOutage(ctx, operator, outage)
}

// tellOutage is called with the lock.
func (g *gate) tellOutage(ctx context.Context, operator string, o topup.Outage) {
	delete(g.detectors, operator)
	g.changes++
	outages := maps.Clone(g.notices.Outages)
	if outages == nil {
		outages = map[string]topup.Outage{}
	}
	outages[operator] = o
	g.notices.Outages = outages
	g.free.Store(false)
	if o.Recovering() {
		g.Log.InfoContext(ctx, "purchases go through again, and are resumed step by step", "operator", operator)
	} else {
		g.Log.WarnContext(ctx, "purchases stop but for probes", "operator", operator, "why", o.Why)
	}
	if err := g.SharedState.SetOutage(context.WithoutCancel(ctx), operator, o); err != nil {
		g.Log.WarnContext(ctx, "other workers not told of an outage", "operator", operator, "error", err)
	}
}
