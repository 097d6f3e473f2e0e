package admission

import (
	"context"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
)

// forgetfulState is a shared state that may lose a pause.
type forgetfulState struct {
	state
	lost func() bool
}

func (s forgetfulState) Pause(_ context.Context, until time.Time) error {
	if s.lost() {
		return context.DeadlineExceeded
	}
	s.shared.PausedUntil = until
	return nil
}

// TestPausesAreKept: whatever becomes of the shared state, a worker buys nothing before the end of each pause that the
// distributor has asked it for; and after all that it knows, it buys.
func TestPausesAreKept(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		for seed := range uint64(200) {
			by := rand.New(rand.NewPCG(seed, 0))
			w := &world{granted: 1, moneyFor: 1 << 20}
			c := w.control()
			c.SharedState = forgetfulState{state{world: w}, func() bool { return by.IntN(2) == 0 }}
			own, others := time.Now(), time.Now()
			for range 30 {
				switch by.IntN(4) {
				case 0:
					asked := time.Duration(by.IntN(20_000)) * time.Millisecond
					c.Learn(t.Context(), order(topup.PriorityHigh, 1),
						topup.Result{HTTPStatus: http.StatusTooManyRequests, RetryAfter: asked})
					if until := time.Now().Add(max(asked, leastPause)); until.After(own) {
						own = until
					}
				case 1: // another worker was asked to wait, or Redis is empty
					w.shared.PausedUntil = time.Now().Add(time.Duration(by.IntN(20_000)-10_000) * time.Millisecond)
					if w.shared.PausedUntil.After(others) {
						others = w.shared.PausedUntil
					}
				case 2:
					time.Sleep(time.Duration(by.IntN(5000)) * time.Millisecond)
				}
				c.refresh(t.Context(), restrictionsFor)
				buys := c.Admit(t.Context(), order(topup.PriorityHigh, 0)).Buy
				now := time.Now()
				if buys && now.Before(own) || !buys && !now.Before(own) && !now.Before(others) {
					t.Fatalf("seed %d: buys %v, %s before the end of its pause, %s of the others'", seed, buys,
						own.Sub(now), others.Sub(now))
				}
			}
		}
	})
}
