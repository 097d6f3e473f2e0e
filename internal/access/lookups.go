package access

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	// lookupsAtOnce of keys that were not right before are under way, lookupsEach of them for one address.
	lookupsAtOnce = 16
	lookupsEach   = 2
	// keysKept bounds the memory of keys that were right.
	keysKept = 10_000
)

// Lookups bound what those who try keys can ask of the book of record: keys that were right before are looked up at
// once, and of the others a few at a time, of each address and over all. The rest waits: a right key is always
// accepted.
type Lookups struct {
	all *semaphore.Weighted

	mu    sync.Mutex
	right map[[sha256.Size]byte]bool
	by    map[netip.Prefix]*addressSlots
}

// slots are those of one address; they are forgotten with the last user.
type addressSlots struct {
	slots *semaphore.Weighted
	users int
}

// NewLookups builds Lookups.
func NewLookups() *Lookups {
	return &Lookups{
		all: semaphore.NewWeighted(lookupsAtOnce), right: map[[sha256.Size]byte]bool{}, by: map[netip.Prefix]*addressSlots{},
	}
}

// Do looks up a key for the client noted in ctx. It returns the error of find, which says that the key is not right,
// or of ctx.
func (l *Lookups) Do(ctx context.Context, key string, find func() error) error {
	digest := sha256.Sum256([]byte(key))
	if !l.wasRight(digest) {
		done, err := l.reserve(ctx, Network(ClientOf(ctx)))
		if err != nil {
			return err
		}
		defer done()
	}
	err := find()
	if err == nil {
		l.note(digest)
	}
	return err
}

func (l *Lookups) wasRight(digest [sha256.Size]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.right[digest]
}

func (l *Lookups) note(digest [sha256.Size]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.right) >= keysKept {
		clear(l.right) // they are right again at their next use
	}
	l.right[digest] = true
}

// reserve waits for a slot of the address first, so that one address cannot take those of the others.
func (l *Lookups) reserve(ctx context.Context, network netip.Prefix) (done func(), err error) {
	l.mu.Lock()
	mine := l.by[network]
	if mine == nil {
		mine = &addressSlots{slots: semaphore.NewWeighted(lookupsEach)}
		l.by[network] = mine
	}
	mine.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if mine.users--; mine.users == 0 {
			delete(l.by, network)
		}
	}
	if err := mine.slots.Acquire(ctx, 1); err != nil {
		leave()
		return nil, err
	}
	if err := l.all.Acquire(ctx, 1); err != nil {
		mine.slots.Release(1)
		leave()
		return nil, err
	}
	return func() { l.all.Release(1); mine.slots.Release(1); leave() }, nil
}
