package access

import (
	"sync"
	"time"
)

const (
	// fresh is how long something is remembered: a change takes effect everywhere within it.
	fresh = 2 * time.Second
	// remembered bounds the memory.
	remembered = 10_000
)

// Memory remembers for a moment what was read, so that a store is asked at most every so often. Only what was found is
// remembered: what was not may be anything that somebody sends. The zero value is ready, and safe for
// concurrent use.
type Memory[K comparable, V any] struct {
	mu    sync.Mutex
	known map[K]reading[V]
}

// reading is what was read, and until when it is taken for true.
type reading[V any] struct {
	value V
	until time.Time
}

// Recall is what is remembered of a key, or what ask finds now.
func (m *Memory[K, V]) Recall(key K, ask func() (V, error)) (V, error) {
	now := time.Now()
	m.mu.Lock()
	known, ok := m.known[key]
	m.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.value, nil
	}
	value, err := ask()
	if err != nil {
		return value, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= remembered {
		clear(m.known)
	}
	if m.known == nil {
		m.known = map[K]reading[V]{}
	}
	m.known[key] = reading[V]{value, now.Add(fresh)}
	return value, nil
}

// Forget forgets what is remembered of a key.
func (m *Memory[K, V]) Forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, key)
}

// Clear forgets everything.
func (m *Memory[K, V]) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
}
