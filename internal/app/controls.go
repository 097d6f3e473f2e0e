package app

import (
	"cmp"
	"context"
	"log/slog"
	"sync"

	"recarga/internal/controls"
	"recarga/internal/queue"
	"recarga/tasks"
	"recarga/topup/desk"
)

// desk sets the controls.
func (n *Node) desk() controls.Desk {
	return controls.Desk{Book: n.journal, Queue: n.queue, Callers: n.callers, Catalog: n.catalog, Log: n.log}
}

// controlled has this process do what people have set. What it starts for that does not hold up whoever read it.
func (n *Node) controlled(now desk.Controls) {
	key, rate := "distributor", now.Rate(n.settings.DistributorRate)
	if _, set := now.Of(desk.LimitRate); set {
		key += ":" + rate.String()
	}
	if n.limiter != nil {
		n.limiter.Use(key, rate)
	}
	n.buyers.use(now.Concurrency(n.settings.DistributorConcurrency))
}

// servers are the queue's servers of the purchases, whose number of places can change. asynq's cannot: others are
// started beside them, and those before end with what they have under way.
type servers struct {
	log *slog.Logger

	mu    sync.Mutex
	start func(places int) (*queue.Servers, error)
	// wanted is how many places there should be, and places how many current has.
	wanted, places int
	current        *queue.Servers
	// closed: no others are started.
	closed   bool
	draining sync.WaitGroup
}

// startBuyers serves the purchases, with as many places as the settings or a person say.
func (n *Node) startBuyers(ctx context.Context) error {
	places := n.controls.Now(ctx).Concurrency(n.settings.DistributorConcurrency)
	n.onShutdown(n.buyers.shutdown)
	return n.buyers.begin(places, func(places int) (*queue.Servers, error) {
		return n.serving(queue.ServeConfig{Queue: tasks.QueueTopups, Servers: purchaseServers, Concurrency: places},
			tasks.TypePurchase, n.worker.HandlePurchase)
	})
}

// begin starts the first servers, with so many places unless others were wanted before.
func (s *servers) begin(places int, start func(places int) (*queue.Servers, error)) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start, s.places = start, cmp.Or(s.wanted, places)
	s.wanted = s.places
	s.current, err = start(s.places)
	return err
}

// use has another number of places. It does not wait for the servers before.
func (s *servers) use(places int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = places
	if s.current != nil && !s.closed && places != s.places {
		s.draining.Go(s.change)
	}
}

// change starts servers with the places that are wanted, and ends those before, which fetch no more.
func (s *servers) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.wanted == s.places {
		return
	}
	next, err := s.start(s.wanted)
	if err != nil {
		s.log.Error("concurrency not changed", "from", s.places, "to", s.wanted, "error", err)
		return
	}
	s.log.Info("concurrency changed", "from", s.places, "to", s.wanted)
	s.draining.Go(s.current.Shutdown)
	s.current, s.places = next, s.wanted
}

// shutdown ends all of them.
func (s *servers) shutdown() {
	s.mu.Lock()
	s.closed = true
	current := s.current
	s.mu.Unlock()
	if current != nil {
		current.Shutdown()
	}
	s.draining.Wait()
}
