package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// report is what recarga bench --json writes.
type report struct {
	// At is when it ended; Orders are those of a round.
	At      time.Time `json:"at"`
	Orders  int       `json:"orders"`
	Rounds  int       `json:"rounds"`
	Machine struct {
		Cores  int    `json:"cores"`
		System string `json:"system"`
		Disk   string `json:"disk"`
		Go     string `json:"go"`
	} `json:"machine"`
	Contenders []contender `json:"contenders"`
}

type contender struct {
	Name string `json:"name"`
	// Metrics and Ratio (to the plain worker) are by the metric's name.
	Metrics map[string]spread  `json:"metrics"`
	Ratio   map[string]float64 `json:"ratio_to_plain"`
}

// spread is a metric over the rounds.
type spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// language is how README's table speaks: its head, and what contenders are called.
type language struct {
	head  string
	names map[string]string
}

var inEnglish = language{
	head: "| | orders/s | beside the plain worker | CPU s for 10,000 orders | lone order to the vendor, " +
		"to the webhook, p50 | idle, of one core |\n|---|---|---|---|---|---|\n",
	names: map[string]string{
		"plain asynq": "plain asynq worker with its defaults, no journal", "embedded": "Recarga, embedded",
		"sqlite + redis": "Recarga, Redis and SQLite", "postgres + redis": "Recarga, Redis and PostgreSQL",
	},
}

var inSpanish = language{
	head: "| | pedidos/s | frente al worker simple " +
		"| s de CPU por 10,000 pedidos " +
		"| un pedido solo, hasta el proveedor y hasta el webhook, p50 " +
		"| en reposo, de un núcleo |\n|---|---|---|---|---|---|\n",
	names: map[string]string{
		"plain asynq":    "worker simple de asynq, con sus valores por omisión y sin libro",
		"embedded":       "Recarga, todo integrado",
		"sqlite + redis": "Recarga, Redis y SQLite", "postgres + redis": "Recarga, Redis y PostgreSQL",
	},
}

// short is README's table.
func (r report) short(in language) string {
	var b strings.Builder
	b.WriteString(in.head)
	for _, c := range r.Contenders {
		name, shown := in.names[c.Name]
		if !shown {
			continue
		}
		ratio := "1"
		if c.Name != "plain asynq" {
			ratio = fmt.Sprintf("%.2f ×", c.Ratio["orders_per_second"])
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.1f | %s, %s ms | %.1f %% |\n", name, c.median("orders_per_second"), ratio,
			c.Metrics["cpu_seconds_per_10k"].Median, c.median("to_vendor_p50_ms"), c.median("to_webhook_p50_ms"),
			c.Metrics["idle_percent_of_core"].Median)
	}
	return b.String()
}

// rows are those of docs/performance.md, in order; a second metric is shown behind a slash.
var rows = []struct{ head, metric, second string }{
	{"orders/s", "orders_per_second", ""},
	{"CPU s/10k", "cpu_seconds_per_10k", ""},
	{"of it stores", "cpu_seconds_store_10k", ""},
	{"load CPU s/10k", "cpu_seconds_load_10k", ""},
	{"lone order to the vendor, p50 / p99 ms", "to_vendor_p50_ms", "to_vendor_p99_ms"},
	{"to the webhook, p50 / p99 ms", "to_webhook_p50_ms", "to_webhook_p99_ms"},
	{"POST, p50 / p99 ms", "place_p50_ms", "place_p99_ms"},
	{"scheduled order late at the vendor, p50 / p99 ms", "late_p50_ms", "late_p99_ms"},
	{"10,000 purchases in flight: purchases/s, % of those possible", "in_flight_percent", ""},
	{"KiB of each", "in_flight_kib_each", ""},
	{"idle, % of a core", "idle_percent_of_core", ""},
	{"peak MiB", "resident_peak_mib", ""},
	{"database B/order", "database_bytes_per_order", ""},
}

// long is the table of docs/performance.md, with the run it is of.
func (r report) long() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "`recarga bench` of %s: %d rounds of %s orders on %d cores, %s, %s, %s. "+
		"Median (min to max); × is beside plain asynq.\n\n",
		r.At.Format("2 January 2006"), r.Rounds, whole(float64(r.Orders)), m.Cores, m.System, m.Disk, m.Go)
	b.WriteString("| |")
	for _, c := range r.Contenders {
		b.WriteString(" " + c.Name + " |")
	}
	b.WriteString("\n|---" + strings.Repeat("|---", len(r.Contenders)) + "|\n")
	for _, row := range rows {
		b.WriteString("| " + row.head + " |")
		for _, c := range r.Contenders {
			b.WriteString(" " + c.cell(row.metric, row.second) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (c contender) cell(metric, second string) string {
	s, measured := c.Metrics[metric]
	if !measured {
		return ""
	}
	if second != "" {
		return c.median(metric) + " / " + c.median(second)
	}
	text := c.median(metric)
	if s.Min != s.Max {
		text += " (" + figure(s.Min) + "–" + figure(s.Max) + ")"
	}
	compared := c.Name != "plain asynq" && (metric == "orders_per_second" || metric == "cpu_seconds_per_10k")
	if ratio, ok := c.Ratio[metric]; ok && compared {
		text += fmt.Sprintf(", %.2f ×", ratio)
	}
	return text
}

func (c contender) median(metric string) string { return figure(c.Metrics[metric].Median) }

// figure has as many digits as mean something.
func figure(f float64) string {
	if f >= 10 {
		return whole(f)
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

// whole is a number with a comma between thousands.
func whole(f float64) string {
	digits := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
