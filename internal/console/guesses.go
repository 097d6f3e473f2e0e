package console

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// Each address may try to log in so often in a row, and then once every guessEvery.
	guessesAtOnce = 5
	guessEvery    = 2 * time.Second
	// addressesKept bounds the memory that strangers can take.
	addressesKept = 10_000
)

// guesses slows down who tries keys. It does so for each address, so that a stranger does not lock out the
// operator.
type guesses struct {
	mu sync.Mutex
	by map[netip.Prefix]*rate.Limiter
}

func newGuesses() *guesses { return &guesses{by: map[netip.Prefix]*rate.Limiter{}} }

// wait is how long the address must wait before it may try; 0: it may, and has.
func (g *guesses) wait(remote string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	network := networkOf(remote)
	limiter, known := g.by[network]
	if !known {
		if len(g.by) >= addressesKept {
			clear(g.by)
		}
		limiter = rate.NewLimiter(rate.Every(guessEvery), guessesAtOnce)
		g.by[network] = limiter
	}
	r := limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// networkOf is an IPv4 address, or the /64 that whoever has an IPv6 address has all of.
func networkOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	bits, addr := 64, at.Addr().Unmap().WithZone("")
	if addr.Is4() {
		bits = 32
	}
	network, _ := addr.Prefix(bits) // the zero one only for an address that is none
	return network
}
