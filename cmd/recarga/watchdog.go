package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"recarga/internal/queue"
)

// watchInterval is the time between two looks at the queues. A look costs two round trips.
const watchInterval = 10 * time.Second

// watchdog looks after what asynq leaves behind, says what a person must look at, and remembers what it
// saw for the metrics.
type watchdog struct {
	queue *queue.Queue
	log   *slog.Logger
	last  atomic.Pointer[queue.Health]

	mu      sync.Mutex
	repairs map[[2]string]int // by queue and kind
	alarms  map[string]bool   // those that were said already
}

func newWatchdog(q *queue.Queue, log *slog.Logger) *watchdog {
	return &watchdog{queue: q, log: log, repairs: map[[2]string]int{}, alarms: map[string]bool{}}
}

// startWatchdog needs the queue; its end needs to come before the queue's.
func (n *node) startWatchdog(context.Context) error {
	n.watchdog = newWatchdog(n.queue, n.log)
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { n.watchdog.run(ctx) })
	n.onShutdown(func() { cancel(); watching.Wait() })
	return nil
}

func (w *watchdog) run(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.look(ctx)
		}
	}
}

func (w *watchdog) look(ctx context.Context) {
	health, err := w.queue.Watch(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.log.Warn("queues not looked at", "error", err)
		}
		return
	}
	w.last.Store(&health)
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, q := range health.Queues {
		for kind, n := range map[string]int{
			"lease": q.Repaired.Leases, "vanished": q.Repaired.Vanished, "quarantined": q.Repaired.Quarantined, "archived": q.Repaired.Archived,
		} {
			w.repairs[[2]string{name, kind}] += n
		}
	}
	w.say(health.Alarms())
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

var (
	descTasks    = prometheus.NewDesc("recarga_queue_tasks", "Tasks by queue and state.", []string{"queue", "state"}, nil)
	descPending  = prometheus.NewDesc("recarga_queue_oldest_pending_seconds", "How long the next task of a queue has been waiting.", []string{"queue"}, nil)
	descPaused   = prometheus.NewDesc("recarga_queue_paused", "1 when a person has paused the queue.", []string{"queue"}, nil)
	descServers  = prometheus.NewDesc("recarga_queue_servers", "Servers of a queue, in all processes.", []string{"queue"}, nil)
	descStuck    = prometheus.NewDesc("recarga_queue_stuck_tasks", "Tasks that asynq would leave as they are for ever: active without a lease, or of lost workers and not taken back.", []string{"queue"}, nil)
	descRepaired = prometheus.NewDesc("recarga_queue_repairs_total", "Tasks that this process mended or removed, by kind: lease, vanished, quarantined, archived.", []string{"queue", "kind"}, nil)
	descSkew     = prometheus.NewDesc("recarga_clock_skew_seconds", "How far this machine's clock is ahead of Redis'.", nil, nil)
)

// Describe implements prometheus.Collector.
func (w *watchdog) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descTasks, descPending, descPaused, descServers, descStuck, descRepaired, descSkew} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (w *watchdog) Collect(metrics chan<- prometheus.Metric) {
	health := w.last.Load()
	if health == nil {
		return // not looked yet
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descSkew, health.Skew.Seconds())
	for name, q := range health.Queues {
		for state, n := range q.Depth {
			gauge(descTasks, float64(n), name, state)
		}
		paused := 0.0
		if q.Paused {
			paused = 1
		}
		gauge(descPaused, paused, name)
		gauge(descPending, q.OldestPending.Seconds(), name)
		gauge(descServers, float64(q.Servers), name)
		gauge(descStuck, float64(q.ActiveWithoutLease+q.OverdueLeases), name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, n := range w.repairs {
		metrics <- prometheus.MustNewConstMetric(descRepaired, prometheus.CounterValue, float64(n), key[0], key[1])
	}
}
