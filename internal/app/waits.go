package app

import (
	"context"

	"recarga/internal/journal"
	"recarga/internal/longpoll"
	"recarga/topup"
)

// Three of four connections to the API may be those of requests that wait, and one of two of one caller's: the others
// place orders.
const (
	waitsOf, waits = 4, 3
	shareOf        = 2
)

// startChanges announces what this process changes to the others on its Redis.
func (n *Node) startChanges() {
	if n.queue.IsEmbedded() {
		return
	}
	n.changes = n.shared().Changes()
	n.background(n.changes.Publish)
}

// changed reports a change of the book of record to who waits for it, here and elsewhere.
func (n *Node) changed(c journal.Change) {
	if hub := n.waits.Load(); hub != nil {
		hub.Changed(c.Order)
		hub.Notified(c.Caller)
	}
	n.follow(c.Order)
	if n.changes != nil {
		n.changes.Announce(c.Order, c.Caller)
	}
}

// follow has the console's pages show a change.
func (n *Node) follow(id topup.ID) {
	if pages := n.console.Load(); pages != nil {
		pages.Changed(id)
	}
}

// startWaits has requests wait for changes, those of other processes as well.
func (n *Node) startWaits() *longpoll.Hub {
	most := n.settings.HTTPMaxConnections
	cfg := longpoll.Config{Book: n.journal, Most: max(1, most*waits/waitsOf), Share: max(1, most/shareOf), Log: n.log}
	if n.changes != nil {
		cfg.Heard = n.changes.Heard
	}
	hub := longpoll.New(cfg)
	n.waits.Store(hub)
	n.metrics.ShowWaiting(hub.Waiting)
	loops := []func(context.Context){hub.Run}
	if n.changes != nil {
		loops = append(loops, func(ctx context.Context) {
			n.changes.Listen(ctx, func(id topup.ID) {
				hub.Changed(id)
				n.follow(id)
			}, hub.Notified)
		})
	}
	n.background(loops...)
	return hub
}
