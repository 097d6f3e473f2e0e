package listen

import (
	"container/list"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"recarga/internal/access"
)

const (
	// sparePart of the bound is how many more connections are let in to be answered that it is reached; at least
	// spareLeast.
	sparePart, spareLeast = 8, 64
	// sayEvery is how often the log says that the bound is reached.
	sayEvery = time.Minute
)

// table has the connections there are.
type table struct {
	share   int
	trusted access.Proxies
	limits  Limits
	log     *slog.Logger

	mu          sync.Mutex
	main, spare pool
	said        time.Time // when the log said last that the bound is reached
}

// pool is a number of connections with a bound.
type pool struct {
	max int
	// order is from the one that has not changed between idle and busy for the longest.
	order list.List
	by    map[netip.Prefix]int
}

func newTable(cfg Config) *table {
	return &table{
		share: cfg.Share, trusted: cfg.Trusted, limits: cfg.Limits, log: cfg.Log,
		main:  pool{max: cfg.MaxConnections, by: map[netip.Prefix]int{}},
		spare: pool{max: max(spareLeast, cfg.MaxConnections/sparePart), by: map[netip.Prefix]int{}},
	}
}

// admit makes room for a connection, if only to say that there is none.
func (t *table) admit(inner net.Conn) *conn {
	addr := access.Addr(inner.RemoteAddr().String())
	dropAfter(inner, LongWait)
	c := &conn{
		Conn: inner, table: t, from: access.Network(addr), idle: true, since: time.Now(), limits: t.limits,
		credit: newCredit(t.limits.Answer, t.limits.AnswerRate), trusted: t.trusted.Contains(addr),
	}
	t.mu.Lock()
	victim, ok := t.roomIn(&t.main, c)
	if !ok {
		c.spare = true
		victim, _ = t.roomIn(&t.spare, c) // there always is
		t.say()
	}
	if victim != nil {
		t.forget(victim)
	}
	p := t.poolOf(c)
	c.place = p.order.PushBack(c)
	p.by[c.from]++
	t.mu.Unlock()
	if victim != nil {
		victim.evict()
	}
	return c
}

// roomIn reports whether the pool has room for c, and which connection must go for it.
func (t *table) roomIn(p *pool, c *conn) (victim *conn, ok bool) {
	full := p.order.Len() >= p.max
	switch {
	case !c.spare && !c.trusted && p.by[c.from] >= t.share:
		victim = p.first(0, func(other *conn) bool { return other.idle && other.from == c.from })
		return victim, victim != nil
	case !full:
		return nil, true
	}
	fresh := time.Now().Add(-t.limits.Fresh)
	victim = p.first(0, func(other *conn) bool { return other.idle && other.since.Before(fresh) })
	if victim == nil {
		victim = p.first(0, func(other *conn) bool { return other.idle })
	}
	if victim == nil && c.spare {
		victim = p.first(0, func(*conn) bool { return true }) // nothing is done for it
	}
	if victim == nil {
		before := time.Now().Add(-t.limits.Stalled).UnixNano()
		victim = p.first(p.by[c.from]+1, func(other *conn) bool {
			since := other.waiting.Load()
			return since > 0 && since <= before
		})
	}
	return victim, victim != nil
}

// first is the oldest connection of which is holds, of the address with the most, if that has more than least. So a
// flood from some addresses takes no connection of those who have a few.
func (p *pool) first(least int, is func(*conn) bool) (found *conn) {
	for at := p.order.Front(); at != nil; at = at.Next() {
		c := at.Value.(*conn)
		weight := p.by[c.from]
		if c.trusted {
			weight = 1 // there are many behind it
		}
		if weight > least && is(c) {
			found, least = c, weight
		}
	}
	return found
}

func (t *table) poolOf(c *conn) *pool {
	if c.spare {
		return &t.spare
	}
	return &t.main
}

// changed is http.Server.ConnState.
func (t *table) changed(nc net.Conn, state http.ConnState) {
	c := nc.(*conn)
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.place == nil || state != http.StateActive && state != http.StateIdle {
		return
	}
	c.idle, c.since = state == http.StateIdle, time.Now()
	t.poolOf(c).order.MoveToBack(c.place)
}

func (t *table) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(c)
}

// forget needs the lock.
func (t *table) forget(c *conn) {
	if c.place == nil {
		return
	}
	p := t.poolOf(c)
	p.order.Remove(c.place)
	c.place = nil
	if p.by[c.from]--; p.by[c.from] == 0 {
		delete(p.by, c.from)
	}
}

// say logs that the bound is reached.
func (t *table) say() {
	if now := time.Now(); now.Sub(t.said) > sayEvery {
		t.said = now
		t.log.Warn("too many connections: refusing with 503", "connections", t.main.order.Len(), "most", t.main.max,
			"most_of_an_address", t.share, "addresses", len(t.main.by))
	}
}
