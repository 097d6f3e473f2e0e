package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"recarga/internal/coordination"
	"recarga/internal/intake"
	"recarga/internal/queue"
	"recarga/topup"
)

func (m *Metrics) defineQueue() {
	m.sweptAt = m.gauges("recarga_sweep_timestamp_seconds")
	m.queueErrors = m.counters(each("order", "event", "again"), "recarga_queue_errors_total")
	m.refused = m.counters(each(intake.Reasons()...), "recarga_tasks_refused_total")
	m.rejected = m.counters(each(append(coordination.Kinds(), queue.KindKey)...), "recarga_redis_rejected_total")
	m.tasks = m.desc(gauge, "recarga_queue_tasks")
	m.pendingAge = m.desc(gauge, "recarga_queue_oldest_pending_seconds")
	m.paused = m.desc(gauge, "recarga_queue_paused")
	m.servers = m.desc(gauge, "recarga_queue_servers")
	m.stuck = m.desc(gauge, "recarga_queue_stuck_tasks")
	m.repairs = m.desc(counter, "recarga_queue_repairs_total")
	m.skew = m.desc(gauge, "recarga_clock_skew_seconds")
	m.redisMemory = m.desc(gauge, "recarga_redis_memory_bytes")
}

// Swept notes that the sweep has come round.
func (m *Metrics) Swept(at time.Time) {
	m.sweptAt.WithLabelValues().Set(float64(at.UnixMilli()) / 1e3)
}

// Rejected counts a value in Redis that is none of ours; it is for Queue.OnRejected.
func (m *Metrics) Rejected(kind string) { m.rejected.WithLabelValues(kind).Inc() }

// Refused counts a task; it is worker.Config.Refused.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// Queue is a queue that counts the tasks it could not enqueue.
type Queue struct {
	*queue.Queue
	m *Metrics
}

// Queue counts the tasks that cannot be enqueued through it.
func (m *Metrics) Queue(q *queue.Queue) *Queue { return &Queue{q, m} }

// EnqueueOrder counts a failure.
func (q *Queue) EnqueueOrder(ctx context.Context, r topup.Request, at time.Time) error {
	return q.m.enqueued("order", q.Queue.EnqueueOrder(ctx, r, at))
}

// EnqueueEvent counts a failure.
func (q *Queue) EnqueueEvent(ctx context.Context, eventID string, at time.Time) error {
	return q.m.enqueued("event", q.Queue.EnqueueEvent(ctx, eventID, at))
}

// ForceEnqueueOrder counts a failure.
func (q *Queue) ForceEnqueueOrder(ctx context.Context, r topup.Request) error {
	return q.m.enqueued("again", q.Queue.ForceEnqueueOrder(ctx, r))
}

// ForceEnqueueEvent counts a failure.
func (q *Queue) ForceEnqueueEvent(ctx context.Context, eventID string) error {
	return q.m.enqueued("again", q.Queue.ForceEnqueueEvent(ctx, eventID))
}

func (m *Metrics) enqueued(kind string, err error) error {
	if err != nil && !errors.Is(err, context.Canceled) {
		m.queueErrors.WithLabelValues(kind).Inc()
	}
	return err
}

// Watched is what a worker's last check of the queues found.
type Watched struct {
	queue.Health
	// Fresh is false when the last check failed: what the one before it saw may not be so any more.
	Fresh bool
	// Repaired counts since the start, by queue and kind.
	Repaired map[[2]string]int
	// MemoryUsed and MemoryMax are Redis', in bytes; 0 when it does not say, or has no limit.
	MemoryUsed, MemoryMax int64
}

// ShowQueues has scrapes show what last returns; it returns false before the first check.
func (m *Metrics) ShowQueues(last func() (Watched, bool)) {
	m.scrape(func(metrics chan<- prometheus.Metric) {
		if watched, ok := last(); ok {
			m.showQueues(metrics, watched)
		}
	})
}

func (m *Metrics) showQueues(metrics chan<- prometheus.Metric, last Watched) {
	for key, n := range last.Repaired {
		metrics <- prometheus.MustNewConstMetric(m.repairs, prometheus.CounterValue, float64(n), key[0], key[1])
	}
	if !last.Fresh {
		return
	}
	if !last.SkewUnknown {
		show(metrics, m.skew, last.Skew.Seconds())
	}
	for kind, bytes := range map[string]int64{"used": last.MemoryUsed, "max": last.MemoryMax} {
		if bytes > 0 {
			show(metrics, m.redisMemory, float64(bytes), kind)
		}
	}
	for name, q := range last.Queues {
		for state, n := range q.Depth {
			show(metrics, m.tasks, float64(n), name, state)
		}
		show(metrics, m.paused, truth(q.Paused), name)
		show(metrics, m.pendingAge, q.OldestPending.Seconds(), name)
		show(metrics, m.servers, float64(q.Servers), name)
		show(metrics, m.stuck, float64(q.ActiveWithoutLease+q.OverdueLeases), name)
	}
}
