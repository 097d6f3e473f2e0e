package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"recarga/internal/access"
	"recarga/internal/api"
)

func (m *Metrics) defineHTTP() {
	m.http = m.counters(nil, "recarga_http_requests_total")
	m.authFailures = m.counters(pairs(access.Places(), access.Reasons()), "recarga_auth_failures_total")
	m.httpSeconds = m.histograms(quick, "recarga_http_request_seconds")
	m.waitingRequests = m.desc(gauge, "recarga_http_waiting_requests")
}

// ShowWaiting has scrapes show how many requests wait for a change.
func (m *Metrics) ShowWaiting(waiting func() int) {
	m.scrape(func(metrics chan<- prometheus.Metric) { show(metrics, m.waitingRequests, float64(waiting())) })
}

// Served counts a request to the API; it is api.Config.Observe.
func (m *Metrics) Served(r api.Served) {
	route := r.Route
	if route == "" {
		route = "other"
	}
	m.http.WithLabelValues(route, strconv.Itoa(r.Status)).Inc()
	m.httpSeconds.WithLabelValues(route).Observe(r.Took.Seconds())
}

// AuthFailed counts a key or a session that was refused; it is for access.NewLimiter.
func (m *Metrics) AuthFailed(where, reason string) {
	m.authFailures.WithLabelValues(where, reason).Inc()
}
