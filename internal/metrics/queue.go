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
	m.sweptAt = m.gauges("recarga_sweep_timestamp_seconds", "When this worker's sweep last finished a round.")
	m.queueErrors = m.counters(each("order", "event", "again"), "recarga_queue_errors_total",
		"Tasks that could not be enqueued in Redis, by the API (order, event) or the sweep (again). Nothing is lost: the "+
			"sweep enqueues them again.", "kind")
	m.refused = m.counters(reasons(), "recarga_tasks_refused_total",
		"Tasks that this worker refused, and that asynq archived with their reason: malformed, unsigned or signature "+
			"(RECARGA_TASK_KEY), caller_reserved, caller_unknown, caller_disabled; invalid are orders that are in the book, "+
			"failed.", "reason")
	m.rejected = m.counters(rejectedKinds(), "recarga_redis_rejected_total",
		"Values in Redis that no process of ours wrote, ignored or removed by this one: token, lock, notice (an outage or "+
			"a pause), pace (the rate limit), probe, "+
			"key (of another type than it must be).", "kind")
	m.tasks = m.desc(gauge, "recarga_queue_tasks", "Tasks by queue and state, as a worker saw them within the last 10 s.",
		"queue", "state")
	m.pendingAge = m.desc(gauge, "recarga_queue_oldest_pending_seconds",
		"How long the next task of a queue has waited.", "queue")
	m.paused = m.desc(gauge, "recarga_queue_paused", "1 when a person has paused the queue.", "queue")
	m.servers = m.desc(gauge, "recarga_queue_servers", "Servers of a queue, in all processes.", "queue")
	m.stuck = m.desc(gauge, "recarga_queue_stuck_tasks",
		"Tasks that asynq would leave as they are for ever: active without a lease, or of lost workers and not taken back.",
		"queue")
	m.repairs = m.desc(counter, "recarga_queue_repairs_total",
		"Tasks that this process fixed or removed, by kind: lease, vanished, quarantined, archived.", "queue", "kind")
	m.skew = m.desc(gauge, "recarga_clock_skew_seconds", "How far this machine's clock is ahead of Redis'.")
	m.redisMemory = m.desc(gauge, "recarga_redis_memory_bytes",
		"Memory of Redis: used, and the most that it may use (max; absent without a limit).", "kind")
}

// Swept notes that the sweep has come round.
func (m *Metrics) Swept(at time.Time) {
	m.sweptAt.WithLabelValues().Set(float64(at.UnixMilli()) / 1e3)
}

func reasons() (start [][]string) {
	for _, reason := range intake.Reasons() {
		start = append(start, []string{string(reason)})
	}
	return start
}

func rejectedKinds() (start [][]string) {
	for _, kind := range append(coordination.Kinds(), queue.KindKey) {
		start = append(start, []string{kind})
	}
	return start
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

// watched shows the last check.
type watched struct {
	m    *Metrics
	last func() (Watched, bool)
}

// ShowQueues has scrapes show what last returns; it returns false before the first check.
func (m *Metrics) ShowQueues(last func() (Watched, bool)) { m.registry.MustRegister(watched{m, last}) }

// Describe implements prometheus.Collector.
func (w watched) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{w.m.tasks, w.m.pendingAge, w.m.paused, w.m.servers, w.m.stuck, w.m.repairs,
		w.m.skew, w.m.redisMemory} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (w watched) Collect(metrics chan<- prometheus.Metric) {
	last, ok := w.last()
	if !ok {
		return
	}
	for key, n := range last.Repaired {
		metrics <- prometheus.MustNewConstMetric(w.m.repairs, prometheus.CounterValue, float64(n), key[0], key[1])
	}
	if !last.Fresh {
		return
	}
	show(metrics, w.m.skew, last.Skew.Seconds())
	for kind, bytes := range map[string]int64{"used": last.MemoryUsed, "max": last.MemoryMax} {
		if bytes > 0 {
			show(metrics, w.m.redisMemory, float64(bytes), kind)
		}
	}
	for name, q := range last.Queues {
		for state, n := range q.Depth {
			show(metrics, w.m.tasks, float64(n), name, state)
		}
		show(metrics, w.m.paused, truth(q.Paused), name)
		show(metrics, w.m.pendingAge, q.OldestPending.Seconds(), name)
		show(metrics, w.m.servers, float64(q.Servers), name)
		show(metrics, w.m.stuck, float64(q.ActiveWithoutLease+q.OverdueLeases), name)
	}
}
