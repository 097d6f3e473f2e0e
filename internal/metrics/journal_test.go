package metrics_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/metrics"
	"recarga/topup/desk"
)

// TestPausesAreCounted by kind, from 0 on, and never by a caller's name.
func TestPausesAreCounted(t *testing.T) {
	t.Parallel()
	j, err := journal.Open(t.Context(), journaltest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	for _, c := range []desk.Control{
		{Kind: desk.PauseCaller, Name: "shop"}, {Kind: desk.PauseCaller, Name: "kiosk"}, {Kind: desk.PauseWebhooks},
		{Kind: desk.LimitRate, Value: "5/s"},
	} {
		c.Since = time.Now()
		if err := j.SetControl(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	m := metrics.New("test", nil, nil)
	m.ReadFrom(j, time.Hour, slog.New(slog.DiscardHandler))
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "recarga_pauses" {
			continue
		}
		for _, one := range f.GetMetric() {
			for _, label := range one.GetLabel() {
				got[label.GetName()+" "+label.GetValue()] = one.GetGauge().GetValue()
			}
		}
	}
	want := map[string]float64{"kind purchases": 0, "kind webhooks": 1, "kind caller": 2, "kind product": 0,
		"kind operator": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
