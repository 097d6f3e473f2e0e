package webhook

import "sync"

// slots bounds the tries under way, so that an endpoint that hangs fills its own slots only.
//
// An origin gets a slot while it has fewer than each, and fewer than are still free. By the second
// condition k origins that hang have total/(k+1) each, and as many stay free for all others: no number
// of dead endpoints, below total, ever takes the last slot.
type slots struct {
	each int

	mu    sync.Mutex
	total int // 0 once closed
	used  int
	by    map[string]int
	// taken lets close wait. It counts up under mu only, so never while close waits.
	taken sync.WaitGroup
}

func newSlots(total, each int) *slots {
	return &slots{total: total, each: each, by: map[string]int{}}
}

func (s *slots) take(origin string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if has := s.by[origin]; has >= min(s.each, s.total-s.used) {
		return false
	}
	s.used++
	s.by[origin]++
	s.taken.Add(1)
	return true
}

func (s *slots) free(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if s.by[origin]--; s.by[origin] == 0 {
		delete(s.by, origin)
	}
	s.taken.Done()
}

// close gives out no more slots, and waits until all are free.
func (s *slots) close() {
	s.mu.Lock()
	s.total = 0
	s.mu.Unlock()
	s.taken.Wait()
}
