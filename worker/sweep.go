package worker

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"recarga/topup"
)

const (
	// sweepPage bounds the orders, and the events, that one sweep enqueues.
	sweepPage = 500
	// orderGrace and eventGrace are how long something may be due before the sweep assumes that the
	// queue has lost it. eventGrace is longer than a first try takes, which is made without the queue.
	orderGrace = 10 * time.Second
	eventGrace = 30 * time.Second
	// restedSweeps is how many sweeps a process leaves to the one that leads before it makes one itself: after a loss of
	// Redis' data many help, and nothing depends on who says that it leads.
	restedSweeps = 15
)

// sweeper is one process's sweep: its place in the backlog.
type sweeper struct {
	*Worker
	orders topup.Due
	events topup.DueEvent
}

// Sweep finds what was lost, until ctx ends: it enqueues orders and events that are due and that nobody has
// processed, and settles attempts whose deadline has passed as unknown. It makes Redis expendable. The worker that
// leads sweeps every time, the others now and then; each step is bounded, and harmless when repeated. Beside the
// sweep, it gathers evidence about unknown attempts, and releases orders that wait.
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
	for rested := restedSweeps; ; rested++ {
		if rested >= restedSweeps || w.Leads() {
			s.sweep(ctx, time.Duration(patience)*orderGrace, time.Duration(patience)*eventGrace)
			rested = 0
		}
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

// timeOut settles attempts whose deadline has passed without a result: nobody knows what they did. Each is tried once:
// the next sweep comes soon.
func (s *sweeper) timeOut(ctx context.Context) error {
	overdue, err := s.Journal.Overdue(ctx, time.Now(), sweepPage)
	return cmp.Or(err, each(ctx, overdue, func(due topup.Due) error {
		o := topup.Order{ID: due.ID, AttemptCount: due.AttemptCount}
		_, err := s.record(ctx, o, topup.Result{
			Outcome: topup.OutcomeUnknown,
			Error:   "no outcome was recorded before the attempt's deadline; the worker may have died",
		}, &backoff.StopBackOff{})
		if errors.Is(err, topup.ErrLost) {
			return nil
		}
		return err
	}))
}

// each does something with each, and returns the first error: one that is refused keeps no other waiting.
func each[T any](ctx context.Context, all []T, do func(T) error) (refused error) {
	for _, one := range all {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		refused = cmp.Or(refused, do(one))
	}
	return refused
}

// enqueueOrders enqueues the next page of orders that wait too long. It goes page by page, because the first ones may
// well be in the queue: only Redis knows, and to enqueue them is to ask it. It ends those whose time is over.
func (s *sweeper) enqueueOrders(ctx context.Context, late time.Duration) error {
	page, err := s.Journal.Due(ctx, time.Now().Add(-late), s.orders, sweepPage)
	if err != nil {
		return err
	}
	s.orders = topup.Due{} // from the start next time
	if len(page) == sweepPage {
		s.orders = page[len(page)-1]
	}
	return each(ctx, page, func(due topup.Due) error { return s.enqueueOrder(ctx, due) })
}

func (s *sweeper) enqueueOrder(ctx context.Context, due topup.Due) error {
	if due.State == topup.StateSubmitting {
		return nil
	}
	o, err := s.Journal.Order(ctx, due.ID)
	if err != nil {
		return err
	}
	if o.EndsAt != nil && !time.Now().Before(*o.EndsAt) {
		return s.end(ctx, o.ID) // without the queue, which may be paused, or away
	}
	return s.Waker.ForceEnqueueOrder(ctx, o.Request())
}

func (s *sweeper) enqueueEvents(ctx context.Context, late time.Duration) error {
	page, err := s.Journal.DueEvents(ctx, time.Now().Add(-late), s.events, sweepPage)
	if err != nil {
		return err
	}
	s.events = topup.DueEvent{}
	if len(page) == sweepPage {
		s.events = page[len(page)-1]
	}
	return each(ctx, page, func(due topup.DueEvent) error { return s.Waker.ForceEnqueueEvent(ctx, due.ID) })
}
