package e2e

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/tasks"
	"recarga/topup"
)

const (
	// healsWithin is how long it may take, with one part broken for ever, until every order that does not need this part
	// has ended or is held.
	healsWithin = time.Minute
	// endsWithin is what every order has to end, or to be held, when nothing is broken any more.
	endsWithin = 2 * time.Minute
	// afterwards is how many new orders are placed while a part is broken, every other one with mortality to live.
	afterwards = 50
	mortality  = 20 * time.Second
)

// broken is a part that stays broken when all others are well again.
type broken struct {
	name string
	// waiting are the states of orders that need the part, and wait for it.
	waiting []topup.State
	// starts is whether a process can start without the part.
	starts func(*member) bool
	do     func()
	undo   func()
}

// breakage chooses what will stay broken.
func (c *chaos) breakage() broken {
	all := slices.Concat(c.outside(), c.oneOf("worker"), c.oneOf("api"))
	chosen := all[c.r.IntN(len(all))]
	if name := os.Getenv("RECARGA_CHAOS_BROKEN"); name != "" {
		if i := slices.IndexFunc(all, func(b broken) bool { return b.name == name }); i >= 0 {
			chosen = all[i]
		}
	}
	c.t.Logf("RECARGA_CHAOS_BROKEN=%q stays broken", chosen.name)
	return chosen
}

// outside are the parts that are not Recarga's.
func (c *chaos) outside() []broken {
	always := func(*member) bool { return true }
	network := func(name, to string, how func(*testkit.Link), waiting ...topup.State) broken {
		return broken{name, waiting, always,
			func() { each(c.links[to], how) }, func() { each(c.links[to], (*testkit.Link).Heal) }}
	}
	waits := []topup.State{topup.StateQueued, topup.StateRetrying}
	apis := func(m *member) bool { return m.command == "api" }
	kill := func() { each(c.redis, (*testkit.RedisServer).Kill) }
	start := func() { each(c.redis, (*testkit.RedisServer).Start) }
	all := []broken{
		network("receiver", "receiver", (*testkit.Link).Stall),
		network("vendor", "vendor", (*testkit.Link).Cut, waits...),
		{"balance", nil, always, func() { c.silent.Store(true) }, func() { c.silent.Store(false) }},
		{"all of Redis", waits, apis, kill, start},
	}
	for _, to := range []string{"PostgreSQL", "Redis"} {
		if len(c.links[to]) > 0 {
			all = append(all, network("a fast "+to, to, func(l *testkit.Link) { l.Slow(50 * time.Millisecond) }))
		}
	}
	if workers := c.those("worker"); len(workers) > 0 {
		all = append(all, broken{"all of Redis when workers start", waits, apis, func() {
			kill()
			each(workers, func(m *member) { m.process.kill() }) // the supervisor starts them again
		}, start})
	}
	if len(c.redis) > 1 {
		server := c.redis[c.r.IntN(len(c.redis))]
		all = append(all, broken{"a Redis server", nil, always, server.Kill, server.Start})
	}
	return all
}

// oneOf are the ways in which one of several equal processes can be broken.
func (c *chaos) oneOf(command string) []broken {
	equal := c.those(command)
	if len(equal) < 2 {
		return nil
	}
	m := equal[c.r.IntN(len(equal))]
	others := func(other *member) bool { return other != m }
	signal := func(s syscall.Signal) func() { return func() { _ = m.process.cmd.Process.Signal(s) } }
	stall := func(l *testkit.Link) (do, undo func()) {
		return func() { m.broken = true; l.Stall() }, func() { m.broken = false; l.Heal() }
	}
	all := []broken{{"a stopped " + command, nil, others,
		func() { m.broken = true; signal(syscall.SIGSTOP)() }, func() { m.broken = false; signal(syscall.SIGCONT)() }}}
	if m.redis != nil {
		do, undo := stall(m.redis)
		all = append(all, broken{"Redis for one " + command, nil, others, do, undo})
	}
	if m.postgres != nil {
		do, undo := stall(m.postgres)
		all = append(all, broken{"PostgreSQL for one " + command, nil, others, do, undo})
	}
	return all
}

// those are the members that run a command.
func (c *chaos) those(command string) []*member {
	return slices.DeleteFunc(slices.Clone(c.members), func(m *member) bool { return m.command != command })
}

// heal ends all disturbances but one, places every order again and some more, and waits until all that do not need
// what is broken have ended or are held.
func (c *chaos) heal(b broken) {
	c.t.Helper()
	c.run(time.Now().Add(time.Hour))
	if !b.starts(c.serving()[0]) {
		c.ready(func(*member) bool { return true })
	}
	b.do()
	c.ready(b.starts)
	c.placeMore()
	c.placeAgain()
	began := time.Now()
	c.end(healsWithin, b.waiting...)
	testkit.Proven(c.t, "%s: %d orders through %d disturbances; without %s, all that could had ended %s later",
		c.name(), len(c.orders), c.disturbed(), b.name, time.Since(began).Round(100*time.Millisecond))
}

// placeMore places new orders, every other one with little time to live: it must end, whatever is broken.
func (c *chaos) placeMore() {
	c.t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range afterwards {
		c.order(r)
		request := &c.orders[len(c.orders)-1]
		if over := time.Now().Add(mortality); i%2 == 0 {
			request.ExpiresAt = &over
		}
		if _, _, err := c.api(r).Place(c.t.Context(), *request); err != nil {
			c.t.Errorf("place %s: %v", request.ID, err)
		}
	}
}

// ready waits until the members that can start have, and starts what has ended meanwhile.
func (c *chaos) ready(can func(*member) bool) {
	c.t.Helper()
	for _, m := range c.members {
		if m.leaving && can(m) {
			m.process.ended()
		}
	}
	c.supervise()
	for _, m := range c.members {
		if m.down || m.broken || !can(m) {
			continue
		}
		select {
		case <-m.process.ready:
		case <-m.process.done:
			c.start(m)
			m.process.await(m.process.ready)
		case <-testkit.Hung():
			c.t.Fatalf("recarga %s is not ready:\n%s", m.command, m.process.log())
		}
	}
	for _, queue := range []string{tasks.QueueTopups, tasks.QueueWebhooks} {
		_ = c.inspector.UnpauseQueue(queue) // of a click whose end was lost
	}
}

// end waits until every order has ended or is held, or is in one of the states that are allowed.
func (c *chaos) end(within time.Duration, allowed ...topup.State) {
	c.t.Helper()
	operator := c.operator()
	var left []topup.Order
	defer func() {
		if c.t.Failed() {
			c.t.Logf("left: %+v", left)
		}
	}()
	testkit.Eventually(c.t, within, func() bool {
		for _, state := range []topup.State{topup.StateQueued, topup.StateRetrying, topup.StateSubmitting} {
			open, _, err := operator.List(c.t.Context(), producer.OrderFilter{State: state, Limit: 3})
			if left = open; err != nil || len(open) > 0 && !slices.Contains(allowed, state) {
				return false
			}
		}
		return !slices.ContainsFunc(c.orders, func(r topup.Request) bool {
			if r.ExpiresAt == nil {
				return false
			}
			o, err := operator.Get(c.t.Context(), r.ID)
			left = []topup.Order{o.Order}
			return err != nil || !o.State.Final() && o.State != topup.StateUnknown
		})
	}, "every order that can has ended or is held")
}

// repaired repairs what was broken, and waits for the rest.
func (c *chaos) repaired(b broken) {
	c.t.Helper()
	b.undo()
	c.ready(func(*member) bool { return true })
	c.end(endsWithin)
}

// name is the cast's.
func (c *chaos) name() string { return strings.TrimPrefix(c.t.Name(), "TestChaos/") }

// disturbed counts what was done.
func (c *chaos) disturbed() (n int) {
	for _, times := range c.done {
		n += times
	}
	return n
}

func each[T any](all []T, do func(T)) {
	for _, one := range all {
		do(one)
	}
}
