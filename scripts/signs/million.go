package main

import (
	"fmt"
	"strings"
)

const million = 1e6

// sizes are the rows of docs/deploy.md: what a million orders take. times makes it of what is measured; a metric that
// a contender does not have is left out.
var sizes = []struct {
	head, metric, unit string
	times              float64
	digits             int
}{
	{"orders a second, if the distributor answers at once", "orders_per_second", "", 1, 0},
	{"memory meanwhile, `serve`", "resident_peak_mib", " MiB", 1, 0},
	{"processor time, the stores' included", "cpu_seconds_per_10k", " s", million / 10_000, 0},
	{"the database grows by", "database_bytes_per_order", " GB", million / 1e9, 2},
	{"Redis writes to its append-only file", "redis_bytes_written_per_order", " GB", million / 1e9, 2},
	{"Redis still holds when all are done", "redis_memory_per_order", " MB", million / 1e6, 0},
}

// perMillion is the table of docs/deploy.md.
func (r report) perMillion() string {
	kept := []string{"embedded", "sqlite + redis", "postgres + redis"}
	var b strings.Builder
	b.WriteString("| | " + strings.Join(kept, " | ") + " |\n|---" + strings.Repeat("|---", len(kept)) + "|\n")
	for _, row := range sizes {
		b.WriteString("| " + row.head + " |")
		for _, name := range kept {
			text := ""
			if s, measured := r.contender(name).Metrics[row.metric]; measured {
				text = whole(s.Median*row.times) + row.unit
				if row.digits > 0 {
					text = fmt.Sprintf("%.*f%s", row.digits, s.Median*row.times, row.unit)
				}
			}
			b.WriteString(" " + text + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}
