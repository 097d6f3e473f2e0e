package worker

import (
	"sync"
	"time"
)

const (
	// budgetMost is how many retries may be made at once, whatever came before.
	budgetMost = 100
	// budgetReserve is how many retries a second are allowed while there are no first attempts.
	budgetReserve = 1
	// budgetWait is the least wait of a retry for which there is no room.
	budgetWait = 5 * time.Second
)

// budget keeps retries from outnumbering first attempts while they fail: each first attempt makes room for one
// retry, and a retry that got an answer gives its room back. The idea is Finagle's.
type budget struct {
	mu   sync.Mutex
	room float64
	at   time.Time
}

func newBudget() *budget { return &budget{room: budgetMost, at: time.Now()} }

func (b *budget) first()  { b.add(1) }
func (b *budget) refund() { b.add(1) }

// retry takes room for a retry; false: there is none.
func (b *budget) retry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grow()
	if b.room < 1 {
		return false
	}
	b.room--
	return true
}

// has is how many retries there is room for.
func (b *budget) has() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grow()
	return int(b.room)
}

func (b *budget) add(n float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grow()
	b.room = min(b.room+n, budgetMost)
}

func (b *budget) grow() {
	now := time.Now()
	b.room = min(b.room+budgetReserve*now.Sub(b.at).Seconds(), budgetMost)
	b.at = now
}
