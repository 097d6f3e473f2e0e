package app

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"recarga/internal/config"
	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
)

// TestWatchdog: a queue that somebody paused is an alarm, said once and ended, and a metric.
func TestWatchdog(t *testing.T) {
	q, err := queue.Open(t.Context(), testkit.Redis(t).URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	var log strings.Builder
	w := newWatchdog(q, func() bool { return true }, slog.New(slog.NewTextHandler(&log, nil)))
	m := newMetrics(config.Settings{}, Roles{Worker: true}, "test")
	m.ShowQueues(w.seen)
	inspector := asynq.NewInspectorFromRedisClient(q.Redis())
	if err := q.Announce(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do     func() error
		paused float64
		said   int
	}{
		{func() error { return nil }, 0, 0},
		{func() error { return inspector.PauseQueue(tasks.QueueTopups) }, 1, 1},
		{func() error { return nil }, 1, 1},
		{func() error { return inspector.UnpauseQueue(tasks.QueueTopups) }, 0, 1},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		w.check(t.Context())
		if got := gauge(t, m.Gatherer(), "recarga_queue_paused", tasks.QueueTopups); got != step.paused {
			t.Errorf("recarga_queue_paused is %v, want %v", got, step.paused)
		}
		if said := strings.Count(log.String(), `msg=alarm alarm="queue topups is paused"`); said != step.said {
			t.Errorf("the alarm was said %d times, want %d:\n%s", said, step.said, &log)
		}
	}
	if !strings.Contains(log.String(), `msg="alarm ended" alarm="queue topups is paused"`) {
		t.Errorf("the end of the alarm was not said:\n%s", &log)
	}
}

func gauge(t *testing.T, registry prometheus.Gatherer, name, queue string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == queue {
				return m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s of %s", name, queue)
	return 0
}
