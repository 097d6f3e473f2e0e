package metrics

import (
	"strconv"

	"recarga/internal/api"
)

func (m *Metrics) defineHTTP() {
	m.http = m.counters(nil, "recarga_http_requests_total", "Requests to the API by route, as in \"POST /v1/topups\" (other: none of ours), and HTTP status.", "route", "status")
	m.httpSeconds = m.histograms(quick, "recarga_http_request_seconds", "Time of the requests to the API by route. A batch takes as long as it takes.", "route")
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
