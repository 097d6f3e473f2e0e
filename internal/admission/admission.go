// Package admission decides which orders may be bought now: by the rate limit, the outages of operators, the reserve,
// and the priorities of orders. Decide has the rules. A Control gathers the facts for them, learns from the results of
// attempts, and releases the orders that had to wait.
package admission

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"recarga/topup"
	"recarga/topup/desk"
)

// WaitQueue has the orders that cannot be bought now. An order spends no attempt while it waits there.
type WaitQueue interface {
	// Defer puts an order into the wait queue that has had so many attempts. topup.ErrLost: the order has changed.
	Defer(ctx context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error
	// Waiting lists orders that wait: of each priority, caller and product the oldest ones, as many as each.
	Waiting(ctx context.Context, each int) ([]topup.Waiting, error)
	// Released counts the orders that were released and have not begun an attempt since.
	Released(ctx context.Context) (int, error)
	// Release takes an order out of the wait queue. topup.ErrLost: another worker has.
	Release(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error)
}

// RateLimiter limits the purchases of all workers together.
type RateLimiter interface {
	// Limited reports whether there is a limit now.
	Limited() bool
	// Take takes the right to at most n purchases. It returns how many it got, and how long to wait for another.
	Take(ctx context.Context, p topup.Priority, n int) (granted int, wait time.Duration, err error)
}

// SharedState is what all workers know about the distributor's trouble.
type SharedState interface {
	Restrictions(ctx context.Context) (topup.Restrictions, error)
	// Pause stops the purchases of all workers until a time.
	Pause(ctx context.Context, until time.Time) error
	Outages
	Recovery
}

// Outages are the operators whose purchases stop for all workers.
type Outages interface {
	SetOutage(ctx context.Context, operator string, o topup.Outage) error
	EndOutage(ctx context.Context, operator string) error
	// ClaimProbe reports whether this worker may probe the operator: one of all workers may in each period of every.
	ClaimProbe(ctx context.Context, operator string, every time.Duration) (bool, error)
}

// Recovery counts the purchases of an operator that recovers.
type Recovery interface {
	// Resume returns how many of n purchases may be made now. All workers together get at most total since the
	// operator began to recover.
	Resume(ctx context.Context, operator string, recoveringSince time.Time, total, n int) (int, error)
	// GiveBack returns n purchases that Resume granted and that were not made.
	GiveBack(ctx context.Context, operator string, recoveringSince time.Time, n int) error
}

// Reserve is a reason of its own to keep orders waiting, such as a balance that is low.
type Reserve interface {
	// Active reports whether it can keep any order waiting. It asks nobody.
	Active() bool
	// Waits is why an order must wait; empty: it need not.
	Waits(o topup.Waiting) topup.Wait
	// Take is Waits for an order that is bought now unless it must wait.
	Take(o topup.Waiting) topup.Wait
}

// Waker enqueues an order that was released.
type Waker interface {
	// Order enqueues an order that the journal has, and reports whether the queue took it.
	Order(ctx context.Context, r topup.Request, at time.Time) bool
}

// Breaker says when an operator's purchases stop because they fail, and how often the operator is probed then.
type Breaker struct {
	// Share of the purchases of the last 30 seconds that must fail to stop the rest, of at least 50; 0: never.
	Share float64
	// Probe is the time between two purchases, of all workers together, that probe an operator. Defaults to 5s.
	Probe time.Duration
}

// Config is what a Control works with. Where the first five fields are zero, every order is bought at once.
type Config struct {
	// RateLimiter limits the purchases of all workers together. Nil: there is no limit.
	RateLimiter RateLimiter
	// Controls are what people have set at run time, as they were a moment ago. Nil: nothing.
	Controls func(ctx context.Context) desk.Controls
	// SharedState is what the workers know together. Nil: each worker learns from its own 429s alone, and Breaker is
	// off.
	SharedState SharedState
	// Breaker stops purchases of an operator that fails.
	Breaker Breaker
	// Reserves are further reasons to keep orders waiting.
	Reserves []Reserve
	// Random is a number from 0 up to 1 that varies a wait. Defaults to one by chance.
	Random func() float64
	// Leads reports whether this process leads all workers: it releases orders that wait, whichever worker they came to.
	// Nil: it does.
	Leads func() bool
	// Queue has the orders that wait; worker.New sets it.
	Queue WaitQueue
	// Waker enqueues the orders that are released; worker.New sets it.
	Waker Waker
	// Attempt is the longest time that one attempt takes; worker.New sets it.
	Attempt time.Duration
	// Log gets one line for each change; worker.New sets it.
	Log *slog.Logger
}

const (
	// restrictionsFor is how long the restrictions are used that were read from the shared state, and oldRestrictions
	// how old they are for no order: the release loop of the worker that leads reads them more often.
	restrictionsFor, oldRestrictions = 250 * time.Millisecond, 750 * time.Millisecond
	// idleControlsFor is how long the controls are used while no order waits and none comes: every idle worker asks the
	// same database.
	idleControlsFor = 10 * time.Second
	// askAgain is the wait of an order for which nothing could be decided or recorded.
	askAgain = time.Second
)

// Control decides which orders one worker may buy now. It is safe for concurrent use.
type Control struct {
	Config  // with the defaults
	retries *retryBudget
	// unrestricted: every order may be bought. It is the short way, which most purchases take.
	unrestricted atomic.Bool
	// waitingByPriority has for each rank whether orders of that priority wait.
	waitingByPriority []atomic.Bool
	// joined wakes the release loop when an order of this process begins to wait.
	joined chan struct{}

	// asking has a token while nobody asks for the restrictions that an order needs, and askedAt is when somebody last
	// did, for whoever has the token.
	asking  chan struct{}
	askedAt time.Time

	// writing is held while an outage is written to the shared state, and taken before mu.
	writing sync.Mutex

	mu sync.Mutex
	// readAt is when the restrictions were read. Their map is replaced, never changed.
	readAt       time.Time
	restrictions topup.Restrictions
	// controls were read at controlsReadAt.
	controls       desk.Controls
	controlsReadAt time.Time
	// changes counts what this worker changed in the outages, and sharing what of it is still being written: what was
	// read of the shared state before a change was written is older than the change.
	changes, sharing int
	detectors        map[string]*gobreaker.TwoStepCircuitBreaker[struct{}]
}

// New makes a Control. Run releases the orders that it keeps waiting.
func New(cfg Config) *Control {
	cfg.Breaker.Probe = cmp.Or(cfg.Breaker.Probe, 5*time.Second)
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	if cfg.Leads == nil {
		cfg.Leads = func() bool { return true }
	}
	c := &Control{
		Config: cfg, retries: newRetryBudget(), waitingByPriority: make([]atomic.Bool, len(topup.Priorities())),
		joined: make(chan struct{}, 1), asking: make(chan struct{}, 1),
		detectors: map[string]*gobreaker.TwoStepCircuitBreaker[struct{}]{},
	}
	c.asking <- struct{}{}
	c.updateUnrestricted()
	return c
}

// Unrestricted reports whether every order may be bought now, so that Admit need not be asked.
func (c *Control) Unrestricted(ctx context.Context) bool {
	c.inform(ctx)
	return c.unrestricted.Load()
}

// Admit decides about an order that is due. An order that must wait is put into the wait queue; Run releases it.
func (c *Control) Admit(ctx context.Context, o topup.Order) Decision {
	c.inform(ctx)
	d := c.decide(ctx, o)
	if d.Wait == "" {
		return d
	}
	err := c.Queue.Defer(ctx, o.ID, o.AttemptCount, d.Wait, time.Now())
	if err != nil && !errors.Is(err, topup.ErrLost) {
		c.Log.WarnContext(ctx, "order could not be put into the wait queue", "order", o.ID, "error", err)
		return deferUntil(time.Now().Add(askAgain))
	}
	select {
	case c.joined <- struct{}{}:
	default: // the loop has been woken already
	}
	return d
}

// AdmitProbe decides about an order that is due and is to probe its operator.
func (c *Control) AdmitProbe(ctx context.Context, o topup.Order) Decision {
	k := c.known(waiting(o))
	k.Probe = true
	return c.take(ctx, k)
}

func (c *Control) decide(ctx context.Context, o topup.Order) Decision {
	k := c.known(waiting(o))
	k.Released = o.Released
	if o.Released && Decide(k).Wait == topup.WaitOutage {
		// Another worker may have released it since the shared state was read. To defer it again would waste that.
		c.reread(ctx)
		k.Restrictions = c.currentRestrictions()
	}
	return c.take(ctx, k)
}

// take decides, and takes what a purchase uses up, in this order: room for a retry, a share of the rate, money of the
// reserve. The money comes last, because the reserve misses it until the purchase is made. An order that was released,
// or probes, has its share of the rate already.
func (c *Control) take(ctx context.Context, k Known) Decision {
	if d := Decide(k); !d.Buy {
		return d
	}
	if !k.Released && !k.Probe {
		k.NoRetries = k.AttemptCount > 0 && !c.retries.take()
		if c.limited() && !k.NoRetries {
			k.Rate = c.takeRate(ctx, k.Waiting)
		}
		if d := Decide(k); !d.Buy {
			return d
		}
		if k.AttemptCount == 0 {
			c.retries.add()
		}
	}
	for _, r := range c.Reserves {
		if k.Reserve = r.Take(k.Waiting); k.Reserve != "" {
			break
		}
	}
	return Decide(k)
}

func (c *Control) takeRate(ctx context.Context, o topup.Waiting) RateGrant {
	granted, _, err := c.RateLimiter.Take(ctx, o.Priority, 1)
	switch {
	case err != nil:
		// Without Redis there is no common count. To wait is safe; to send might exceed the distributor's limit.
		c.Log.WarnContext(ctx, "rate limit unknown; purchase deferred", "order", o.ID, "error", err)
		return RateUnknown
	case granted == 0:
		return RateUsedUp
	}
	return RateGranted
}

// known gathers what is known about an order without asking anybody.
func (c *Control) known(o topup.Waiting) Known {
	k := Known{Waiting: o, Now: time.Now(), Restrictions: c.currentRestrictions(), Paused: c.paused(o)}
	k.NoRetries = o.AttemptCount > 0 && c.retries.left() == 0
	k.RetryAt = k.Now.Add(retryWait + time.Duration(c.Random()*float64(retryWait)))
	k.OthersWait = c.limited() && c.waitingByPriority[o.Priority.Rank()].Load()
	for _, r := range c.Reserves {
		if k.Reserve = r.Waits(o); k.Reserve != "" {
			break
		}
	}
	return k
}

// limited reports whether there is a rate limit now.
func (c *Control) limited() bool { return c.RateLimiter != nil && c.RateLimiter.Limited() }

// paused reports whether a person keeps an order from being bought.
func (c *Control) paused(o topup.Waiting) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, paused := c.controls.PurchasePause(o.Caller, o.Product)
	return paused
}

func waiting(o topup.Order) topup.Waiting {
	return topup.Waiting{
		ID: o.ID, Priority: o.Priority, Caller: o.Caller, Product: o.Product, Amount: o.Amount,
		AttemptCount: o.AttemptCount,
	}
}
