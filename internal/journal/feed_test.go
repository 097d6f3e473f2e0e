package journal_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"recarga/internal/journal"
	"recarga/internal/journal/search"
	"recarga/internal/testkit"
	"recarga/topup"
)

// read reads a caller's feed from a place to its end, a page at a time.
func (s store) read(tb testing.TB, caller string, after search.FeedPlace, limit int) (
	events []topup.Event, end search.FeedPlace,
) {
	tb.Helper()
	for {
		page, next, err := s.Feed(tb.Context(), caller, after, limit)
		must(tb, err)
		if events, after = append(events, page...), next; len(page) == 0 {
			return events, after
		}
	}
}

func idsOf(events []topup.Event) (ids []string) {
	for _, ev := range events {
		ids = append(ids, ev.ID)
	}
	return ids
}

// testFeed: each event of a caller once, in the order in which it was made, whatever its endpoints; nobody else's; and
// what has left for the archive is an error.
func testFeed(t *testing.T, s store) {
	var want []string
	for i := range 5 {
		o := s.begin(t, s.accept(t, fmt.Sprint("ORD-", i)))
		_, ev := s.finish(t, settlement(o, topup.StateSucceeded))
		want = append(want, ev.ID)
		_, err := s.FanOut(t.Context(), *ev, []string{"crm", "archive"}, i%2 == 0, noon)
		must(t, err)
	}
	other := request("OTHER")
	other.Caller = "other"
	_, _, err := s.Accept(t.Context(), other, noon)
	must(t, err)
	_, of, err := s.Cancel(t.Context(), "OTHER", "", noon)
	must(t, err)
	events, end := s.read(t, "shop", search.FeedPlace{}, 2)
	if diff := cmp.Diff(want, idsOf(events)); diff != "" {
		t.Error(diff)
	}
	for _, ev := range events {
		if kept, err := s.Event(t.Context(), ev.ID); err != nil || string(kept.Body) != string(ev.Body) {
			t.Errorf("%s: %s, not %s: %v", ev.ID, ev.Body, kept.Body, err)
		}
	}
	if events, _ := s.read(t, "other", search.FeedPlace{}, 10); !slices.Equal(idsOf(events), []string{of.ID}) {
		t.Errorf("another's feed: %v", events)
	}
	ends, err := s.FeedEnds(t.Context(), []string{"shop", "other", "nobody"})
	want2 := map[string]int64{"shop": end.Position, "other": end.Position + 1, "nobody": 0}
	if diff := cmp.Diff(want2, ends); diff != "" || err != nil {
		t.Error(diff, err)
	}
	s.leaveFeed(t, end)
}

// leaveFeed has the first two orders of the feed leave for the archive.
func (s store) leaveFeed(t *testing.T, end search.FeedPlace) {
	_, first, err := s.Feed(t.Context(), "shop", search.FeedPlace{}, 1)
	must(t, err)
	_, second, err := s.Feed(t.Context(), "shop", first, 1)
	must(t, err)
	_, empty, err := s.Feed(t.Context(), "nobody", search.FeedPlace{}, 1)
	must(t, err)
	for i := range 2 {
		d, err := s.Details(t.Context(), topup.ID(fmt.Sprint("ORD-", i)))
		must(t, err)
		for _, ev := range d.Events {
			must(t, s.RecordTry(t.Context(), ev, topup.Try{At: noon}, topup.EventDelivered, noon))
		}
	}
	s.archived(t, 2)
	if rest, _ := s.read(t, "shop", second, 10); len(rest) != 3 {
		t.Errorf("behind what has left there are %d events", len(rest))
	}
	if rest, _ := s.read(t, "shop", search.FeedPlace{}, 10); len(rest) != 3 {
		t.Errorf("from the oldest on there are %d events", len(rest))
	}
	if rest, _ := s.read(t, "shop", end, 10); len(rest) != 0 {
		t.Errorf("behind the end there are %d events", len(rest))
	}
	lost := end
	lost.Event = first.Event // as in a book that was restored, where another event has the position
	ahead := search.FeedPlace{Position: end.Position + 100, Event: end.Event, Started: true}
	for name, place := range map[string]search.FeedPlace{"an event has left": first, "another event": lost,
		"ahead": ahead, "the beginning": {Started: true}} {
		if _, _, err := s.Feed(t.Context(), "shop", place, 10); !errors.Is(err, search.ErrFeedGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := s.Feed(t.Context(), "nobody", empty, 10); err != nil {
		t.Errorf("an empty feed: %v", err)
	}
}

// TestFeedKeepsYoungEvents: an order of which an event is young does not leave, however old its end is: whoever reads
// the feed must have had time for it.
func TestFeedKeepsYoungEvents(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]store{"sqlite": sqliteStore(t), "postgres": postgresStore(t)} {
		s.ended(t, "OLD", topup.StateFailed)
		late := tomorrow.Add(time.Hour)
		_, ev, err := s.Correct(t.Context(), "OLD", topup.Correction{Outcome: topup.ResolvedSucceeded, Reason: "statement",
			By: "ana"}, late)
		must(t, err)
		must(t, s.RecordTry(t.Context(), *ev, topup.Try{At: late}, topup.EventDelivered, late))
		n, err := s.CountLeaving(t.Context(), tomorrow)
		must(t, err)
		if s.archived(t, 0); n != 0 {
			t.Errorf("%s: %d orders can leave", name, n)
		}
	}
}

// TestFeedNeverSkips: several processes make events of two callers, transactions end in another order than they began,
// and some not at all. Whoever reads a feed meanwhile, a page at a time, gets each event once, and its own alone.
func TestFeedNeverSkips(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) store{"sqlite": sqliteStore, "postgres": postgresStore} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			neverSkips(t, open(t))
		})
	}
}

func neverSkips(t *testing.T, s store) {
	callers := []string{"shop", "other"}
	for _, caller := range callers {
		r := request("SLOW-" + caller)
		r.Caller = caller
		_, _, err := s.Accept(t.Context(), r, noon)
		must(t, err)
	}
	commits := make(chan struct{})
	ended := make(chan struct{})
	var writers sync.WaitGroup
	for p := range 3 {
		process := s.Journal
		if p > 0 {
			process = open(t, s.url)
		}
		writers.Go(func() {
			each(4, func(w int) {
				for i := range testkit.Times(15, 200) {
					cancelOne(t, process, fmt.Sprintf("%d-%d-%d", p, w, i), callers[i%2])
					select {
					case commits <- struct{}{}:
					default:
					}
				}
			})
		})
	}
	var slow sync.WaitGroup
	if s.sql.waits != "" { // in SQLite a writer keeps out the others
		for i := range 4 {
			slow.Go(func() { s.slowly(t, 1000*(i+1), callers, commits, ended) })
		}
	}
	var over atomic.Bool
	var readers sync.WaitGroup
	for _, caller := range callers {
		readers.Go(func() { s.follow(t, caller, &over) })
	}
	writers.Wait()
	close(ended)
	slow.Wait()
	over.Store(true)
	readers.Wait()
}

func cancelOne(t *testing.T, j *journal.Journal, id, caller string) {
	r := request(id)
	r.Caller = caller
	if _, _, err := j.Accept(t.Context(), r, noon); err != nil {
		t.Error(err)
	}
	if _, _, err := j.Cancel(t.Context(), r.ID, "", noon); err != nil {
		t.Error(err)
	}
}

// slowly makes events in transactions that end only when others have, if at all.
func (s store) slowly(t *testing.T, first int, callers []string, commits, ended <-chan struct{}) {
	for i := first; ; i++ {
		select {
		case <-ended:
			return
		default:
		}
		tx, err := s.db.BeginTx(t.Context(), nil)
		if err == nil {
			err = insertEvent(tx, callers[i%2], i)
		}
		for range rand.N(4) {
			select {
			case <-commits:
			case <-ended:
			}
		}
		end := (*sql.Tx).Commit
		if i%5 == 0 {
			end = (*sql.Tx).Rollback
		}
		if err == nil {
			err = end(tx)
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

func insertEvent(tx *sql.Tx, caller string, sequence int) error {
	id := uuid.New()
	_, err := tx.Exec(`INSERT INTO events (order_key, sequence, id, type, state, body, created_at)
		SELECT key, $2, $3, 'topup.canceled', 'delivered', $3, 0 FROM orders WHERE id = $1`,
		"SLOW-"+caller, sequence, id[:])
	return err
}

// follow reads a caller's feed until it is over, and compares it with what there is.
func (s store) follow(t *testing.T, caller string, over *atomic.Bool) {
	read := map[string]bool{}
	for after := (search.FeedPlace{}); ; {
		last := over.Load()
		page, next, err := s.Feed(t.Context(), caller, after, 1+rand.N(5))
		if err != nil {
			t.Error(err)
			return
		}
		for _, ev := range page {
			if read[ev.ID] || ev.Caller != caller {
				t.Errorf("%s gets %s of %s, again: %t", caller, ev.ID, ev.Caller, read[ev.ID])
			}
			read[ev.ID] = true
		}
		if after = next; last && len(page) == 0 {
			break
		}
	}
	var made int
	if err := s.db.QueryRow(`SELECT COUNT(*) FROM events e JOIN orders o ON o.key = e.order_key WHERE o.caller = $1`,
		caller).Scan(&made); err != nil || made != len(read) || made == 0 {
		t.Errorf("%s has read %d events of %d: %v", caller, len(read), made, err)
	}
}
