package admission

import (
	"context"
	"testing"
	"testing/synctest"

	"recarga/internal/testkit"
	"recarga/topup"
)

// slowState is a shared state that takes an outage as soon as it may.
type slowState struct {
	state
	let chan struct{}
}

func (s slowState) SetOutage(_ context.Context, operator string, o topup.Outage) error {
	<-s.let
	s.shared.Outages = map[string]topup.Outage{operator: o}
	return nil
}

// TestSlowSharedState: while Redis takes its time with one operator's outage, the orders of the others are bought, and
// what is read meanwhile does not undo the outage.
func TestSlowSharedState(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		w := &world{granted: 1, moneyFor: 1 << 20}
		c := w.control()
		slow := slowState{state{world: w}, make(chan struct{})}
		c.SharedState, c.Breaker.Share = slow, 0.5
		failing, other := order(topup.PriorityHigh, 0), order(topup.PriorityHigh, 0)
		other.Product = "TELCEL_TAE"
		failed := topup.Result{Outcome: topup.OutcomeUnavailable, Code: "91"}
		go func() {
			for range enough {
				c.Learn(t.Context(), failing, failed)
			}
		}()
		synctest.Wait() // Redis has been asked, and does not answer
		decided := func() bool {
			c.reread(t.Context())
			return c.Admit(t.Context(), other).Buy && c.Admit(t.Context(), failing).Wait == topup.WaitOutage
		}
		done := make(chan bool, 1)
		go func() { done <- decided() }()
		synctest.Wait()
		select {
		case ok := <-done:
			if !ok {
				t.Error("while it is written: another operator waits, or the one that is out does not")
			}
		default:
			t.Error("nobody may buy while the shared state is written")
		}
		close(slow.let)
		synctest.Wait()
		if !decided() || w.shared.Outages["MOVISTAR"].Since.IsZero() {
			t.Errorf("after it was written: %+v", w.shared)
		}
	})
}
