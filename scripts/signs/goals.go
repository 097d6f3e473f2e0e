package main

import (
	"fmt"
	"strings"
)

// judged are the contenders that are Recarga, in the order of the columns.
var judged = []string{"embedded", "sqlite + redis", "postgres + redis"}

// goal is a bound of one metric.
type goal struct {
	// Head names it in the table, with the unit.
	Head string
	// Metric is the one that it bounds.
	Metric string
	// Least says that the bounds are lower ones.
	Least bool
	// Ratio says that they bound the ratio to the plain worker.
	Ratio bool
	// Bounds are for each of those judged; 0: none.
	Bounds [3]float64
}

// goals are those of docs/performance.md.
var goals = []goal{
	{
		Head: "orders/s, beside the plain worker: at least", Metric: "orders_per_second",
		Least: true, Ratio: true, Bounds: [3]float64{0.75, 2, 1.5},
	},
	{
		Head: "CPU, stores included, beside the plain worker: at most", Metric: "cpu_seconds_per_10k",
		Ratio: true, Bounds: [3]float64{0.7, 0.7, 0.7},
	},
	{
		Head: "lone order to the vendor, p50, ms: at most", Metric: "to_vendor_p50_ms",
		Bounds: [3]float64{4, 4, 4},
	},
	{
		Head: "lone order to the vendor, p99, ms: at most", Metric: "to_vendor_p99_ms",
		Bounds: [3]float64{15, 15, 15},
	},
	{
		Head: "lone order to the webhook, p50, ms: at most", Metric: "to_webhook_p50_ms",
		Bounds: [3]float64{6, 6, 6},
	},
	{
		Head: "`POST /v1/topups` at 2,000 orders/s, p99, ms: at most", Metric: "place_p99_ms",
		Bounds: [3]float64{50, 50, 50},
	},
	{
		Head: "scheduled order late at the vendor, p50, ms: at most", Metric: "late_p50_ms",
		Bounds: [3]float64{5, 5, 5},
	},
	{
		Head: "scheduled order late at the vendor, p99, ms: at most", Metric: "late_p99_ms",
		Bounds: [3]float64{25, 25, 25},
	},
	{
		Head: "10,000 purchases in flight: purchases/s, % of those possible: at least", Metric: "in_flight_percent",
		Least: true, Bounds: [3]float64{95, 95, 95},
	},
	{
		Head: "KiB of each: at most", Metric: "in_flight_kib_each",
		Bounds: [3]float64{32, 32, 32},
	},
	{
		Head: "idle, % of a core: at most", Metric: "idle_percent_of_core",
		Bounds: [3]float64{5, 5, 5},
	},
	{
		Head: "disk, bytes an order: at most", Metric: "database_bytes_per_order",
		Bounds: [3]float64{1229, 1229, 0},
	},
	{
		Head: "resident memory, MiB: at most", Metric: "resident_peak_mib",
		Bounds: [3]float64{150, 150, 150},
	},
}

// reached is the table of the goals: what was measured, and whether it is enough.
func (r report) reached() string {
	var b strings.Builder
	b.WriteString("| goal | " + strings.Join(judged, " | ") + " |\n|---|---|---|---|\n")
	for _, g := range goals {
		b.WriteString("| " + g.Head + " |")
		for i, name := range judged {
			b.WriteString(" " + g.judge(r.contender(name), g.Bounds[i]) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (g goal) judge(c contender, bound float64) string {
	measured, ok := c.Metrics[g.Metric]
	if bound == 0 || !ok {
		return ""
	}
	value, shown, limit := measured.Median, figure(measured.Median), figure(bound)
	if g.Ratio {
		value = c.Ratio[g.Metric]
		shown, limit = fmt.Sprintf("%.2f ×", value), fmt.Sprintf("%.2f ×", bound)
	}
	reached := value <= bound
	if g.Least {
		reached = value >= bound
	}
	if reached {
		return limit + ": yes, " + shown
	}
	return limit + ": no, " + shown
}

// contender is that of a name; without metrics where it was not measured.
func (r report) contender(name string) contender {
	for _, c := range r.Contenders {
		if c.Name == name {
			return c
		}
	}
	return contender{Name: name}
}
