package metrics

import (
	"maps"
	"testing"
)

// TestEveryMetricHasItsTexts: whoever reads /metrics must learn what a metric counts.
func TestEveryMetricHasItsTexts(t *testing.T) {
	left := maps.Clone(texts)
	for _, d := range New("", nil, nil).Definitions() {
		if d.Help == "" {
			t.Errorf("%s has no help", d.Name)
		}
		delete(left, d.Name)
	}
	for name := range left {
		t.Errorf("%s: texts of no metric", name)
	}
}
