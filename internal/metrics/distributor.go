package metrics

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"recarga/distributor"
	"recarga/topup"
)

func (m *Metrics) defineDistributor() {
	m.purchaseSeconds = m.histograms(vendor, "recarga_purchase_seconds")
	m.purchasing = m.gauges("recarga_purchases_in_flight")
	m.distributor = m.counters(requests(), "recarga_distributor_requests_total")
	m.outage = m.desc(gauge, "recarga_operator_outage")
	m.balance = m.desc(gauge, "recarga_distributor_balance")
	m.balanceAt = m.desc(gauge, "recarga_distributor_balance_asked_timestamp_seconds")
	m.balanceLow = m.desc(gauge, "recarga_balance_low")
	m.balanceDrift = m.desc(gauge, "recarga_balance_drift_pesos")
}

// requests are the calls and statuses that there are.
func requests() [][]string {
	return pairs([]string{"login", "balance", "purchase"},
		[]string{"2xx", "3xx", "401", "402", "429", "4xx", "5xx", "none"})
}

// Requested counts a request to the distributor; it is distributor.Config.Observe.
func (m *Metrics) Requested(r distributor.Request) {
	m.distributor.WithLabelValues(r.Call, statusClass(r.Status)).Inc()
}

func statusClass(status int) string {
	switch status {
	case 0:
		return "none"
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusTooManyRequests:
		return fmt.Sprint(status)
	default:
		return fmt.Sprintf("%dxx", status/100)
	}
}

// Distributor is a client of the distributor whose purchases are measured.
type Distributor struct {
	*distributor.Client
	m *Metrics
}

// Distributor measures the purchases made through it.
func (m *Metrics) Distributor(c *distributor.Client) *Distributor { return &Distributor{c, m} }

// Purchase measures a purchase.
func (d *Distributor) Purchase(ctx context.Context, o topup.Order, sendBy time.Time) topup.Result {
	under := d.m.purchasing.WithLabelValues()
	under.Inc()
	defer under.Dec()
	began := time.Now()
	result := d.Client.Purchase(ctx, o, sendBy)
	d.m.purchaseSeconds.WithLabelValues(string(result.Outcome)).Observe(time.Since(began).Seconds())
	return result
}

// currency is one of ISO 4217's form; anything else could be any text.
func currency(c string) string {
	if len(c) != 3 {
		return "other"
	}
	for _, r := range c {
		if r < 'A' || r > 'Z' {
			return "other"
		}
	}
	return c
}

// ShowOutages has scrapes read the operators that are out, of the catalogue's and all others.
func (m *Metrics) ShowOutages(c topup.Catalog, read func() map[string]topup.Outage) {
	m.scrape(func(metrics chan<- prometheus.Metric) {
		states := map[string]float64{}
		for _, p := range c.Products() {
			states[topup.OperatorOf(p.ID)] = 0
		}
		for operator, outage := range read() { // one whose products have left the catalogue may be out as well
			states[operator] = 2
			if outage.Recovering() {
				states[operator] = 1
			}
		}
		for operator, state := range states {
			show(metrics, m.outage, state, operator)
		}
	})
}
