package main

import (
	"context"
	"net/http"

	"recarga/internal/metrics"
)

// newMetrics are the metrics of a process with these settings and roles.
func newMetrics(s Settings, r roles) *metrics.Metrics {
	m := metrics.New(version, r.names(), s.RetryCodes)
	for name, value := range map[string]float64{
		"distributor_timeout":     s.DistributorTimeout.Seconds(),
		"distributor_concurrency": float64(s.DistributorConcurrency),
		"distributor_rate":        s.DistributorRate.PerSecond(),
		"retry_max_attempts":      float64(s.RetryMaxAttempts),
		"retry_max_elapsed":       s.RetryMaxElapsed.Seconds(),
		"webhook_disable_after":   s.WebhookDisableAfter.Seconds(),
		"shutdown_timeout":        s.ShutdownTimeout.Seconds(),
	} {
		m.SetSetting(name, value)
	}
	return m
}

// startOps serves what the people and programs that keep the process running ask for: metrics, and
// whether it lives and is ready.
func (n *node) startOps(ctx context.Context) error {
	n.metrics.ShowDependencies(n.health.up)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", n.metrics.Handler())
	n.health.mount(mux)
	url, err := n.listen(ctx, n.settings.MetricsAddr, "RECARGA_METRICS_ADDR", mux)
	n.metricsURL = url
	return err
}
