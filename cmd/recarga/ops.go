package main

import (
	"context"
	"net/http"
	"strings"

	"recarga/internal/metrics"
	"recarga/internal/params"
	"recarga/topup"
)

// refuseQuery answers a query that has parameters which nobody reads.
func refuseQuery(w http.ResponseWriter, _ *http.Request, wrong []*topup.FieldError) {
	texts := make([]string, len(wrong))
	for i, e := range wrong {
		texts[i] = e.Error()
	}
	http.Error(w, strings.Join(texts, "\n"), http.StatusBadRequest)
}

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
	url, err := n.listen(ctx, n.settings.MetricsAddr, "RECARGA_METRICS_ADDR", opsPages(n.health, n.metrics.Handler()))
	n.metricsURL = url
	return err
}

func opsPages(h *health, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", params.Only(metrics, refuseQuery, "name[]"))
	h.mount(mux)
	return mux
}
