package access

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many failures are answered as such; those above are answered with 429.
const (
	// FailuresAtOnce of one address in a row, and then one every failureEvery.
	FailuresAtOnce = 10
	failureEvery   = time.Second
	// failuresOverAll of all addresses at once, and then so many a second.
	failuresOverAll = 200
	// addressesKept bounds the memory that strangers can take.
	addressesKept = 10_000
	// lineEvery is between two log lines of one address, and linesOverAll bounds those of all, a second.
	lineEvery    = time.Second
	linesOverAll = 20
)

// Where somebody failed to authenticate.
const (
	AtAPI     = "api"
	AtQueues  = "queues"
	AtLogin   = "login"
	AtSession = "session"
)

// Why.
const (
	WrongKey      = "wrong_key"
	DisabledKey   = "disabled"
	ForgedSession = "forged"
)

// Places and Reasons are all of them.
func Places() []string { return []string{AtAPI, AtQueues, AtLogin, AtSession} }

// Reasons are why a key or a session is refused.
func Reasons() []string { return []string{WrongKey, DisabledKey, ForgedSession} }

// Limiter slows down those who try keys: of each address, and over all, only so many failures a second are answered
// as such. It is asked after a key was found to be wrong: a right one is accepted whatever its address has done, since
// otherwise one stranger behind the same address would lock its owner out. So it bounds what guessing costs us, and
// not how often somebody may guess: a key that can be guessed must not be set (see Weak).
type Limiter struct {
	log     *slog.Logger
	observe func(where, reason string)

	mu    sync.Mutex
	by    map[netip.Prefix]*failures
	all   *rate.Limiter
	lines *rate.Limiter
	// others are the addresses that there is no room for, all together.
	others *failures
	// forgot is when addresses were dropped last.
	forgot time.Time
}

// failures are those of one address.
type failures struct {
	limit *rate.Limiter
	// count is how many there were since the last line of the log, at said.
	count int
	said  time.Time
	last  time.Time
}

// NewLimiter builds a Limiter that counts each failure with observe; nil: nobody counts.
func NewLimiter(log *slog.Logger, observe func(where, reason string)) *Limiter {
	if observe == nil {
		observe = func(string, string) {}
	}
	return &Limiter{
		log: log, observe: observe, by: map[netip.Prefix]*failures{}, others: newFailures(),
		all: rate.NewLimiter(failuresOverAll, failuresOverAll), lines: rate.NewLimiter(linesOverAll, linesOverAll),
	}
}

func newFailures() *failures {
	return &failures{limit: rate.NewLimiter(rate.Every(failureEvery), FailuresAtOnce)}
}

// TooManyError is the answer to those who failed too often.
type TooManyError struct {
	// Wait is when the next failure will be answered as such.
	Wait time.Duration
}

// Error is for whoever typed the wrong key.
func (e *TooManyError) Error() string {
	return "too many wrong keys from your address; wait " + e.Wait.Round(time.Millisecond).String() +
		". A right key is accepted at any time"
}

// Failed counts and logs a failure of the client noted in ctx. It returns nil, or a *TooManyError where it is not
// to be answered as such.
func (l *Limiter) Failed(ctx context.Context, where, reason string) error {
	now := time.Now()
	l.mu.Lock()
	f := l.of(Network(ClientOf(ctx)), now)
	wait := max(until(f.limit, now), until(l.all, now))
	if wait == 0 {
		f.limit.AllowN(now, 1)
		l.all.AllowN(now, 1)
	}
	count := l.count(f, now)
	l.mu.Unlock()
	l.report(ctx, where, reason, count)
	if wait > 0 {
		return &TooManyError{wait}
	}
	return nil
}

// Refused counts and logs a key that is known and refused: no guess, so it is not slowed down.
func (l *Limiter) Refused(ctx context.Context, where, reason string) {
	now := time.Now()
	l.mu.Lock()
	count := l.count(l.of(Network(ClientOf(ctx)), now), now)
	l.mu.Unlock()
	l.report(ctx, where, reason, count)
}

// count is how many failures are to be logged now; 0: none yet.
func (l *Limiter) count(f *failures, now time.Time) (n int) {
	f.count++
	f.last = now
	if now.Sub(f.said) >= lineEvery && l.lines.AllowN(now, 1) {
		n, f.count, f.said = f.count, 0, now
	}
	return n
}

func (l *Limiter) report(ctx context.Context, where, reason string, count int) {
	l.observe(where, reason)
	if count == 0 {
		return
	}
	l.log.WarnContext(ctx, "authentication failed", "where", where, "reason", reason,
		"client", ClientOf(ctx).String(), "failures", count)
}

// of are the failures of a network.
func (l *Limiter) of(network netip.Prefix, now time.Time) *failures {
	if known, ok := l.by[network]; ok {
		return known
	}
	if len(l.by) >= addressesKept && now.Sub(l.forgot) >= failureEvery { // it goes through all of them
		l.forget(now)
	}
	if len(l.by) >= addressesKept {
		return l.others
	}
	f := newFailures()
	l.by[network] = f
	return f
}

// forget drops the addresses that may fail as often as one that never did.
func (l *Limiter) forget(now time.Time) {
	l.forgot = now
	for network, f := range l.by {
		if now.Sub(f.last) >= FailuresAtOnce*failureEvery {
			delete(l.by, network)
		}
	}
}

// until is how long a limit must rest until one more is allowed.
func until(limit *rate.Limiter, now time.Time) time.Duration {
	if missing := 1 - limit.TokensAt(now); missing > 0 {
		return time.Duration(missing / float64(limit.Limit()) * float64(time.Second))
	}
	return 0
}
