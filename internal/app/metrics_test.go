package app

import (
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// TestHistogramsReach as far as the defaults of the settings let things last: what is longer has no quantile.
func TestHistogramsReach(t *testing.T) {
	t.Parallel()
	s := settings(t)
	least := map[string]time.Duration{
		"recarga_order_first_attempt_seconds": s.ExpiresAfter,
		"recarga_order_seconds":               s.ExpiresAfter + s.RetryMaxElapsed,
		"recarga_purchase_seconds":            s.DistributorTimeout,
		"recarga_webhook_try_seconds":         s.WebhookTimeout,
	}
	for _, d := range newMetrics(s, Roles{Worker: true}, "v").Definitions() {
		if d.Longest < least[d.Name].Seconds() {
			t.Errorf("%s ends at %v s; it can last %s", d.Name, d.Longest, least[d.Name])
		}
		delete(least, d.Name)
	}
	if len(least) > 0 {
		t.Errorf("there is no %v", least)
	}
}

// TestSweepIsShownFromTheStart: of a worker, and of nobody else, or the alert would wake somebody for an API.
func TestSweepIsShownFromTheStart(t *testing.T) {
	t.Parallel()
	s := settings(t)
	for _, roles := range []Roles{{Worker: true}, {API: true}} {
		families, err := newMetrics(s, roles, "v").Gatherer().Gather()
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(families, func(f *dto.MetricFamily) bool {
			return f.GetName() == "recarga_sweep_timestamp_seconds"
		})
		if (at >= 0) != roles.Worker {
			t.Errorf("%+v: the sweep's time is there: %t", roles, at >= 0)
		}
	}
}
