package worker

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"recarga/topup"
)

const (
	// sweepPage bounds the orders, and the events, that one sweep enqueues.
	sweepPage = 500
	// orderGrace and eventGrace are how long something may be due before the sweep assumes that the
	// queue has lost it. eventGrace is longer than a first try takes, which is made without the queue.
	orderGrace = 10 * time.Second
	eventGrace = 30 * time.Second
)

// sweeper is one process's sweep: its place in the backlog.
type sweeper struct {
	*Worker
	orders topup.Due
	events topup.DueEvent
}

// Sweep finds what was lost, until ctx ends: it enqueues orders and events that are due and that nobody has
// processed, and settles attempts whose deadline has passed as unknown. It makes Redis expendable. Every worker
// sweeps; each step is bounded, and harmless when repeated. Beside the sweep, it gathers evidence about unknown
// attempts, and releases orders that wait.
func (w *Worker) Sweep(ctx context.Context) {
	s := &sweeper{Worker: w}
	patience := 1
	if w.Alone {
		patience = 0 // for the first sweep only: nobody else can be processing what is due
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { w.inquire(ctx) })
	beside.Go(func() { w.admission.Run(ctx, w.probe) })
	tick := time.NewTicker(w.SweepInterval)
	defer tick.Stop()
	for {
		s.sweep(ctx, time.Duration(patience)*orderGrace, time.Duration(patience)*eventGrace)
		s.Swept(time.Now())
		patience = 1
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *sweeper) sweep(ctx context.Context, ordersLate, eventsLate time.Duration) {
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"time out", s.timeOut},
		{"announce", s.Waker.Announce},
		{"orders", func(ctx context.Context) error { return s.enqueueOrders(ctx, ordersLate) }},
		{"events", func(ctx context.Context) error { return s.enqueueEvents(ctx, eventsLate) }},
	}
	for _, step := range steps {
		if err := step.do(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "sweep incomplete", "step", step.name, "error", err)
		}
	}
}

// timeOut settles attempts whose deadline has passed without a result: nobody knows what they did.
func (s *sweeper) timeOut(ctx context.Context) error {
	overdue, err := s.Journal.Overdue(ctx, time.Now(), sweepPage)
	if err != nil {
		return err
	}
	for _, due := range overdue {
		o := topup.Order{ID: due.ID, AttemptCount: due.AttemptCount}
		_, err := s.settle(ctx, o, topup.Result{
			Outcome: topup.OutcomeUnknown,
			Error:   "no outcome was recorded before the attempt's deadline; the worker may have died",
		})
		if err != nil && !errors.Is(err, topup.ErrLost) {
			return err
		}
	}
	return nil
}

// enqueueOrders enqueues the next page of orders that wait too long. It goes page by page, because the first ones may
// well be in the queue: only Redis knows, and to enqueue them is to ask it. One that the queue does not take keeps no
// other from the queue, or from its end: its page is read again.
func (s *sweeper) enqueueOrders(ctx context.Context, late time.Duration) error {
	page, err := s.Journal.Due(ctx, time.Now().Add(-late), s.orders, sweepPage)
	if err != nil {
		return err
	}
	var refused error
	for _, due := range page {
		o, waits, err := s.waits(ctx, due)
		if err != nil {
			return err
		}
		if waits {
			refused = cmp.Or(refused, s.Waker.ForceEnqueueOrder(ctx, o.Request()))
		}
		s.orders = due
	}
	if len(page) < sweepPage {
		s.orders = topup.Due{} // from the start next time
	}
	return refused
}

// waits ends an order whose time is over, and reports whether it still waits to be bought.
func (s *sweeper) waits(ctx context.Context, due topup.Due) (o topup.Order, waits bool, err error) {
	if due.State == topup.StateSubmitting {
		return o, false, nil
	}
	if o, err = s.Journal.Order(ctx, due.ID); err != nil {
		return o, false, err
	}
	if o.EndsAt != nil && !time.Now().Before(*o.EndsAt) {
		return o, false, s.end(ctx, o.ID)
	}
	return o, true, nil
}

func (s *sweeper) enqueueEvents(ctx context.Context, late time.Duration) error {
	page, err := s.Journal.DueEvents(ctx, time.Now().Add(-late), s.events, sweepPage)
	if err != nil {
		return err
	}
	var refused error
	for _, due := range page {
		refused = cmp.Or(refused, s.Waker.ForceEnqueueEvent(ctx, due.ID))
		s.events = due
	}
	if len(page) < sweepPage {
		s.events = topup.DueEvent{}
	}
	return refused
}
