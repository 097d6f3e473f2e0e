package app

import (
	"context"
	"net"
	"net/http"
	"time"

	"recarga/internal/config"
	"recarga/internal/listen"
	"recarga/internal/metrics"
	"recarga/internal/params"
	"recarga/topup"
)

// refuseQuery answers a query that has parameters which nobody reads.
func refuseQuery(w http.ResponseWriter, _ *http.Request, wrong []*topup.FieldError) {
	http.Error(w, topup.JoinFields(wrong).Error(), http.StatusBadRequest)
}

// newMetrics are the metrics of a process with these settings and roles.
func newMetrics(s config.Settings, r Roles, version string) *metrics.Metrics {
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
	if r.Worker {
		m.Swept(time.Now()) // or the alert for a sweep that is stuck would never see one that did not begin
	}
	return m
}

// startOps serves what the people and programs that keep the process running ask for: metrics, and
// whether it lives and is ready. Orders are bought without it: an address that is taken is tried again.
func (n *Node) startOps(ctx context.Context) error {
	n.metrics.ShowDependencies(n.health.up)
	listener, err := n.bind(ctx, n.settings.MetricsAddr, metricsSetting)
	if err != nil {
		n.log.Warn("metrics not served; trying again", "every", opsRetry, "error", err)
	} else {
		n.MetricsURL = urlOf(listener)
	}
	n.background(func(ctx context.Context) { n.keepOps(ctx, listener, opsPages(n.health, n.metrics.Handler())) })
	return nil
}

const (
	metricsSetting = "RECARGA_METRICS_ADDR"
	// opsRetry is the time between two tries to listen.
	opsRetry = 5 * time.Second
	// opsConnections bounds those of whoever asks for metrics and probes.
	opsConnections = 128
)

// keepOps serves from the listener, and from a new one where there is none, or no more.
func (n *Node) keepOps(ctx context.Context, listener net.Listener, pages http.Handler) {
	for {
		if listener != nil {
			ended := make(chan struct{})
			cfg := listen.Config{Handler: pages, MaxConnections: opsConnections}
			_, end := n.serveHTTP(listener, metricsSetting, cfg, func(err error) {
				n.log.Warn("metrics not served; trying again", "every", opsRetry, "error", err)
				close(ended)
			})
			select {
			case <-ctx.Done():
			case <-ended:
			}
			end()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(opsRetry):
		}
		listener, _ = n.bind(ctx, n.settings.MetricsAddr, metricsSetting) // the warning has said why not
	}
}

func opsPages(h *Health, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", params.Only(metrics, refuseQuery, "name[]"))
	h.Mount(mux)
	return mux
}
