package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"recarga/internal/journal"
	"recarga/topup"
)

// startOps serves what the people and programs that keep the process running ask for: metrics, and
// whether it lives and is ready.
func (n *node) startOps(ctx context.Context) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newOrdersCollector(n.journal, n.log))
	if n.watchdog != nil {
		registry.MustRegister(n.watchdog)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", n.ready)
	url, err := n.listen(ctx, n.settings.MetricsAddr, "RECARGA_METRICS_ADDR", mux)
	n.metricsURL = url
	return err
}

// ready answers 200 when the process can do its work. The API can while the journal answers: it
// accepts orders without Redis. A worker needs both.
func (n *node) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	err := n.journal.Ping(ctx)
	if err == nil && n.roles.worker {
		err = n.queue.Ping(ctx)
	}
	if err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// ordersCollector counts the orders by state when it is asked, from the journal.
type ordersCollector struct {
	journal *journal.Journal
	log     *slog.Logger
	orders  *prometheus.Desc
	unknown *prometheus.Desc
	commits *prometheus.Desc
	writes  *prometheus.Desc
}

func newOrdersCollector(j *journal.Journal, log *slog.Logger) *ordersCollector {
	return &ordersCollector{
		journal: j, log: log,
		orders:  prometheus.NewDesc("recarga_orders", "Orders by state.", []string{"state"}, nil),
		unknown: prometheus.NewDesc("recarga_unknown_oldest_age_seconds", "How long the order has been held as unknown that has been held for longest; 0 when none is.", nil, nil),
		commits: prometheus.NewDesc("recarga_journal_commits_total", "Commits of this process.", nil, nil),
		writes:  prometheus.NewDesc("recarga_journal_writes_total", "Writes of this process; several share a commit.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *ordersCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.orders
	descs <- c.unknown
	descs <- c.commits
	descs <- c.writes
}

// Collect implements prometheus.Collector.
func (c *ordersCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stats := c.journal.Stats()
	metrics <- prometheus.MustNewConstMetric(c.commits, prometheus.CounterValue, float64(stats.Commits))
	metrics <- prometheus.MustNewConstMetric(c.writes, prometheus.CounterValue, float64(stats.Operations))
	counts, err := c.journal.CountByState(ctx)
	oldest, oldestErr := c.journal.OldestUnknown(ctx)
	if err := errors.Join(err, oldestErr); err != nil {
		c.log.Warn("orders not counted", "error", err)
		return
	}
	age := 0.0
	if !oldest.IsZero() {
		age = time.Since(oldest).Seconds()
	}
	metrics <- prometheus.MustNewConstMetric(c.unknown, prometheus.GaugeValue, age)
	for _, f := range topup.StateTable() {
		metrics <- prometheus.MustNewConstMetric(c.orders, prometheus.GaugeValue, float64(counts[f.State]), string(f.State))
	}
}
