package access_test

import (
	"errors"
	"testing"
	"time"

	"recarga/internal/access"
	"recarga/internal/testkit"
)

// TestMemory: what was found is asked for again after two seconds, or when it is forgotten; what was not found, at once.
func TestMemory(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		var m access.Memory[string, int]
		asked := 0
		var none error
		recall := func(want int) {
			t.Helper()
			_, err := m.Recall("a", func() (int, error) { asked++; return asked, none })
			if asked != want || !errors.Is(err, none) {
				t.Errorf("asked %d times, want %d: %v", asked, want, err)
			}
		}
		none = errors.New("not found")
		recall(1)
		recall(2)
		none = nil
		recall(3)
		recall(3)
		time.Sleep(2 * time.Second) // of the bubble's clock
		recall(4)
		m.Forget("a")
		recall(5)
		m.Clear()
		recall(6)
	})
}
