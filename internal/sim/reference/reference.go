// Package reference is the book of record in memory, written from docs/states.md: maps, slices and a mutex, so short
// that a reader can see that it is right. Tests compare the databases with it, and the simulator can run on it.
//
// Every operation is done when it returns, and waits for nothing: contexts are ignored. It has no archive.
package reference

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"recarga/internal/clip"
	"recarga/topup"
	"recarga/topup/desk"
)

const (
	// waitGrace is when an order becomes due that waits in the wait queue and that nobody releases.
	waitGrace = time.Hour
	// quiet is how long nothing may have failed for an endpoint's record of failures to begin anew.
	quiet = 48 * time.Hour
	// lookBack bounds, by their time of creation, the orders that are looked at around an attempt.
	lookBack = time.Hour
	// maxText is the length in bytes of what is kept of a text from outside.
	maxText = 4 << 10
	// maxDispute is the length in characters from which a dispute takes no more evidence.
	maxDispute = 4096
	// pageLength and longestPage are the usual and the greatest length of a page of events.
	pageLength, longestPage = 50, 1000
)

// Config is how long orders may wait, and what they may ask for.
type Config struct {
	// Untried is how long an order that was never tried and has no expires_at waits; zero: for ever.
	Untried time.Duration
	// Tried is how long an order is tried, from its first attempt or a person's decision; zero: for ever.
	Tried time.Duration
	// Grace is how long after an order's end its event becomes due.
	Grace time.Duration
	// Catalog is what new orders may ask for. The zero value sells nothing.
	Catalog topup.Catalog
}

// Journal is a book of record. It is safe for concurrent use.
type Journal struct {
	cfg Config

	mu           sync.Mutex // guards what follows
	orders       map[topup.ID]*order
	placed       []*order // all of them, in the order in which they were accepted
	events       []*event // all of them, in the order in which they were made
	callers      map[string]topup.Caller
	health       map[endpoint]topup.EndpointHealth
	redeliveries map[redelivery]int
	controls     desk.Controls
}

// endpoint names a caller's endpoint.
type endpoint struct{ caller, url string }

// redelivery is an event on a day of UTC.
type redelivery struct {
	day   int64
	event string
}

// order is an order and all that is known of it.
type order struct {
	topup.Order
	place       int      // among all orders
	fingerprint [32]byte // zero of one that is Unclaimed
	attempts    []attempt
	resolutions []topup.Resolution
	corrections []topup.Correction
	disputes    []topup.Dispute
	notified    int        // events, without their copies
	due         *time.Time // nil: nobody needs to process it
	held        bool       // unknown because a statement charges it
}

// attempt is an attempt with what its caller does not see.
type attempt struct {
	topup.Attempt
	deadline time.Time // after which anybody may call its outcome unknown
}

// New makes an empty book.
func New(cfg Config) *Journal {
	return &Journal{
		cfg: cfg, orders: map[topup.ID]*order{}, callers: map[string]topup.Caller{},
		health: map[endpoint]topup.EndpointHealth{}, redeliveries: map[redelivery]int{},
	}
}

// alone keeps every other call out, until what it returns is called.
func (j *Journal) alone() (end func()) {
	j.mu.Lock()
	return j.mu.Unlock
}

// known is an order, or topup.ErrNotFound.
func (j *Journal) known(id topup.ID) (*order, error) {
	if o := j.orders[id]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("order %s: %w", id, topup.ErrNotFound)
}

// move brings an order into a state, and notifies its caller where the state is one of which callers are notified. It
// is the only way but a correction in which a state changes, and the state table must have it.
func (j *Journal) move(o *order, to topup.State, by topup.Operation, now time.Time) *topup.Event {
	if !topup.Allowed(o.State, to, by) {
		panic(fmt.Sprintf("order %s: %s to %s by %s is not in the table", o.ID, o.State, to, by))
	}
	o.State, o.UpdatedAt = to, now
	o.WaitsFor, o.Released, o.held, o.NextAttemptAt, o.due = "", false, false, nil, nil
	if to.Final() {
		o.FinishedAt, o.EndsAt = &now, nil
	}
	return j.notify(o, topup.EventTypeOf(to), now)
}

// dueAt makes an order due at a time, or when it ends, if that is earlier.
func (o *order) dueAt(at time.Time) { o.due = earliest(&at, o.EndsAt) }

func (o *order) waits() bool { return o.State == topup.StateQueued || o.State == topup.StateRetrying }

// heldBack reports whether an operator keeps it from being bought.
func (o *order) heldBack() bool { return o.WaitsFor == topup.NullString(topup.WaitOperator) }

// inDoubt reports whether money may have moved, for all that the attempts say.
func (o *order) inDoubt() bool {
	for _, a := range o.attempts {
		if a.Outcome == topup.OutcomeUnknown {
			return true
		}
	}
	return false
}

// refused is the error of an operation that the order's state does not allow.
func (o *order) refused(by topup.Operation) error {
	return &topup.TransitionError{ID: o.ID, From: o.State, By: by}
}

// earliest is the first of two times; nil is never.
func earliest(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

// after is a time so long after another; nil, which is never, for no duration.
func after(t time.Time, d time.Duration) *time.Time {
	if d == 0 {
		return nil
	}
	return new(t.Add(d))
}

// whole cuts a time to what is kept of it.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func wholeOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(whole(*t))
}

// text is what is kept of a text from outside: UTF-8 without NUL, cut short.
func text[S ~string](s S) S {
	valid := strings.ToValidUTF8(string(s), "\uFFFD")
	return S(clip.To(strings.ReplaceAll(valid, "\x00", "\uFFFD"), maxText))
}

// added is a text with more of it, unless that is empty or said already.
func added(said, more string) string {
	switch {
	case said == "":
		return more
	case more == "" || strings.Contains(said, more):
		return said
	}
	return said + "; " + more
}
