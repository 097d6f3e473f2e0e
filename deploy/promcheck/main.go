// Command promcheck reads alerts, expressions and metrics with Prometheus' own library. It is a module of its own, so
// that nothing of Recarga depends on Prometheus' server. The tests of internal/metrics call it, in one of three ways:
//
//   - promcheck alerts reads [Question] as JSON and writes an [Answer]: which alerts fire on given series.
//   - promcheck expressions reads a JSON list of expressions and writes what each [Names].
//   - promcheck openmetrics reads a page of metrics and writes the kinds of the metrics in it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	do := map[string]func([]byte) (any, error){
		"alerts": alerts, "expressions": expressions, "openmetrics": openMetrics,
	}
	if len(args) != 1 || do[args[0]] == nil {
		return errors.New("usage: promcheck alerts|expressions|openmetrics < FILE")
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	answer, err := do[args[0]](text)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(answer)
}

// language parses PromQL.
var language = parser.NewParser(parser.Options{})

// Names is what an expression names.
type Names struct {
	// Series are its selectors, and Grouped the labels that it groups or matches by.
	Series  []Selector
	Grouped []string
}

// Selector chooses series by the name of their metric and by labels.
type Selector struct {
	// Metric is the name, and Labels are the values that a label is compared with.
	Metric string
	Labels map[string]string
}

func expressions(text []byte) (any, error) {
	var all []string
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	found := make([]Names, len(all))
	for i, one := range all {
		expr, err := language.ParseExpr(one)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one, err)
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			found[i].add(node)
			return nil
		})
	}
	return found, nil
}

func (n *Names) add(node parser.Node) {
	switch node := node.(type) {
	case *parser.VectorSelector:
		s := Selector{Metric: node.Name, Labels: map[string]string{}}
		for _, m := range node.LabelMatchers {
			if m.Name != labels.MetricName {
				s.Labels[m.Name] = m.Value
			}
		}
		n.Series = append(n.Series, s)
	case *parser.AggregateExpr:
		n.Grouped = append(n.Grouped, node.Grouping...)
	case *parser.BinaryExpr:
		if node.VectorMatching != nil {
			n.Grouped = append(n.Grouped, node.VectorMatching.MatchingLabels...)
		}
	}
}

// openMetrics refuses a page that has two metrics of one name, as OpenMetrics names them: a counter without its _total.
func openMetrics(page []byte) (any, error) {
	kinds := map[string]string{}
	p := textparse.NewOpenMetricsParser(page, labels.NewSymbolTable())
	for {
		entry, err := p.Next()
		switch {
		case errors.Is(err, io.EOF):
			return kinds, nil
		case err != nil:
			return nil, err
		case entry == textparse.EntryType:
			name, kind := p.Type()
			if was := kinds[string(name)]; was != "" {
				return nil, fmt.Errorf("%s is a %s and a %s", name, was, kind)
			}
			kinds[string(name)] = string(kind)
		}
	}
}
