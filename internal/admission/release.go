package admission

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"recarga/topup"
)

const (
	// mostReleased bounds the orders that were released and have not begun an attempt: so many are in the queue
	// before an order of a checkout.
	mostReleased = 256
	// oldest is how many orders of each priority, caller and product are read.
	oldest = 64
	// idlePause, busyPause and blockedPause are the waits between two rounds: when no order waits, when some were
	// released, and when none could be. restPause is that of a worker that does not lead, where it released none.
	idlePause, busyPause, blockedPause = 500 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond
	restPause                          = 5 * time.Second
)

// releaser is the release loop of one process.
type releaser struct {
	*Control
	probe Probe
	// latest is for each priority the caller that was served last.
	latest map[topup.Priority]string
	// lastWaited is when an order last waited for an operator that is out.
	lastWaited map[string]time.Time
	// probing has the operators that this process probes at the moment.
	probing sync.Map
	probes  sync.WaitGroup
}

// Run releases orders that wait, until ctx ends: those that may be bought, by their priority, the callers of one
// priority in their fair share, and of each caller the oldest first. The worker that leads does, and any other one for
// the orders that begin to wait there, and now and then; the wait queue has each order released once. It also has
// probe try the operators that are out.
func (c *Control) Run(ctx context.Context, probe Probe) {
	r := &releaser{Control: c, probe: probe, latest: map[topup.Priority]string{}, lastWaited: map[string]time.Time{}}
	defer r.probes.Wait()
	for ctx.Err() == nil {
		pause, err := r.round(ctx)
		if err != nil && ctx.Err() == nil {
			c.Log.WarnContext(ctx, "waiting orders not released", "error", err)
			pause = time.Second
		}
		wait(ctx, min(pause, busyPause), nil)
		if !wait(ctx, pause-busyPause, c.joined) && pause > busyPause {
			r.rest(ctx)
		}
	}
}

// rest waits while another worker leads: for restPause, or until an order begins to wait here.
func (r *releaser) rest(ctx context.Context) {
	for began := time.Now(); !r.Leads() && ctx.Err() == nil && time.Since(began) < restPause; {
		if wait(ctx, idlePause, r.joined) {
			return
		}
	}
}

// wait returns when the time is over, when an order has begun to wait, which it reports, or when ctx has ended.
func wait(ctx context.Context, d time.Duration, joined <-chan struct{}) bool {
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-joined:
		return true
	}
	return false
}

// round releases the orders that may be bought now, and returns how long to wait for the next round.
func (r *releaser) round(ctx context.Context) (pause time.Duration, err error) {
	r.refresh(ctx, idleControlsFor)
	all, err := r.Queue.Waiting(ctx, oldest)
	if err != nil {
		return 0, err
	}
	if len(all) > 0 {
		r.refresh(ctx, restrictionsFor)
	}
	for rank, p := range topup.Priorities() {
		// Who waits for a pause to end keeps nobody behind them.
		waits := slices.ContainsFunc(all, func(o topup.Waiting) bool { return o.Priority == p && !r.paused(o) })
		r.waitingByPriority[rank].Store(waits)
	}
	r.endForgotten(ctx, all)
	if !slices.ContainsFunc(all, func(o topup.Waiting) bool { return !r.paused(o) }) {
		return idlePause, nil
	}
	released, err := r.Queue.Released(ctx)
	if err != nil {
		return 0, err
	}
	ready := r.ready(all)
	limits := r.resume(ctx, ready)
	r.probeOutages(ctx, all)
	n, wait, err := r.releaseAll(ctx, ready, limits, mostReleased-released)
	r.giveBack(ctx, limits)
	if err != nil || n == 0 {
		return blockedPause, err
	}
	if wait > 0 {
		return min(wait, blockedPause), nil
	}
	return busyPause, nil
}

// ready are the orders that may be bought once they are released, in the order of their release; of the retries as
// many as the budget has room for.
func (r *releaser) ready(all []topup.Waiting) (ready []topup.Waiting) {
	room := r.retries.left()
	for _, o := range fairOrder(all, r.latest) {
		k := r.known(o)
		if k.Released = true; !Decide(k).Buy {
			continue
		}
		if o.AttemptCount > 0 {
			if room == 0 {
				continue
			}
			room--
		}
		ready = append(ready, o)
	}
	return ready
}

// releaseAll releases the first of the orders, as many as there is room for and as the rate and the limits allow.
func (r *releaser) releaseAll(ctx context.Context, orders []topup.Waiting, limits limits, room int) (
	n int, wait time.Duration, err error,
) {
	for _, p := range topup.Priorities() {
		of := slices.DeleteFunc(slices.Clone(orders), func(o topup.Waiting) bool { return o.Priority != p })
		batch, others := limits.take(of, max(room-n, 0))
		if len(batch) == 0 {
			continue
		}
		granted, want := len(batch), len(batch)
		if r.limited() {
			if granted, wait, err = r.RateLimiter.Take(ctx, p, want); err != nil {
				limits.undo(batch...)
				return n, 0, err
			}
		}
		limits.undo(batch[granted:]...)
		released, err := r.release(ctx, batch[:granted], slices.Concat(batch[granted:], others), limits)
		n += released
		if err != nil || granted < want {
			return n, wait, err // the lower priorities wait as well
		}
	}
	return n, wait, nil
}

// release releases the orders of a batch, and for each that another worker has released one of the others.
func (r *releaser) release(ctx context.Context, batch, others []topup.Waiting, limits limits) (done int, err error) {
	for err == nil && len(batch) > 0 {
		errs := make([]error, len(batch))
		var busy sync.WaitGroup
		for i, o := range batch {
			busy.Go(func() { errs[i] = r.releaseOne(ctx, o) })
		}
		busy.Wait()
		lost := 0
		for i, e := range errs {
			switch {
			case e == nil:
				done++
				r.latest[batch[i].Priority] = batch[i].Caller
			case errors.Is(e, topup.ErrLost):
				lost++
				limits.undo(batch[i])
			default:
				err = e
			}
		}
		batch, others = limits.take(others, lost)
	}
	return done, err
}

func (r *releaser) releaseOne(ctx context.Context, in topup.Waiting) error {
	o, err := r.Queue.Release(ctx, in.ID, time.Now())
	if err != nil {
		return err
	}
	if o.AttemptCount == 0 {
		r.retries.add()
	} else {
		r.retries.take()
	}
	r.Waker.Order(ctx, o.Request(), time.Time{})
	return nil
}
