package metrics_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"

	"recarga/internal/metrics"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestDeploy: every metric, label and value that an alert or a panel names is one that the program has, and
// every alert has its section for the person it wakes.
func TestDeploy(t *testing.T) {
	all := map[string]string{} // expressions, by where they are
	for _, a := range alerts(t) {
		all[a.Alert] = a.Expr
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
		for i, target := range p.Targets {
			all[fmt.Sprintf("panel %s %d", p.Title, i)] = target.Expr
		}
	}
	for _, wrong := range knowledge(t).judge(t, all) {
		t.Error(wrong)
	}
}

// TestDeployJudge: the judge finds what is wrong.
func TestDeployJudge(t *testing.T) {
	all := map[string]string{}
	for i, wrong := range []string{
		`recarga_no_such_total`, `recarga_orders_bucket`, `sum by (code) (recarga_orders)`,
		`recarga_orders{status="failed"}`,
		`recarga_attempts_total{outcome="refused"}`, `recarga_attempts_total{outcome=~"approved|refused"}`,
	} {
		all[fmt.Sprint(i)] = wrong
	}
	known := knowledge(t)
	if found := known.judge(t, all); len(found) != len(all) {
		t.Errorf("of %d wrong ones it finds %q", len(all), found)
	}
	good := `sum by (le) (rate(recarga_order_seconds_bucket{state="failed", instance="a"}[5m]))
		/ recarga_attempts_total{outcome=~"approved|declined"}`
	if found := known.judge(t, map[string]string{"good": good}); len(found) > 0 {
		t.Error(found)
	}
}

// prometheus asks Prometheus' own library, by the program of deploy/promcheck.
func prometheus(t *testing.T, about string, question, answer any) error {
	t.Helper()
	text, ok := question.(string)
	if !ok {
		asJSON, err := json.Marshal(question)
		if err != nil {
			t.Fatal(err)
		}
		text = string(asJSON)
	}
	command := exec.CommandContext(t.Context(), testkit.Built(t, "../../bin/tools/promcheck/promcheck"), about)
	var out, errs bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(text), &out, &errs
	if err := command.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, errs.String())
	}
	return json.Unmarshal(out.Bytes(), answer)
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

// named is what an expression names.
type named struct {
	Series []struct {
		Metric string
		Labels map[string]string
	}
	Grouped []string
}

// judge says what expressions name that is not there.
func (d definitions) judge(t *testing.T, expressions map[string]string) (wrong []string) {
	t.Helper()
	where := slices.Sorted(maps.Keys(expressions))
	asked := make([]string, len(where))
	for i, name := range where {
		asked[i] = expressions[name]
	}
	var names []named
	if err := prometheus(t, "expressions", asked, &names); err != nil {
		t.Fatal(err)
	}
	for i, n := range names {
		if what := d.wrong(n); what != "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s in %s", where[i], what, asked[i]))
		}
	}
	return wrong
}

func (d definitions) wrong(n named) string {
	scraped := []string{"instance", "job"}
	any := slices.Clone(scraped)
	for _, s := range n.Series {
		labels, ok := d.labels[s.Metric]
		if !ok {
			return "no metric " + s.Metric
		}
		any = append(any, labels...)
		for label, value := range s.Labels {
			if !slices.Contains(append(slices.Clone(labels), scraped...), label) {
				return fmt.Sprintf("no label %s of %s", label, s.Metric)
			}
			values := d.values[s.Metric][label]
			for _, v := range strings.Split(value, "|") {
				if values != nil && !slices.Contains(values, v) {
					return fmt.Sprintf("no value %s of %s of %s", v, label, s.Metric)
				}
			}
		}
	}
	for _, l := range n.Grouped {
		if !slices.Contains(any, l) {
			return "no label " + l
		}
	}
	return ""
}
