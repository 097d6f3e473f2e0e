package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"recarga/topup"
)

// loginPulse is the time between two questions whether the credentials are accepted by now. The distributor's client
// asks it less often.
const loginPulse = 5 * time.Second

// errNoToken: there is no token to buy with, so no attempt was made.
var errNoToken = errors.New("no login")

// refusal keeps orders waiting while no login succeeds. An attempt could only spend one of an order's tries, and send
// nothing. It implements admission.Reserve.
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

// authorize has the next purchase find a token. It is errNoToken where no login succeeds, and learns that.
func (w *Worker) authorize(ctx context.Context) error {
	err := w.Distributor.Authorize(ctx)
	switch {
	case err == nil:
		if w.refusal.now.Swap(false) {
			w.Log.InfoContext(ctx, "orders go on: the distributor accepts the login")
		}
		return nil
	case ctx.Err() != nil: // nobody waits for a token any more
		return ctx.Err()
	case !w.refusal.now.Swap(true):
		w.Log.ErrorContext(ctx, "orders wait: the distributor gives no token", "error", err)
	}
	return fmt.Errorf("%w: %w", errNoToken, err)
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

// waitForLogin puts an order into the wait queue for which there is no token.
func (w *Worker) waitForLogin(ctx context.Context, o topup.Order) (again time.Time) {
	again, deferred := w.deferUntil(ctx, o)
	if !deferred { // another order has got one by now
		again = time.Now().Add(time.Second)
	}
	return again
}
