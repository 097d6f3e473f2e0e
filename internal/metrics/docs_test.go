package metrics_test

import (
	"fmt"
	"strings"
	"testing"

	"recarga/internal/metrics"
	"recarga/internal/testkit"
)

//go:generate go test -run Document . -update

// introduction has ~ where Markdown has a backquote.
const introduction = `# Metrics

Every long-running role serves these metrics at ~RECARGA_METRICS_ADDR~ under ~/metrics~, in Prometheus' form, beside the
~go_~ and ~process_~ metrics of the Go client.

- Counters and histograms belong to one process and begin at its start: sum them over the instances.
- A metric "from the book of record" is the same in every process on one database: take the maximum, not the sum.
- Metrics of the queue are absent while no worker sees it.
- Labels have few values. No label names the caller, the endpoint or the order: whoever can write to Redis could
  invent callers without end. The log names them, and the API counts by caller.

[deploy](../deploy) has alerts and a dashboard made of these metrics; [operations.md](operations.md) says what to do
about each alert.

| metric | type | labels | what it is |
|---|---|---|---|
`

func TestMetricsDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString("<!-- Generated from internal/metrics by `go generate ./internal/metrics`. Do not edit. -->\n\n" +
		strings.ReplaceAll(introduction, "~", "`"))
	for _, d := range metrics.New("", nil, nil).Definitions() {
		labels := "`" + strings.Join(d.Labels, "`, `") + "`"
		if len(d.Labels) == 0 {
			labels = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Kind, labels, d.Help)
	}
	testkit.Generated(t, "../../docs/metrics.md", b.String())
}
