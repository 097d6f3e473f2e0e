// Package longpoll has requests wait for changes of orders, and for new events: many in one process, at little cost.
//
// A change that is announced, by this process or another, is read at once; a Hub also asks the book now and then, with
// one query for all who wait, so that an announcement that got lost only delays. All reads of changed orders are one
// goroutine's, one after the other, so that nobody who waits sees an order that goes back.
package longpoll

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"recarga/internal/journal/search"
	"recarga/topup"
)

const (
	// restPoll is the time between two polls while announcements are heard, and deafPoll while they are not.
	restPoll, deafPoll = 2 * time.Second, 250 * time.Millisecond
	// page is how many orders are read at a time.
	page = 200
	// readTimeout bounds one read.
	readTimeout = 5 * time.Second
	// sayEvery is how often the log says that the book cannot be read.
	sayEvery = time.Minute
)

// ErrFull: as many wait in this process as may; ErrShare: as many of this caller.
var (
	ErrFull  = errors.New("as many requests wait as this process lets")
	ErrShare = errors.New("as many requests of this caller wait as this process lets")
)

// Book is what is read of the book of record: journal.Journal.
type Book interface {
	Versions(ctx context.Context, ids []topup.ID) (map[topup.ID]search.Version, error)
	Present(ctx context.Context, ids []topup.ID) ([]topup.Details, error)
	Details(ctx context.Context, id topup.ID) (topup.Details, error)
	FeedEnds(ctx context.Context, callers []string) (map[string]int64, error)
}

// Config is what a Hub is made of.
type Config struct {
	// Book is where orders are read.
	Book Book
	// Most is how many may wait in this process, and Share how many of one caller.
	Most, Share int
	// Heard reports whether other processes' announcements are heard; it must not block. Nil: they are not.
	Heard func() bool
	// Log gets a line where the book cannot be read.
	Log *slog.Logger
}

// Hub has those who wait. It is safe for concurrent use.
type Hub struct {
	cfg Config
	// work says that there is something to read.
	work chan struct{}
	// ended is closed by End.
	ended chan struct{}
	end   func()

	mu     sync.Mutex
	orders map[topup.ID][]*Order
	feeds  map[string][]*Events
	// check are the orders that may have changed.
	check map[topup.ID]struct{}
	// waiting counts who waits, by caller, and all is their number.
	waiting map[string]int
	all     int

	said time.Time // Run's: when the log said something last
}

// New makes a Hub. Run it.
func New(cfg Config) *Hub {
	if cfg.Heard == nil {
		cfg.Heard = func() bool { return false }
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	ended := make(chan struct{})
	return &Hub{
		cfg: cfg, work: make(chan struct{}, 1), ended: ended, end: sync.OnceFunc(func() { close(ended) }),
		orders: map[topup.ID][]*Order{}, feeds: map[string][]*Events{},
		check: map[topup.ID]struct{}{}, waiting: map[string]int{},
	}
}

// Waiting is how many wait.
func (h *Hub) Waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}

// End has all who wait answered with the present state, and whoever comes later at once. Run must go on.
func (h *Hub) End() {
	h.end()
	h.mu.Lock()
	for id := range h.orders {
		h.check[id] = struct{}{}
	}
	h.mu.Unlock()
	h.wake()
}

// Changed says that an order may have changed. It does not block.
func (h *Hub) Changed(id topup.ID) {
	h.mu.Lock()
	_, awaited := h.orders[id]
	if awaited {
		h.check[id] = struct{}{}
	}
	h.mu.Unlock()
	if awaited {
		h.wake()
	}
}

func (h *Hub) wake() {
	select {
	case h.work <- struct{}{}:
	default:
	}
}

// Run reads what those who wait wait for, until ctx ends. Polls come however much is announced meanwhile.
func (h *Hub) Run(ctx context.Context) {
	poll := time.NewTimer(h.pollEvery())
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.work:
		case <-poll.C:
			h.checkAll()
			h.pollFeeds(ctx)
			poll.Reset(h.pollEvery())
		}
		h.turn(ctx)
	}
}

func (h *Hub) pollEvery() time.Duration {
	if h.cfg.Heard() {
		return restPoll
	}
	return deafPoll
}

func (h *Hub) checkAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.orders {
		h.check[id] = struct{}{}
	}
}

// turn reads the orders that may have changed, and answers those who wait for them. Only who waited before the read is
// answered by it: whoever came later may have seen more.
func (h *Hub) turn(ctx context.Context) {
	picked := h.pick()
	if len(picked) == 0 {
		return
	}
	ids := make([]topup.ID, 0, len(picked))
	for id := range picked {
		ids = append(ids, id)
	}
	versions, err := bounded(ctx, func(ctx context.Context) (map[topup.ID]search.Version, error) {
		return h.cfg.Book.Versions(ctx, ids)
	})
	if err != nil {
		h.failed(ctx, picked, err)
		return
	}
	ids = slices.DeleteFunc(ids, func(id topup.ID) bool {
		picked[id] = slices.DeleteFunc(picked[id], func(o *Order) bool { return !h.concerns(o, versions) })
		return len(picked[id]) == 0
	})
	for some := range slices.Chunk(ids, page) {
		h.answer(ctx, some, picked)
	}
}

// pick takes the orders that may have changed, and who waits for them now.
func (h *Hub) pick() map[topup.ID][]*Order {
	h.mu.Lock()
	defer h.mu.Unlock()
	picked := make(map[topup.ID][]*Order, len(h.check))
	for id := range h.check {
		if waiters := h.orders[id]; len(waiters) > 0 {
			picked[id] = slices.Clone(waiters)
		}
	}
	clear(h.check)
	return picked
}

// concerns reports whether somebody is to be answered now. An order without a version has left for the archive.
func (h *Hub) concerns(o *Order, versions map[topup.ID]search.Version) bool {
	v, there := versions[o.id]
	return !there || v != o.seen || o.over() || h.over()
}

func (h *Hub) over() bool {
	select {
	case <-h.ended:
		return true
	default:
		return false
	}
}

// answer reads orders, and answers those who wait for them.
func (h *Hub) answer(ctx context.Context, ids []topup.ID, waiters map[topup.ID][]*Order) {
	all, err := bounded(ctx, func(ctx context.Context) ([]topup.Details, error) { return h.cfg.Book.Present(ctx, ids) })
	found := make(map[topup.ID]*topup.Details, len(all))
	for i := range all {
		found[all[i].ID] = &all[i]
	}
	for _, id := range ids {
		d, oneErr := found[id], err
		if d == nil && err == nil { // it has left for the archive
			one, err := bounded(ctx, func(ctx context.Context) (topup.Details, error) { return h.cfg.Book.Details(ctx, id) })
			d, oneErr = &one, err
		}
		if oneErr != nil {
			h.failed(ctx, map[topup.ID][]*Order{id: waiters[id]}, oneErr)
			continue
		}
		for _, o := range waiters[id] {
			o.report(present{details: d})
		}
	}
}

// failed has those wait on whose time is not over: the next poll reads again.
func (h *Hub) failed(ctx context.Context, waiters map[topup.ID][]*Order, err error) {
	ended := h.over()
	for _, some := range waiters {
		for _, o := range some {
			if ended || o.over() {
				o.report(present{err: err})
			}
		}
	}
	h.say(ctx, err)
}

func (h *Hub) say(ctx context.Context, err error) {
	if now := time.Now(); now.Sub(h.said) > sayEvery && ctx.Err() == nil {
		h.said = now
		h.cfg.Log.WarnContext(ctx, "what requests wait for cannot be read", "error", err)
	}
}

func bounded[T any](ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return read(ctx)
}

// enter counts somebody who waits.
func (h *Hub) enter(caller string) error {
	switch {
	case h.all >= h.cfg.Most:
		return ErrFull
	case h.waiting[caller] >= h.cfg.Share:
		return ErrShare
	}
	h.all++
	h.waiting[caller]++
	return nil
}

// leave is the end of enter.
func (h *Hub) leave(caller string) {
	h.all--
	if h.waiting[caller]--; h.waiting[caller] == 0 {
		delete(h.waiting, caller)
	}
}
