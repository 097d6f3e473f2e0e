// Package worker is the purchase workflow: it reads the journal, makes one purchase, records the result, and delivers
// the event to the caller. Its sweep finds what was lost on the way.
package worker

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"recarga/distributor"
	"recarga/internal/admission"
	"recarga/internal/wake"
	"recarga/topup"
)

// Journal is the book of record. Every change is a compare-and-set: topup.ErrLost means that somebody
// else was first, and that nothing was done.
type Journal interface {
	Orders
	Attempts
	Backlog
	Evidence
	admission.WaitQueue
}

// Evidence helps whoever must settle an unknown attempt.
type Evidence interface {
	Around(ctx context.Context, id topup.ID, number int, now time.Time) (topup.Surroundings, error)
	AddEvidence(ctx context.Context, id topup.ID, number int, evidence string) error
}

// Balances asks the distributor for the balance.
type Balances interface {
	Balance(ctx context.Context) (distributor.Balance, error)
}

// Orders reads and accepts.
type Orders interface {
	Order(ctx context.Context, id topup.ID) (topup.Order, error)
	Details(ctx context.Context, id topup.ID) (topup.Details, error)
	Accept(ctx context.Context, r topup.Request, now time.Time) (o topup.Order, replayed bool, err error)
	AcceptInvalid(ctx context.Context, o topup.Order, why string, now time.Time) (*topup.Event, error)
}

// Attempts moves an order through its attempts.
type Attempts interface {
	// Begin is durable before it returns: only then may a byte be sent.
	Begin(ctx context.Context, id topup.ID, attempts int, worker string, deadline, now time.Time) (topup.Order, error)
	// BeginFirst is Begin for an order that is new and due, which need not be read for it.
	BeginFirst(ctx context.Context, id topup.ID, worker string, deadline, now time.Time) (topup.Order, error)
	Finish(ctx context.Context, s topup.Settlement, now time.Time) (topup.Order, *topup.Event, error)
	// End ends an order that waits and whose time is over; topup.ErrLost for any other.
	End(ctx context.Context, id topup.ID, now time.Time) (topup.Order, *topup.Event, error)
}

// Backlog lists what the sweep enqueues or settles.
type Backlog interface {
	Due(ctx context.Context, now time.Time, after topup.Due, limit int) ([]topup.Due, error)
	Overdue(ctx context.Context, now time.Time, limit int) ([]topup.Due, error)
	DueEvents(ctx context.Context, now time.Time, after topup.DueEvent, limit int) ([]topup.DueEvent, error)
}

// Distributor buys. Purchase sends one request; every error is in its result.
type Distributor interface {
	Authorize(ctx context.Context) error
	Purchase(ctx context.Context, o topup.Order, sendBy time.Time) topup.Result
}

// Deliverer delivers events to their callers.
type Deliverer interface {
	// DeliverNow makes the first try beside the caller, if there is room for it, which it returns.
	DeliverNow(ctx context.Context, ev topup.Event, notDelivered func(ev topup.Event, next time.Time)) bool
	Deliver(ctx context.Context, eventID string) (next time.Time, err error)
}

// Waker wakes workers.
type Waker interface {
	EnqueueOrder(ctx context.Context, r topup.Request, at time.Time) error
	EnqueueEvent(ctx context.Context, eventID string, at time.Time) error
	// ForceEnqueueOrder enqueues an order whatever is left of an earlier task for it, as ForceEnqueueEvent does.
	ForceEnqueueOrder(ctx context.Context, r topup.Request) error
	ForceEnqueueEvent(ctx context.Context, eventID string) error
	Announce(ctx context.Context) error
}

// Config is what a Worker works with.
type Config struct {
	// Journal is the book of record.
	Journal Journal
	// Distributor makes the purchases.
	Distributor Distributor
	// Deliverer delivers the events.
	Deliverer Deliverer
	// Waker enqueues orders and events.
	Waker Waker
	// Balances is asked after an unknown outcome; nil: nobody is.
	Balances Balances
	// Intake judges orders whose producer has only Redis; nil: none is accepted.
	Intake Intake
	// Refused is called for each task that is refused, with its reason (intake.Reasons); it must not block. Nil:
	// nothing is.
	Refused func(reason string)
	// Admission says who may buy now. New sets its Queue, Waker, Attempt and Log. The zero value admits every order.
	Admission admission.Config
	// Timeout of one purchase call, as the distributor's client has it.
	Timeout time.Duration
	// Slack is how much longer than Timeout an attempt may take in all, half of it before the request
	// is sent. Defaults to a quarter of Timeout, at least 2s and at most 20s.
	Slack time.Duration
	// Policy decides what follows from a result.
	Policy Policy
	// SweepInterval is the time between two sweeps. Defaults to 2s.
	SweepInterval time.Duration
	// Leads reports whether this process leads all workers: then it sweeps and releases orders for all of them, who do
	// so now and then. It must not block. Nil: it does.
	Leads func() bool
	// Alone says that no other process works on the same queue (it is embedded), so that what is
	// due at the start was left by a process that is gone.
	Alone bool
	// Swept is called after each sweep, and where another process sweeps; it must not block. Nil: nothing is.
	Swept func(at time.Time)
	// Log gets one line for each change of an order.
	Log *slog.Logger
}

// Worker processes orders. It is safe for concurrent use.
type Worker struct {
	Config    // with the defaults
	admission *admission.Control
	// name distinguishes the attempts of this process from all others in the journal.
	name      string
	inquiries chan inquiry
	refusal   *refusal
	// closing ends the waits for a journal that does not answer, after the drain.
	closing context.Context
	close   context.CancelFunc
}

// New makes a Worker. Run its handlers on the queue, and Sweep and Login beside them.
func New(cfg Config) *Worker {
	cfg.SweepInterval = cmp.Or(cfg.SweepInterval, 2*time.Second)
	cfg.Slack = cmp.Or(cfg.Slack, min(max(cfg.Timeout/4, 2*time.Second), 20*time.Second))
	if cfg.Swept == nil {
		cfg.Swept = func(time.Time) {}
	}
	if cfg.Leads == nil {
		cfg.Leads = func() bool { return true }
	}
	if cfg.Intake == nil {
		cfg.Intake = noIntake{}
	}
	if cfg.Refused == nil {
		cfg.Refused = func(string) {}
	}
	cfg.Admission.Queue, cfg.Admission.Waker = cfg.Journal, wake.Waker{Queue: cfg.Waker, Log: cfg.Log}
	cfg.Admission.Attempt, cfg.Admission.Log = cfg.Timeout+cfg.Slack, cfg.Log
	cfg.Admission.Leads = cfg.Leads
	refused := new(refusal)
	cfg.Admission.Reserves = append(slices.Clone(cfg.Admission.Reserves), refused)
	closing, cancel := context.WithCancel(context.Background())
	return &Worker{
		Config: cfg, admission: admission.New(cfg.Admission), name: uuid.NewString(), refusal: refused,
		inquiries: make(chan inquiry, mostInquiries), closing: closing, close: cancel,
	}
}

// Outages are the operators that are out, as far as this worker knows.
func (w *Worker) Outages() map[string]topup.Outage { return w.admission.Outages() }

// Close ends the attempts to record results that the journal does not take. Call it last: before it, a result that
// could not be written yet is still tried; after it, it can only become an unknown.
func (w *Worker) Close() { w.close() }
