package admission

import (
	"testing"
	"time"

	"recarga/internal/testkit"
)

// TestRetryBudget: while retries fail they are at most as many as first attempts and the reserve.
func TestRetryBudget(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		b := newRetryBudget()
		spend := func() (n int) {
			for b.take() {
				n++
			}
			return n
		}
		if n := spend(); n != mostRetries {
			t.Errorf("%d at the start", n)
		}
		for range 30 {
			b.add()
		}
		if n := spend(); n != 30 {
			t.Errorf("%d after 30 first attempts", n)
		}
		time.Sleep(10 * time.Second) // of a clock that jumps
		if n := spend(); n != 10*retriesPerSecond {
			t.Errorf("%d after 10 seconds", n)
		}
		b.add()
		if n := spend(); n != 1 {
			t.Errorf("%d after one that was answered", n)
		}
		time.Sleep(time.Hour)
		if n := spend(); n != mostRetries {
			t.Errorf("%d after an hour", n)
		}
	})
}
