package main

import (
	"sync"

	"recarga/topup"
)

// ledger is what the shop believes of its orders, and who is watching them. In a shop it is a table,
// written before the webhook is answered; here it is forgotten at a restart, and asked for again.
type ledger struct {
	mu      sync.Mutex
	entries map[topup.ID]*entry
}

type entry struct {
	order    topup.Order
	sequence int // of the last event that was believed
	// changed is closed when the order changes, and replaced.
	changed chan struct{}
}

func newLedger() *ledger { return &ledger{entries: map[topup.ID]*entry{}} }

// notified believes a webhook if it is news: an event may come twice, or after a newer one.
func (l *ledger) notified(o topup.Order, sequence int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entry(o.ID)
	if sequence > e.sequence {
		e.believe(o, sequence)
	}
}

// asked believes an answer of the API unless it is older than what a webhook has said since. Between
// two events the state moves on, so an answer with the same sequence is news too.
func (l *ledger) asked(d topup.Details) {
	sequence := 0
	for _, ev := range d.Events {
		sequence = max(sequence, ev.Sequence)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entry(d.ID)
	if sequence >= e.sequence && !e.order.State.Final() && e.order.State != d.State {
		e.believe(d.Order, sequence)
	}
}

// look returns an order, and what is closed when it changes; ok is false for one not heard of.
func (l *ledger) look(id topup.ID) (o topup.Order, changed <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[id]
	if !ok {
		return topup.Order{}, nil, false
	}
	return e.order, e.changed, true
}

func (l *ledger) entry(id topup.ID) *entry {
	e, ok := l.entries[id]
	if !ok {
		e = &entry{changed: make(chan struct{})}
		l.entries[id] = e
	}
	return e
}

func (e *entry) believe(o topup.Order, sequence int) {
	e.order, e.sequence = o, sequence
	close(e.changed)
	e.changed = make(chan struct{})
}
