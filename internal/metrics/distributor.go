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
	m.purchaseSeconds = m.histograms(vendor, "recarga_purchase_seconds",
		"Purchase calls, by outcome: approved, declined, unavailable, not_sent, unknown.", "outcome")
	m.purchasing = m.gauges("recarga_purchases_in_flight",
		"Purchase calls under way in this process; recarga_setting{name=\"distributor_concurrency\"} is the most.")
	m.distributor = m.counters(requests(), "recarga_distributor_requests_total",
		"Requests to the distributor by call (login, balance, purchase) and HTTP status: 2xx, 3xx, 401, 402, 429, 4xx, "+
			"5xx, or none where no whole answer came.", "call", "status")
	m.outage = m.desc(gauge, "recarga_operator_outage",
		"Whether an operator is out, as far as this worker knows: 0 no, 1 recovering, 2 out (its orders are deferred).",
		"operator")
	m.balance = m.gauges("recarga_distributor_balance",
		"The balance in the distributor's last answer to this process, in the currency it named: a hint, which may be "+
			"old. Absent until it was asked.", "currency")
	m.balanceAskedAt = m.gauges("recarga_distributor_balance_asked_timestamp_seconds",
		"When this process last asked for the balance. Absent until it was asked.")
	m.balanceLow = m.desc(gauge, "recarga_balance_low",
		"1 while the balance is below RECARGA_BALANCE_LOW, else 0. From the book of record.")
	m.balanceDrift = m.desc(gauge, "recarga_balance_drift_pesos",
		"What has left the balance without an order to explain it, since the first reading, in units of the balance (one "+
			"a peso). From the book of record.")
}

// requests are the calls and statuses that there are.
func requests() (start [][]string) {
	for _, call := range []string{"login", "balance", "purchase"} {
		for _, status := range []string{"2xx", "3xx", "401", "402", "429", "4xx", "5xx", "none"} {
			start = append(start, []string{call, status})
		}
	}
	return start
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

// Distributor measures the purchases made through it, and notes the balances of its answers.
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

// Balance notes the balance.
func (d *Distributor) Balance(ctx context.Context) (distributor.Balance, error) {
	b, err := d.Client.Balance(ctx)
	if amount, bad := b.Amount.Float64(); err == nil && bad == nil {
		d.m.balance.WithLabelValues(currency(b.Currency)).Set(amount)
		d.m.balanceAskedAt.WithLabelValues().Set(float64(b.FetchedAt.UnixMilli()) / 1e3)
	}
	return b, err
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

// outages are those that a worker knows of.
type outages struct {
	m       *Metrics
	catalog topup.Catalog
	read    func() map[string]topup.Outage
}

// ShowOutages has scrapes read the operators that are out, of the catalogue's and all others.
func (m *Metrics) ShowOutages(c topup.Catalog, read func() map[string]topup.Outage) {
	m.registry.MustRegister(outages{m, c, read})
}

// Describe implements prometheus.Collector.
func (o outages) Describe(descs chan<- *prometheus.Desc) { descs <- o.m.outage }

// Collect implements prometheus.Collector.
func (o outages) Collect(metrics chan<- prometheus.Metric) {
	known := o.read()
	operators := map[string]bool{}
	for operator := range known { // one whose products have left the catalogue may be out as well
		operators[operator] = true
	}
	for _, p := range o.catalog.Products() {
		operators[topup.OperatorOf(p.ID)] = true
	}
	for operator := range operators {
		outage, out := known[operator]
		var value float64
		switch {
		case out && outage.Recovering():
			value = 1
		case out:
			value = 2
		}
		show(metrics, o.m.outage, value, operator)
	}
}
