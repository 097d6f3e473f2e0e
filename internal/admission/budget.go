package admission

import (
	"sync"
	"time"
)

const (
	// mostRetries is how many retries may be made at once, whatever came before.
	mostRetries = 100
	// retriesPerSecond are allowed while there are no first attempts.
	retriesPerSecond = 1
	// retryWait is the shortest wait of a retry for which there is no room.
	retryWait = 5 * time.Second
)

// retryBudget keeps retries that fail from outnumbering first attempts: each first attempt makes room for one retry,
// and a retry that gets an answer gives its room back. The idea is Finagle's.
type retryBudget struct {
	mu   sync.Mutex
	room float64
	at   time.Time
}

func newRetryBudget() *retryBudget { return &retryBudget{room: mostRetries, at: time.Now()} }

// take takes room for a retry; false: there is none.
func (b *retryBudget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grow()
	if b.room < 1 {
		return false
	}
	b.room--
	return true
}

// left is how many retries there is room for.
func (b *retryBudget) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grow()
	return int(b.room)
}

// add makes room for one retry.
func (b *retryBudget) add() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grow()
	b.room = min(b.room+1, mostRetries)
}

func (b *retryBudget) grow() {
	now := time.Now()
	b.room = min(b.room+retriesPerSecond*now.Sub(b.at).Seconds(), mostRetries)
	b.at = now
}
