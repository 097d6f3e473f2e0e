package app

import (
	"context"
	"sync"
	"time"
)

const (
	// RequestsEnd is how long a shutdown waits for HTTP requests under way; their orders are durable
	// or not whether their clients get the answer or not, and may be placed again.
	RequestsEnd = 10 * time.Second
	// stopMargin is what a stop may take beside its waits.
	stopMargin = 5 * time.Second
)

// Wait blocks until ctx ends or a part fails, and then shuts the node down.
func (n *Node) Wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
		n.log.Info("shutting down", "serves_on", n.shutdownDelay(), "waits_at_most", n.stopsWithin())
		err = n.leave()
	case err = <-n.failed:
	}
	n.Shutdown()
	n.log.Info("stopped")
	return err
}

// leave serves on for the shutdown delay, and says that it is not ready: a balancer turns to other processes before
// this one refuses anything. Connections end with their answers meanwhile, so that none is closed with a request on
// its way. A worker's part goes on as well: it may be the only one for the orders that still come.
func (n *Node) leave() error {
	n.health.Enter(PhaseStopping)
	if n.api == nil {
		return nil // nobody sends a worker anything
	}
	n.api.Leave()
	select {
	case err := <-n.failed:
		return err
	case <-time.After(n.shutdownDelay()):
		return nil
	}
}

// shutdownDelay is nothing without an API.
func (n *Node) shutdownDelay() time.Duration {
	if !n.roles.API {
		return 0
	}
	return n.settings.ShutdownDelay
}

// stopsWithin is how long a stop takes at most while the database answers: see Shutdown.
func (n *Node) stopsWithin() time.Duration {
	most := n.shutdownDelay() + stopMargin
	if n.roles.API {
		most += RequestsEnd
	}
	if n.roles.Worker {
		most += n.settings.ShutdownTimeout + n.settings.WebhookTimeout
	}
	return most
}

// Shutdown ends the parts in the opposite order of their start, since each needs those that were started before it:
//
//  1. the API's listener: nothing more comes in, and requests under way have RequestsEnd;
//  2. archiver, watchdog, sweep and balance watch: nothing more is begun;
//  3. the queue's servers of purchases, then those of deliveries: what is under way has RECARGA_SHUTDOWN_TIMEOUT;
//  4. worker, deliverer and distributor's client: their last results are recorded;
//  5. queue and book of record;
//  6. metrics and probes, which answer until then; the service manager hears of all.
func (n *Node) Shutdown() {
	n.health.Enter(PhaseStopping)
	for i := len(n.closers) - 1; i >= 0; i-- {
		n.closers[i]()
	}
	n.closers = nil
}

func (n *Node) onShutdown(f func()) { n.closers = append(n.closers, f) }

// background runs loops until the shutdown, which waits for them.
func (n *Node) background(loops ...func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, loop := range loops {
		running.Go(func() { loop(ctx) })
	}
	n.onShutdown(func() { stop(); running.Wait() })
}

// closeLast notes the close of a connection, whose error can only be logged.
func (n *Node) closeLast(what string, f func() error) {
	n.onShutdown(func() {
		if err := f(); err != nil {
			n.log.Warn("close", "what", what, "error", err)
		}
	})
}
