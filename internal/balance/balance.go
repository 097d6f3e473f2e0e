// Package balance watches the distributor's balance, for all workers together. It asks now and then, reads the balance
// in each purchase's answer, and keeps a history. It raises an alarm when the balance is low or falls by more than our
// orders explain, and lets orders wait before the account is empty.
package balance

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"recarga/distributor"
	"recarga/internal/journal/balances"
	"recarga/topup"
)

// Book keeps what all workers know: journal.Journal.
type Book interface {
	Balance(ctx context.Context) (topup.BalanceStanding, error)
	ClaimBalance(ctx context.Context, every time.Duration, now time.Time) (bool, error)
	RecordBalance(ctx context.Context, r topup.BalanceReading) error
	Judge
}

// Judge says what a reading means, each thing once over all processes: journal.Journal.
type Judge interface {
	// SetBalanceLow records whether the balance is low. With notify it makes the event of an alarm.
	SetBalanceLow(ctx context.Context, r topup.BalanceReading, below topup.Amount, notify bool, now time.Time) (
		news bool, ev *topup.Event, err error)
	// JudgeBalance compares a reading with the one before it and with the orders between them.
	JudgeBalance(ctx context.Context, r topup.BalanceReading, slack time.Duration, notify bool, now time.Time) (
		balances.Movement, error)
}

// Asker asks the distributor.
type Asker interface {
	Balance(ctx context.Context) (distributor.Balance, error)
}

// Deliverer delivers events to the operator.
type Deliverer interface {
	DeliverNow(ctx context.Context, ev topup.Event, notDelivered func(ev topup.Event, next time.Time)) bool
}

// Config is what a Watch works with.
type Config struct {
	// Book keeps the readings.
	Book Book
	// Asker asks the distributor.
	Asker Asker
	// Deliverer delivers the alarms.
	Deliverer Deliverer
	// Interval is the time between two questions of all workers together. Defaults to a minute.
	Interval time.Duration
	// Stale is how old the distributor's figure may be. Defaults to 30s, at most half of Interval.
	Stale time.Duration
	// Low is the balance below which there is an alarm; 0: never.
	Low topup.Amount
	// Reserve is what a purchase must leave of the balance; 0: orders never wait for it.
	Reserve topup.Amount
	// Notify: the operator has an endpoint, so that alarms are events too.
	Notify bool
	// Log gets the alarms.
	Log *slog.Logger
}

const (
	// stale is how old the distributor's figure may be by its own document.
	stale = 30 * time.Second
	// pulse is the longest time between two readings of what other workers know.
	pulse = time.Second
	// takenFor is how long what was taken for an order counts when its purchase does not come.
	takenFor = 30 * time.Second
	// lapse bounds one step of the watch.
	lapse = 40 * time.Second
)

// Watch is one process's watch. It is safe for concurrent use.
type Watch struct {
	Config // with the defaults

	mu sync.Mutex
	// known is the lowest of the latest readings. Its At is zero while nothing is known.
	known topup.BalanceReading
	// doubt is what attempts of unknown outcome may have taken since.
	doubt topup.Amount
	// fresh is what a purchase said that is not in the book yet.
	fresh *topup.BalanceReading
	taken map[topup.ID]taking

	next time.Time // when to see whether somebody must ask; for Run alone
}

// taking is what the purchase of an order will cost.
type taking struct {
	amount topup.Amount
	since  time.Time
	begun  bool
}

// New builds a Watch.
func New(cfg Config) *Watch {
	if cfg.Interval == 0 {
		cfg.Interval = time.Minute
	}
	if cfg.Stale == 0 {
		cfg.Stale = min(stale, cfg.Interval/2)
	}
	return &Watch{Config: cfg, taken: map[topup.ID]taking{}}
}

// Load reads what is known, so that the reserve counts from the first order on.
func (w *Watch) Load(ctx context.Context) error {
	s, err := w.Book.Balance(ctx)
	if err == nil {
		w.learn(s)
	}
	return err
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(min(pulse, w.Interval/2))
	defer tick.Stop()
	for {
		if err := w.beat(ctx); err != nil && ctx.Err() == nil {
			w.Log.WarnContext(ctx, "balance not watched", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Watch) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lapse)
	defer cancel()
	w.forget(time.Now())
	if r := w.news(); r != nil {
		if err := w.record(ctx, *r); err != nil {
			return err
		}
	}
	now := time.Now()
	if due := !now.Before(w.next); due || w.Reserve > 0 {
		s, err := w.Book.Balance(ctx)
		if err != nil {
			return err
		}
		w.learn(s)
	}
	if now.Before(w.next) && w.next.Before(now.Add(2*w.Interval)) {
		return nil
	}
	claimed, err := w.Book.ClaimBalance(ctx, w.Interval, now)
	if err != nil || !claimed {
		return err
	}
	return w.ask(ctx)
}

// ask asks the distributor for all workers.
func (w *Watch) ask(ctx context.Context) error {
	from := time.Now().Add(-w.Stale)
	w.next = time.Now().Add(w.Interval)
	b, err := w.Asker.Balance(ctx)
	if err != nil {
		return err
	}
	amount, err := topup.ParseBalance(b.Amount)
	if err != nil {
		return err
	}
	r := topup.BalanceReading{Amount: amount, Currency: b.Currency, From: from, At: time.Now()}
	w.observe(r)
	if err := w.record(ctx, r); err != nil {
		return err
	}
	// The slack that the reading has before From already is the age of the figure; clocks need as much again.
	m, err := w.Book.JudgeBalance(ctx, r, w.Stale, w.Notify, time.Now())
	if err != nil {
		return err
	}
	if m.Deposit > 0 {
		w.Log.InfoContext(ctx, "balance was topped up", "at_least", m.Deposit, "balance", r.Amount,
			"currency", r.Currency)
	}
	if m.Drift > 0 {
		w.Log.ErrorContext(ctx, "balance fell by more than orders explain", "unexplained", m.Drift,
			"explained", m.Detail.Explained, "before", m.Detail.BalanceBefore, "after", r.Amount,
			"since", m.Detail.From, "currency", r.Currency)
	}
	w.deliver(ctx, m.Event)
	return nil
}

// record keeps a reading for all workers, and raises the alarm or ends it.
func (w *Watch) record(ctx context.Context, r topup.BalanceReading) error {
	if err := w.Book.RecordBalance(ctx, r); err != nil {
		return err
	}
	if w.Low == 0 {
		return nil
	}
	s, err := w.Book.Balance(ctx)
	if err != nil || s.Low == (r.Amount < w.Low) {
		return err
	}
	if r.Currency == "" {
		r.Currency = s.Currency
	}
	news, ev, err := w.Book.SetBalanceLow(ctx, r, w.Low, w.Notify, time.Now())
	switch {
	case err != nil || !news:
		return err
	case r.Amount < w.Low:
		w.Log.ErrorContext(ctx, "balance is low", "balance", r.Amount, "currency", r.Currency, "below", w.Low)
	default:
		w.Log.InfoContext(ctx, "balance is no longer low", "balance", r.Amount, "currency", r.Currency)
	}
	w.deliver(ctx, ev)
	return nil
}

func (w *Watch) deliver(ctx context.Context, ev *topup.Event) {
	if ev != nil {
		w.Deliverer.DeliverNow(ctx, *ev, func(topup.Event, time.Time) {}) // the sweep tries what was not delivered
	}
}

// learn takes what the others know.
func (w *Watch) learn(s topup.BalanceStanding) {
	w.next = s.AskAfter
	if !s.At.IsZero() {
		w.observe(s.BalanceReading)
	}
}

// observe takes a reading. Of two that overlap in time nobody knows which is the later one; the lower one counts.
func (w *Watch) observe(r topup.BalanceReading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.see(r)
}

func (w *Watch) see(r topup.BalanceReading) bool {
	if !w.known.At.IsZero() && r.From.Before(w.known.At) && r.Amount >= w.known.Amount {
		return false
	}
	w.known, w.doubt = r, 0
	return true
}

// news is what purchases said since it was asked last; nil for nothing.
func (w *Watch) news() *topup.BalanceReading {
	w.mu.Lock()
	defer w.mu.Unlock()
	fresh := w.fresh
	w.fresh = nil
	return fresh
}
