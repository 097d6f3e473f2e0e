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

Every long-running role serves them at ~RECARGA_METRICS_ADDR~ under ~/metrics~, in Prometheus' form; beside these, the ~go_~ and
~process_~ metrics of the Go client.

- Counters and histograms are this process's, from its start: add them up over the instances.
- What is read "from the book of record" is the same from every process on one database: take the maximum, not the sum.
- What is read of the queue is absent while no worker sees it.
- Labels have few values. There is none for the caller, the endpoint or the order: who may write to Redis could
  invent callers without end. The log names them, and the API counts by caller.

Alerts and a dashboard made of them are in [deploy](../deploy); what to do about each alert is in [operations.md](operations.md).

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
