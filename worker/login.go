package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"recarga/distributor"
	"recarga/topup"
)

// loginPulse is the time between two questions whether the credentials are accepted by now. The distributor's client
// asks it less often.
const loginPulse = 5 * time.Second

// refusal keeps orders waiting while the distributor refuses our credentials. An attempt could only spend one of an
// order's tries on a mistake of ours. It implements admission.Reserve.
type refusal struct{ now atomic.Bool }

// Active implements admission.Reserve.
func (r *refusal) Active() bool { return r.now.Load() }

// Waits implements admission.Reserve.
func (r *refusal) Waits(topup.Waiting) topup.Wait {
	if r.now.Load() {
		return topup.WaitLogin
	}
	return ""
}

// Take implements admission.Reserve.
func (r *refusal) Take(o topup.Waiting) topup.Wait { return r.Waits(o) }

// authorize has the next purchase find a token, and learns whether the credentials are refused.
func (w *Worker) authorize(ctx context.Context) error {
	err := w.Distributor.Authorize(ctx)
	refused := errors.Is(err, distributor.ErrCredentials)
	switch was := w.refusal.now.Load(); {
	case refused && w.refusal.now.CompareAndSwap(false, true):
		w.Log.ErrorContext(ctx, "orders wait: the distributor refuses the credentials", "error", err)
	case err == nil && was && w.refusal.now.CompareAndSwap(true, false):
		w.Log.InfoContext(ctx, "the distributor accepts the credentials again")
	}
	return err
}

// Login logs in before the first order needs it, so that wrong credentials are known at the start, and has the orders
// go on that wait for a login; until ctx ends.
func (w *Worker) Login(ctx context.Context) {
	tick := time.NewTicker(loginPulse)
	defer tick.Stop()
	for first := true; ; first = false {
		if first || w.refusal.Active() {
			_ = w.authorize(ctx) // it has logged what is new
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// waitForLogin puts an order into the wait queue whose login was refused.
func (w *Worker) waitForLogin(ctx context.Context, o topup.Order) (again time.Time) {
	again, deferred := w.deferUntil(ctx, o)
	if !deferred { // the credentials are accepted by now, or the admission has not heard yet that they are not
		again = time.Now().Add(time.Second)
	}
	return again
}
