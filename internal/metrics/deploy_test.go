package metrics_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"

	"recarga/internal/metrics"
	"recarga/topup"
)

// TestDeploy: every metric, label and value that an alert or a panel names is one that the program has, and
// every alert has its section for the person it wakes.
func TestDeploy(t *testing.T) {
	known := knowledge(t)
	for _, a := range alerts(t) {
		known.judge(t, a.Alert, a.Expr)
		anchor := strings.ToLower(a.Alert)
		if a.Annotations["runbook"] != "docs/operations.md#"+anchor || a.Annotations["summary"] == "" {
			t.Errorf("%s: annotations %v", a.Alert, a.Annotations)
		}
		if !slices.Contains([]string{"page", "ticket"}, a.Labels["severity"]) {
			t.Errorf("%s: labels %v", a.Alert, a.Labels)
		}
		if !strings.Contains(read(t, "../../docs/operations.md"), "\n### "+a.Alert+"\n") {
			t.Errorf("docs/operations.md has no section %s", a.Alert)
		}
	}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			known.judge(t, "panel "+p.Title, target.Expr)
		}
	}
}

// TestDeployJudge: the judge finds what is wrong.
func TestDeployJudge(t *testing.T) {
	known := knowledge(t)
	for _, wrong := range []string{
		`recarga_no_such_total`, `recarga_orders_bucket`, `sum by (code) (recarga_orders)`,
		`recarga_orders{status="failed"}`,
		`recarga_attempts_total{outcome="refused"}`, `recarga_attempts_total{outcome=~"approved|refused"}`,
	} {
		if known.wrong(wrong) == "" {
			t.Errorf("%s is taken", wrong)
		}
	}
	if what := known.wrong(`sum by (le) (rate(recarga_order_seconds_bucket{state="failed", instance="a"}[5m])) / recarga_attempts_total{outcome=~"approved|declined"}`); what != "" {
		t.Error(what)
	}
}

type alert struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal([]byte(read(t, "../../deploy/alerts.yml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no alerts")
	}
	return all
}

type panel struct {
	Title   string
	Targets []struct{ Expr string }
}

func panels(t *testing.T) []panel {
	t.Helper()
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal([]byte(read(t, "../../deploy/grafana/recarga.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Fatal("no panels")
	}
	return dashboard.Panels
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// definitions are the metrics by the names of their series, and the values of labels that are there from the start.
type definitions struct {
	labels map[string][]string
	values map[string]map[string][]string
}

func knowledge(t *testing.T) definitions {
	t.Helper()
	m := metrics.New("v", []string{"api", "worker"}, []topup.Code{"91", "96"})
	known := definitions{labels: map[string][]string{"up": {"job"}}, values: map[string]map[string][]string{}}
	for _, d := range m.Definitions() {
		if d.Kind != "histogram" {
			known.labels[d.Name] = d.Labels
			continue
		}
		known.labels[d.Name+"_bucket"] = append([]string{"le"}, d.Labels...)
		known.labels[d.Name+"_sum"], known.labels[d.Name+"_count"] = d.Labels, d.Labels
	}
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetType() != dto.MetricType_COUNTER {
			continue // only counters have all their series from the start
		}
		values := map[string][]string{}
		for _, series := range f.GetMetric() {
			for _, l := range series.GetLabel() {
				values[l.GetName()] = append(values[l.GetName()], l.GetValue())
			}
		}
		known.values[f.GetName()] = values
	}
	return known
}

var (
	nameOf   = regexp.MustCompile(`\b(recarga_\w+|up)\b(\{[^}]*\})?`)
	matchers = regexp.MustCompile(`(\w+)\s*(=~|=|!=|!~)\s*"([^"]*)"`)
	grouped  = regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`)
)

func (d definitions) judge(t *testing.T, where, expr string) {
	t.Helper()
	if what := d.wrong(expr); what != "" {
		t.Errorf("%s: %s in %s", where, what, expr)
	}
}

// wrong says what an expression names that is not there.
func (d definitions) wrong(expr string) string {
	any := []string{"instance", "job"} // the scraper's
	found := nameOf.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		return "no metric"
	}
	for _, f := range found {
		labels, ok := d.labels[f[1]]
		if !ok {
			return "no metric " + f[1]
		}
		any = append(any, labels...)
		for _, m := range matchers.FindAllStringSubmatch(f[2], -1) {
			if !slices.Contains(append([]string{"instance", "job"}, labels...), m[1]) {
				return fmt.Sprintf("no label %s of %s", m[1], f[1])
			}
			values := d.values[f[1]][m[1]]
			for _, v := range strings.Split(m[3], "|") {
				if values != nil && !slices.Contains(values, v) {
					return fmt.Sprintf("no value %s of %s of %s", v, m[1], f[1])
				}
			}
		}
	}
	for _, g := range grouped.FindAllStringSubmatch(expr, -1) {
		for _, l := range strings.Split(g[1], ",") {
			if !slices.Contains(any, strings.TrimSpace(l)) {
				return "no label " + l
			}
		}
	}
	return ""
}
