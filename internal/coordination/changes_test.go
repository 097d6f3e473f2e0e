package coordination_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"recarga/internal/coordination"
	"recarga/internal/testkit"
	"recarga/topup"
)

// hearer is a process that announces what it changes, and hears what others do.
type hearer struct {
	*coordination.Changes
	rejected *counted
	// stop ends its announcements, and then its listening.
	stop func()

	mu sync.Mutex
	// heard are the names of what it heard, orders as they are and callers with a mark.
	heard map[string]bool
}

func hears(t *testing.T, url string) *hearer {
	t.Helper()
	shared, rejected := shared(t, url)
	h := &hearer{Changes: shared.Changes(), rejected: rejected, heard: map[string]bool{}}
	publishing, endPublish := context.WithCancel(t.Context())
	listening, endListen := context.WithCancel(t.Context())
	var publisher, listener sync.WaitGroup
	publisher.Go(func() { h.Publish(publishing) })
	listener.Go(func() {
		h.Listen(listening, func(id topup.ID) { h.hear(string(id)) }, func(caller string) { h.hear("caller " + caller) })
	})
	h.stop = sync.OnceFunc(func() {
		endPublish()
		publisher.Wait()
		endListen()
		listener.Wait()
	})
	t.Cleanup(h.stop)
	h.listens(t)
	return h
}

func (h *hearer) listens(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, h.Heard, "others are heard")
}

func (h *hearer) hear(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard[name] = true
}

func (h *hearer) names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.heard))
}

// TestChangesAreHeard: over random interleavings each process hears all that the others announce, in however many
// announcements, also what was left when they ended, and nothing of its own.
func TestChangesAreHeard(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t).URL()
	all := []*hearer{hears(t, url), hears(t, url), hears(t, url)}
	want := make([][]string, len(all))
	var announcing sync.WaitGroup
	for from, h := range all {
		for i := range 200 {
			order, caller := fmt.Sprintf("%d-%d", from, i), fmt.Sprintf("shop-%d", from)
			for to := range all {
				if to != from {
					want[to] = append(want[to], order, "caller "+caller)
				}
			}
		}
		announcing.Go(func() {
			for i := range 200 {
				caller := ""
				if i == 199 || rand.IntN(2) == 0 {
					caller = fmt.Sprintf("shop-%d", from)
				}
				h.Announce(topup.ID(fmt.Sprintf("%d-%d", from, i)), caller)
			}
		})
	}
	announcing.Wait()
	for to, h := range all {
		slices.Sort(want[to])
		want := slices.Compact(want[to])
		testkit.Eventually(t, testkit.Patience, func() bool { return slices.Equal(h.names(), want) },
			"process %d hears the others, and not itself", to)
	}
	last := topup.ID("LAST")
	all[0].Announce(last, "")
	all[0].stop()
	testkit.Eventually(t, testkit.Patience, func() bool { return slices.Contains(all[1].names(), string(last)) },
		"the end is heard")
	for _, h := range all {
		h.rejected.are(t, map[string]int{})
	}
}

// TestChangesAreBounded: what is too much for an announcement is left to those who ask the book, and what others write
// in the channel is refused and counted.
func TestChangesAreBounded(t *testing.T) {
	t.Parallel()
	redis := testkit.Redis(t)
	h := hears(t, redis.URL())
	shared, _ := shared(t, redis.URL())
	many := shared.Changes()
	for i := range 5000 {
		many.Announce(topup.ID(fmt.Sprint("ORD-", i)), fmt.Sprint("shop-", i))
	}
	over, end := context.WithCancel(t.Context())
	end()
	many.Publish(over)
	testkit.Eventually(t, testkit.Patience, func() bool { return len(h.names()) == 2*4096 }, "the announcement is heard")
	for _, wrong := range []string{"{", `{"from":1}`, strings.Repeat(" ", 600<<10)} {
		redis.Admin(t, "PUBLISH", "recarga:changes", wrong)
	}
	many.Announce("AFTER", "")
	many.Publish(over)
	testkit.Eventually(t, testkit.Patience, func() bool { return slices.Contains(h.names(), "AFTER") },
		"it hears on")
	h.rejected.are(t, map[string]int{coordination.KindChanges: 3})
	if n := len(h.names()); n != 2*4096+1 {
		t.Errorf("%d orders and callers were heard", n)
	}
}

// TestChangesAfterALostConnection: whose connection is cut, or whose Redis is gone for a while, says that it hears
// nothing, and hears again.
func TestChangesAfterALostConnection(t *testing.T) {
	t.Parallel()
	redis := testkit.Redis(t)
	a, b := hears(t, redis.URL()), hears(t, redis.URL())
	heardAgain := func(id topup.ID) {
		t.Helper()
		testkit.Eventually(t, testkit.Patience, func() bool {
			a.Announce(id, "")
			return slices.Contains(b.names(), string(id))
		}, "%s is heard", id)
	}
	heardAgain("BEFORE")
	redis.Admin(t, "CLIENT", "KILL", "TYPE", "pubsub")
	testkit.Eventually(t, testkit.Patience, func() bool { return !b.Heard() }, "the cut is noticed")
	heardAgain("CUT")
	redis.Kill()
	testkit.Eventually(t, testkit.Patience, func() bool { return !b.Heard() }, "the end of Redis is noticed")
	redis.Start()
	heardAgain("STARTED")
	b.listens(t)
}
