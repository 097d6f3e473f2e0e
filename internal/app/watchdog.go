package app

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"recarga/internal/metrics"
	"recarga/internal/queue"
)

// watchInterval is the time between two checks of the queues. A check costs three round trips, and reads a record of
// each server of all processes, so that the process that leads makes it, and the others read its result.
const watchInterval = 10 * time.Second

// watchdog repairs what asynq leaves behind, logs what a person must see to, and keeps its last result for the
// metrics.
type watchdog struct {
	queue *queue.Queue
	// leads reports whether this process checks the queues for all.
	leads func() bool
	log   *slog.Logger
	last  atomic.Pointer[queue.Health]

	mu                    sync.Mutex
	fresh                 bool              // the last check succeeded
	repairs               map[[2]string]int // by queue and kind
	alarms                map[string]bool   // those that were logged already
	memoryUsed, memoryMax int64
}

func newWatchdog(q *queue.Queue, leads func() bool, log *slog.Logger) *watchdog {
	return &watchdog{queue: q, leads: leads, log: log, repairs: map[[2]string]int{}, alarms: map[string]bool{}}
}

// startWatchdog needs the queue; its end needs to come before the queue's.
func (n *Node) startWatchdog(context.Context) error {
	n.watchdog = newWatchdog(n.queue, n.leads, n.log)
	n.health.beat("watchdog")
	n.metrics.ShowQueues(n.watchdog.seen)
	n.background(func(ctx context.Context) { n.watchdog.run(ctx, func() { n.health.beat("watchdog") }) })
	return nil
}

// run calls checked after each check.
func (w *watchdog) run(ctx context.Context, checked func()) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.check(ctx)
			checked()
		}
	}
}

func (w *watchdog) check(ctx context.Context) {
	health, err := w.watch(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fresh, w.memoryUsed, w.memoryMax = err == nil, health.MemoryUsed, health.MemoryMax
	if err != nil {
		if ctx.Err() == nil {
			w.log.Warn("queues not checked", "error", err)
		}
		return
	}
	w.last.Store(&health)
	for name, q := range health.Queues {
		for kind, n := range map[string]int{
			"lease": q.Repaired.Leases, "vanished": q.Repaired.Vanished, "quarantined": q.Repaired.Quarantined,
			"archived": q.Repaired.Archived,
		} {
			w.repairs[[2]string{name, kind}] += n
		}
	}
	w.say(health.Alarms())
}

// watch is a watch of this process's own, unless it rests and another one has made one.
func (w *watchdog) watch(ctx context.Context) (queue.Health, error) {
	if !w.leads() {
		if health, err := w.queue.LastWatch(ctx); err == nil {
			return health, nil
		}
	}
	return w.queue.Watch(ctx)
}

// say logs an alarm once, until it has ended.
func (w *watchdog) say(alarms []string) {
	now := map[string]bool{}
	for _, alarm := range alarms {
		now[alarm] = true
		if !w.alarms[alarm] {
			w.log.Error("alarm", "alarm", alarm)
		}
	}
	for alarm := range w.alarms {
		if !now[alarm] {
			w.log.Info("alarm ended", "alarm", alarm)
		}
	}
	w.alarms = now
}

// seen is for the metrics.
func (w *watchdog) seen() (metrics.Watched, bool) {
	health := w.last.Load()
	if health == nil {
		return metrics.Watched{}, false // not checked yet
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return metrics.Watched{
		Health: *health, Fresh: w.fresh, Repaired: maps.Clone(w.repairs), MemoryUsed: w.memoryUsed, MemoryMax: w.memoryMax,
	}, true
}
