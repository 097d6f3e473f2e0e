package longpoll_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"recarga/internal/journal/search"
	"recarga/internal/longpoll"
	"recarga/internal/testkit"
	"recarga/topup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book has orders whose attempts count their changes, and feeds. Each read takes a while, and is of its end.
type book struct {
	chance func(most int) int

	mu sync.Mutex
	// changes are when each order had its attempt of this number, and events when each feed had its event.
	changes map[topup.ID][]time.Time
	events  map[string][]time.Time
	// broken: one read of so many fails.
	broken int
}

var errBroken = errors.New("the book does not answer")

func (b *book) read(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(b.chance(20)) * time.Millisecond):
	}
	if b.broken > 0 && b.chance(b.broken) == 0 {
		return errBroken
	}
	return nil
}

func (b *book) order(id topup.ID) topup.Order {
	b.mu.Lock()
	defer b.mu.Unlock()
	return topup.Order{ID: id, State: topup.StateQueued, AttemptCount: len(b.changes[id])}
}

// Versions implements longpoll.Book; one order is in the archive.
func (b *book) Versions(ctx context.Context, ids []topup.ID) (map[topup.ID]search.Version, error) {
	err := b.read(ctx)
	all := map[topup.ID]search.Version{}
	for _, id := range ids {
		all[id] = search.VersionOf(b.order(id))
	}
	return all, err
}

// Present implements longpoll.Book.
func (b *book) Present(ctx context.Context, ids []topup.ID) (all []topup.Details, err error) {
	err = b.read(ctx)
	for _, id := range ids {
		if b.chance(4) > 0 { // the others have just left for the archive
			all = append(all, topup.Details{Order: b.order(id)})
		}
	}
	return all, err
}

// Details implements longpoll.Book.
func (b *book) Details(ctx context.Context, id topup.ID) (topup.Details, error) {
	err := b.read(ctx)
	return topup.Details{Order: b.order(id)}, err
}

// FeedEnds implements longpoll.Book.
func (b *book) FeedEnds(ctx context.Context, feeds []string) (map[string]int64, error) {
	err := b.read(ctx)
	ends := map[string]int64{}
	for _, feed := range feeds {
		ends[feed] = b.end(feed)
	}
	return ends, err
}

func (b *book) end(feed string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.events[feed]))
}

// after is when something came behind what was seen; false: nothing has.
func after(all []time.Time, seen int) (time.Time, bool) {
	if len(all) <= seen {
		return time.Time{}, false
	}
	return all[seen], true
}

// interleaving is one of changes and of those who wait for them.
type interleaving struct {
	t    *testing.T
	hub  *longpoll.Hub
	book *book
	// within is how long after a change somebody is answered at the latest.
	within time.Duration
	done   sync.WaitGroup
}

// reading is more than all reads take, one after the other, that somebody may wait for.
const reading = 500 * time.Millisecond

// TestNobodyMissesAChange: over random interleavings, whoever waits is answered soon after a change, whether it is
// announced, the announcement is lost, or none is heard; at the end of its time in any case, also where the book cannot
// be read; at once when it hangs up; never with what it has seen already before its time, nor with what was before;
// and nobody is counted who has gone.
func TestNobodyMissesAChange(t *testing.T) {
	for _, c := range []struct {
		name      string
		announced int // of four changes
		heard     bool
		broken    int
		within    time.Duration
	}{
		{name: "announced", announced: 4, heard: true, within: reading},
		{name: "lost", announced: 2, heard: true, within: 2*time.Second + reading},
		{name: "deaf", within: 250*time.Millisecond + reading},
		{name: "broken", announced: 4, heard: true, broken: 2, within: time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(testkit.Times(15, 1000)) {
				testkit.Bubble(t, func(t *testing.T) {
					in := newInterleaving(t, seed, c.heard, c.within)
					in.book.broken = c.broken
					ctx, end := context.WithCancel(t.Context())
					var running sync.WaitGroup
					running.Go(func() { in.hub.Run(ctx) })
					for i := range 30 {
						in.done.Go(func() { in.changes(fmt.Sprint(i%5), c.announced) })
						in.done.Go(func() { in.waits(topup.ID(fmt.Sprint(i % 5))) })
						in.done.Go(func() { in.reads(fmt.Sprint(i % 5)) })
					}
					in.done.Wait()
					if n := in.hub.Waiting(); n != 0 {
						t.Errorf("seed %d: %d wait who have gone", seed, n)
					}
					end()
					running.Wait()
				})
			}
		})
	}
}

func newInterleaving(t *testing.T, seed uint64, heard bool, within time.Duration) *interleaving {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	b := &book{changes: map[topup.ID][]time.Time{}, events: map[string][]time.Time{}}
	b.chance = func(most int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(most)
	}
	return &interleaving{t: t, book: b, within: within, hub: longpoll.New(longpoll.Config{Book: b, Most: 100, Share: 100,
		Heard: func() bool { return heard }, Log: slog.New(slog.DiscardHandler)})}
}

// pause takes a random time up to a bound.
func (in *interleaving) pause(most time.Duration) {
	<-time.After(time.Duration(in.book.chance(int(most))))
}

// changes changes an order that has a feed of the same name, some times.
func (in *interleaving) changes(name string, announced int) {
	for range 3 {
		in.pause(5 * time.Second)
		in.book.mu.Lock()
		in.book.changes[topup.ID(name)] = append(in.book.changes[topup.ID(name)], time.Now())
		in.book.events[name] = append(in.book.events[name], time.Now())
		in.book.mu.Unlock()
		if in.book.chance(4) < announced {
			in.hub.Changed(topup.ID(name))
			in.hub.Notified(name)
		}
	}
}

func (in *interleaving) waits(id topup.ID) {
	in.pause(5 * time.Second)
	seen := in.book.order(id)
	in.pause(20 * time.Millisecond) // what happens meanwhile is a change as well
	began, d := time.Now(), time.Duration(in.book.chance(int(6*time.Second)))
	place, err := in.hub.Order("shop", seen)
	if err != nil {
		in.t.Error(err)
		return
	}
	patience, hangs := time.Hour, in.book.chance(4) == 0
	if hangs {
		patience = d / 2
	}
	ctx, cancel := context.WithTimeout(in.t.Context(), patience)
	defer cancel()
	got, err := place.Wait(ctx, d)
	ended := time.Now()
	in.book.mu.Lock()
	changed, hasChanged := after(in.book.changes[id], seen.AttemptCount)
	in.book.mu.Unlock()
	switch {
	case hangs && err != nil && ctx.Err() != nil:
		in.prompt("who hung up", ended, began.Add(patience))
	case err != nil:
		if !errors.Is(err, errBroken) || ended.Before(began.Add(d)) {
			in.t.Errorf("%v after %s of %s", err, ended.Sub(began), d)
		}
	case got.AttemptCount < seen.AttemptCount:
		in.t.Errorf("%s goes back from %d to %d", id, seen.AttemptCount, got.AttemptCount)
	case got.AttemptCount == seen.AttemptCount && ended.Before(began.Add(d)):
		in.t.Errorf("%s is answered as it was seen, after %s of %s", id, ended.Sub(began), d)
	}
	in.prompt("at the end of its time", ended, began.Add(d+reading))
	if hasChanged && !hangs {
		in.prompt("after a change", ended, later(changed, began).Add(in.within))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// prompt reports whoever is answered late.
func (in *interleaving) prompt(who string, ended, due time.Time) {
	if ended.After(due) {
		in.t.Errorf("%s: answered %s too late", who, ended.Sub(due))
	}
}

func (in *interleaving) reads(feed string) {
	in.pause(5 * time.Second)
	seen := in.book.end(feed)
	place, err := in.hub.Events("shop", feed, seen)
	if err != nil {
		in.t.Error(err)
		return
	}
	defer place.Leave()
	if in.book.end(feed) > seen { // it came before there was a place
		return
	}
	over := time.NewTimer(time.Duration(in.book.chance(int(6 * time.Second))))
	defer over.Stop()
	place.Wait(in.t.Context(), over.C)
	in.book.mu.Lock()
	came, hasCome := after(in.book.events[feed], int(seen))
	in.book.mu.Unlock()
	if hasCome {
		in.prompt("a reader of the feed", time.Now(), came.Add(in.within))
	}
}

// TestEndAnswersAll: at the end of the process everybody is answered with the present state at once, and who comes
// later as well; also where nothing can be read, with an error.
func TestEndAnswersAll(t *testing.T) {
	t.Parallel()
	for _, broken := range []int{0, 1} {
		testkit.Bubble(t, func(t *testing.T) {
			in := newInterleaving(t, 1, true, 0)
			in.book.broken = broken
			ctx, end := context.WithCancel(t.Context())
			var running, waiting sync.WaitGroup
			running.Go(func() { in.hub.Run(ctx) })
			began := time.Now()
			answered := func() {
				place, err := in.hub.Order("shop", in.book.order("1"))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := place.Wait(ctx, time.Minute); (err != nil) != (broken > 0) || err == nil && got.ID != "1" {
					t.Errorf("answered with %v, %v", got, err)
				}
			}
			for range 20 {
				waiting.Go(answered)
			}
			testkit.Pass(time.Second)
			in.hub.End()
			waiting.Go(answered)
			waiting.Wait()
			if took := time.Since(began); took > time.Second+2*reading {
				t.Errorf("all are answered after %s", took)
			}
			end()
			running.Wait()
		})
	}
}
