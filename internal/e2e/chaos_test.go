package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestChaos runs Recarga as real processes under load, and for a while does to them, to what they need and to the
// networks between them whatever a bad day does, at random. Then everything runs again, but for one part, which stays
// broken: every order that does not need that part ends, or is held, within a minute. Then that is repaired too. The
// test settles what is held as an operator would, and asks the distributor's ledger and the checkout.
//
// RECARGA_CHAOS_DURATION is how long each cast is disturbed (default 20s), RECARGA_CHAOS_SEED repeats a run's choices,
// RECARGA_CHAOS_RATE is how many orders are placed a second (default 20), RECARGA_CHAOS_BROKEN names what stays
// broken, and RECARGA_CHAOS_FORMER is the program of the former release.
func TestChaos(t *testing.T) {
	testkit.Deep(t)
	queue.Silence()
	duration := fromEnv(t, "RECARGA_CHAOS_DURATION", 20*time.Second, time.ParseDuration)
	seed := fromEnv(t, "RECARGA_CHAOS_SEED", rand.Uint64(),
		func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
	rate := fromEnv(t, "RECARGA_CHAOS_RATE", 20, strconv.Atoi)
	for i, p := range casts {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			t.Logf("RECARGA_CHAOS_SEED=%d RECARGA_CHAOS_DURATION=%s RECARGA_CHAOS_RATE=%d", seed, duration, rate)
			c := newChaos(t, rand.New(rand.NewPCG(seed, uint64(i))), p)
			b := c.breakage()
			placed := c.load(rate)
			c.rage(duration)
			placed()
			c.heal(b)
			c.repaired(b)
			c.settle()
			c.judge()
			if duration >= time.Minute {
				c.complete()
			}
		})
	}
}

func fromEnv[T any](t *testing.T, name string, otherwise T, parse func(string) (T, error)) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	v, err := parse(text)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, text, err)
	}
	return v
}

// chaos is one run: the program's processes, what they need, and the list of what is to happen.
type chaos struct {
	t       *testing.T
	r       *rand.Rand
	world   *world
	members []*member

	// redis are its servers: one, or a group.
	redis     []*testkit.RedisServer
	client    redis.UniversalClient
	inspector *asynq.Inspector
	// pg is nil with SQLite, standby without one, and when it has become the primary.
	pg, standby *testkit.PostgresCluster
	// disk is what the book of record is on; nil where it cannot be filled.
	disk *disk
	// links are the networks, by what they lead to.
	links map[string][]*testkit.Link
	// silent is whether the vendor's balance call fails.
	silent atomic.Bool

	// later is what ends each disturbance.
	later []planned
	// busy are the things that are disturbed now: one disturbance of each at a time.
	busy map[string]bool
	done map[string]int

	placing atomic.Int64
	mu      sync.Mutex
	orders  []topup.Request
}

type planned struct {
	at time.Time
	do func()
}

// disturbance is one thing that can happen to one part.
type disturbance struct {
	name string
	// part is what it happens to.
	part string
	// weight is how often, beside the others.
	weight int
	do     func()
}

// rage disturbs for a while, one thing after another.
func (c *chaos) rage(duration time.Duration) {
	c.t.Helper()
	end := time.Now().Add(duration)
	next := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for now := range tick.C {
		if now.After(end) {
			return
		}
		c.run(now)
		c.supervise()
		if now.After(next) {
			c.disturb(end)
			next = now.Add(c.between(100*time.Millisecond, 1200*time.Millisecond))
		}
	}
}

// run does what is planned by now.
func (c *chaos) run(now time.Time) {
	due := slices.DeleteFunc(slices.Clone(c.later), func(p planned) bool { return p.at.After(now) })
	c.later = slices.DeleteFunc(c.later, func(p planned) bool { return !p.at.After(now) })
	for _, p := range due {
		p.do()
	}
}

// disturb does something, every other time something that has not been done yet.
func (c *chaos) disturb(end time.Time) {
	all := slices.DeleteFunc(c.disturbances(end), func(d disturbance) bool { return c.busy[d.part] })
	if c.r.IntN(2) == 0 {
		if fresh := slices.DeleteFunc(slices.Clone(all), func(d disturbance) bool { return c.done[d.name] > 0 }); len(fresh) > 0 {
			all = fresh
		}
	}
	total := 0
	for _, d := range all {
		total += d.weight
	}
	if total == 0 {
		return
	}
	n := c.r.IntN(total)
	for _, d := range all {
		if n -= d.weight; n < 0 {
			c.done[d.name]++
			d.do()
			return
		}
	}
}

// complete fails when something that can happen to this cast has not happened.
func (c *chaos) complete() {
	c.t.Helper()
	for _, d := range c.disturbances(time.Now()) {
		if c.done[d.name] == 0 {
			c.t.Errorf("in this run there was no: %s", d.name)
		}
	}
}

// until keeps a part disturbed for a time, and then ends the disturbance.
func (c *chaos) until(part string, wait time.Duration, undo func()) {
	c.busy[part] = true
	c.later = append(c.later, planned{time.Now().Add(wait), func() { undo(); c.busy[part] = false }})
}

func (c *chaos) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.r.Int64N(int64(most-least)))
}

func (c *chaos) report(states *sync.Map, charged int) {
	c.t.Helper()
	text := fmt.Sprintf("%d orders, %d of them charged, %d webhooks\n", len(c.orders), charged, c.world.hooks.count())
	for _, f := range topup.StateTable() {
		if n, ok := states.Load(f.State); ok {
			text += fmt.Sprintf("  %-12s %d\n", f.State, n.(*atomic.Int64).Load())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.done)) {
		text += fmt.Sprintf("  %-40s %d\n", name, c.done[name])
	}
	c.t.Log(text)
}
