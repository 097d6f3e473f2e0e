package metrics_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"recarga/internal/metrics"
	"recarga/topup"
)

// scene is what makes an alert fire, and what comes near to it and must not: series with a value a minute, as
// Prometheus' own tests write them.
type scene struct{ fires, rests []string }

// A counter of two processes, of which one was just started: what it counted before must not be an increase.
func counted(name, values string) []string {
	return []string{name + ` ` + values, strings.Replace(name, `instance="a"`, `instance="b"`, 1) + ` _x20 0x20`}
}

var scenes = map[string]scene{
	"RecargaDown": {
		[]string{`up{job="recarga",instance="a"} 1x5 0x10`},
		[]string{`up{job="recarga",instance="a"} 1x5 0x1 1x10`, `up{job="other",instance="a"} 0x20`},
	},
	"RecargaNoWorker": {
		[]string{`recarga_role{role="worker",instance="always"} 0x10`, `recarga_role{role="api",instance="a"} 1x10`},
		[]string{`recarga_role{role="api",instance="a"} 1x10`},
	},
	"RecargaOutage": {
		[]string{`recarga_operator_outage{operator="TELCEL"} 0x5 2x10`, `recarga_operator_outage{operator="ATT"} 1x15`},
		[]string{`recarga_operator_outage{operator="TELCEL"} 0x5 2x0 1x10`},
	},
	"RecargaDistributorFails": {
		[]string{
			`recarga_distributor_requests_total{call="purchase",status="5xx"} 0+6x20`,
			`recarga_distributor_requests_total{call="purchase",status="2xx"} 0+5x20`,
		},
		[]string{
			`recarga_distributor_requests_total{call="purchase",status="none"} 0+4x20`,
			`recarga_distributor_requests_total{call="purchase",status="2xx"} 0+5x20`,
		},
	},
	"RecargaCredentialsRefused": {
		[]string{`recarga_distributor_requests_total{call="login",status="4xx"} 0x5 1x10`},
		[]string{
			`recarga_distributor_requests_total{call="login",status="401"} 3x20`,
			`recarga_distributor_requests_total{call="purchase",status="401"} 0+9x20`,
		},
	},
	"RecargaOutOfBalance": {
		counted(`recarga_out_of_balance_total{instance="a"}`, `4x20 5x20`),
		counted(`recarga_out_of_balance_total{instance="a"}`, `4x40`),
	},
	"RecargaBalanceLow": {[]string{`recarga_balance_low 0x5 1`}, []string{`recarga_balance_low 0x20`}},
	"RecargaBalanceDrift": {
		[]string{`recarga_balance_drift_pesos 10x70 60`},
		[]string{`recarga_balance_drift_pesos 60x130`},
	},
	"RecargaUnknownOrders": {
		[]string{`recarga_unknown_oldest_age_seconds 0+60x70`},
		[]string{`recarga_unknown_oldest_age_seconds 0+60x58 0x20`},
	},
	"RecargaDisputedOrders": {[]string{`recarga_orders_disputed 1x6`}, []string{`recarga_orders_disputed 0x20`}},
	"RecargaManyUnknown": {
		counted(`recarga_orders_held_total{instance="a"}`, `9x20 30x20`),
		counted(`recarga_orders_held_total{instance="a"}`, `9x20 10+1x4 15x20`),
	},
	"RecargaOrdersWait": {
		[]string{`recarga_order_due_oldest_age_seconds 0+60x10`},
		[]string{`recarga_order_due_oldest_age_seconds 0+60x3 0x20`},
	},
	"RecargaOrdersDeferred": {
		[]string{`recarga_orders_waiting{priority="normal"} 1x16`},
		[]string{`recarga_orders_waiting{priority="bulk"} 900x30`, `recarga_orders_waiting{priority="high"} 1x14 0x9`},
	},
	"RecargaRateLimited": {
		[]string{`recarga_distributor_requests_total{call="purchase",status="429"} 0+3x20`},
		[]string{`recarga_distributor_requests_total{call="purchase",status="429"} 0+1x20`},
	},
	"RecargaAtConcurrency": {
		[]string{
			`recarga_purchases_in_flight{instance="a"} 64x11`,
			`recarga_setting{name="distributor_concurrency",instance="a"} 64x11`,
		},
		[]string{
			`recarga_purchases_in_flight{instance="a"} 64x20`,
			`recarga_setting{name="distributor_concurrency",instance="a"} 128x20`,
			`recarga_setting{name="distributor_concurrency",instance="b"} 1x20`,
		},
	},
	"RecargaWebhooksLate": {
		[]string{`recarga_event_due_oldest_age_seconds 0+60x11`},
		[]string{`recarga_event_due_oldest_age_seconds 0+60x6 0x9`},
	},
	// One failure an hour, of another event each time, is no receiver that is down: each was delivered by its next try.
	"RecargaReceiverDown": {
		[]string{
			`recarga_event_undelivered_oldest_age_seconds 0+60x36`, `recarga_webhook_tries_total{outcome="failed"} 3x36`,
		},
		[]string{
			`recarga_event_undelivered_oldest_age_seconds 0+60x5 0x50 0+60x5 0x50`,
			`recarga_events{state="pending"} 1x110`, `recarga_webhook_tries_total{outcome="failed"} 0x5 1x50 2x50`,
		},
	},
	"RecargaWebhooksExhausted": {
		counted(`recarga_webhook_tries_total{outcome="exhausted",instance="a"}`, `2x10 3x10`),
		counted(`recarga_webhook_tries_total{outcome="exhausted",instance="a"}`, `2x20`),
	},
	"RecargaEndpointFailing": {
		[]string{`recarga_webhook_endpoints_failing{share="0.5"} 1x6`},
		[]string{`recarga_webhook_endpoints_failing{share="0.5"} 0x20`},
	},
	"RecargaEndpointDisabled": {
		[]string{`recarga_webhook_endpoints_disabled 1`}, []string{`recarga_webhook_endpoints_disabled 0x9`},
	},
	"RecargaQueuePaused": {
		[]string{`recarga_queue_paused{queue="topups"} 1x6`},
		[]string{`recarga_queue_paused{queue="topups"} 1x4 0x9`},
	},
	"RecargaPaused": {
		[]string{`recarga_pauses{kind="operator",instance="a"} 0x5 1x61`, `recarga_pauses{kind="operator",instance="b"} _x67`},
		[]string{`recarga_pauses{kind="operator"} 1x58 0x9`, `recarga_pauses{kind="caller"} 0x58 1x9`,
			`recarga_pauses{kind="purchases"} 1x67`}, // RecargaQueuePaused
	},
	"RecargaQueueUnserved": {
		[]string{`recarga_queue_servers{queue="topups"} 0x3`, `recarga_queue_servers{queue="webhooks"} 1x3`},
		[]string{`recarga_queue_servers{queue="topups",instance="a"} 0x9`,
			`recarga_queue_servers{queue="topups",instance="b"} 1x9`},
	},
	"RecargaTasksRefused": {
		counted(`recarga_tasks_refused_total{reason="unsigned",instance="a"}`, `0x20 1x9`),
		counted(`recarga_tasks_refused_total{reason="invalid",instance="a"}`, `0x20 1x9`),
	},
	"RecargaRedisTampered": {
		counted(`recarga_redis_rejected_total{kind="token",instance="a"}`, `0x20 1x9`),
		counted(`recarga_redis_rejected_total{kind="token",instance="a"}`, `1x29`),
	},
	"RecargaTasksStuck": {
		[]string{`recarga_queue_stuck_tasks{queue="topups"} 1x6`},
		[]string{`recarga_queue_stuck_tasks{queue="topups"} 1x3 0x9`},
	},
	"RecargaSweepStuck": {
		[]string{`recarga_sweep_timestamp_seconds{instance="a"} 1767225600x9`}, // as the series begin
		[]string{`recarga_sweep_timestamp_seconds{instance="a"} 1767225600+60x20`},
	},
	"RecargaRedisDown": {
		[]string{`recarga_dependency_up{dependency="redis",instance="a"} 0x2`,
			`recarga_dependency_up{dependency="redis",instance="b"} 1x2`},
		[]string{`recarga_dependency_up{dependency="redis"} 1x9`, `recarga_dependency_up{dependency="distributor"} 0x9`},
	},
	"RecargaRedisFull": {
		[]string{`recarga_redis_memory_bytes{kind="used"} 91x6`, `recarga_redis_memory_bytes{kind="max"} 100x6`},
		[]string{`recarga_redis_memory_bytes{kind="used"} 91x9`},
	},
	"RecargaDatabaseDown": {
		[]string{`recarga_dependency_up{dependency="database"} 0x2`},
		[]string{`recarga_dependency_up{dependency="database"} 1x9`},
	},
	"RecargaJournalFails": {
		counted(`recarga_journal_commit_errors_total{instance="a"}`, `3x20 4x9`),
		counted(`recarga_journal_commit_errors_total{instance="a"}`, `3x29`),
	},
	"RecargaArchiveFails": {
		counted(`recarga_archive_errors_total{instance="a"}`, `3x20 4x9`),
		counted(`recarga_archive_errors_total{instance="a"}`, `3x29`),
	},
	"RecargaJournalSlow": {slow(20, 9), slow(1, 999)},
	"RecargaClockSkew": {
		[]string{`recarga_clock_skew_seconds{instance="a"} 0x20`, `recarga_clock_skew_seconds{instance="b"} -6x20`},
		[]string{`recarga_clock_skew_seconds{instance="a"} -4x20`},
	},
	"RecargaKeysGuessed": {
		[]string{`recarga_auth_failures_total{where="api",reason="wrong_key"} 0+30x9`},
		[]string{`recarga_auth_failures_total{where="api",reason="wrong_key"} 0+9x9`,
			`recarga_auth_failures_total{where="api",reason="disabled"} 0+900x9`},
	},
}

// slow are commits of which so many a minute take a second, and the others 10 ms.
func slow(slow, quick int) (series []string) {
	for le, n := range map[string]int{"0.01": quick, "0.5": quick, "1": quick + slow, "+Inf": quick + slow} {
		series = append(series, fmt.Sprintf(`recarga_journal_commit_seconds_bucket{le=%q} 0+%dx20`, le, n))
	}
	return series
}

// TestAlerts: Prometheus itself fires each alert on what it is for, and only that one; and on what comes near to it,
// none.
func TestAlerts(t *testing.T) {
	t.Parallel()
	var question struct {
		Rules, Always string
		Cases         [][]string
	}
	question.Rules = read(t, "../../deploy/alerts.yml")
	question.Always = `recarga_role{role="worker",instance="always"} 1x140` // or RecargaNoWorker fires as well
	all, named := alerts(t), map[string]string{}
	for _, a := range all {
		s, there := scenes[a.Alert]
		if !there {
			t.Fatalf("%s has no scene", a.Alert)
		}
		question.Cases = append(question.Cases, s.fires, s.rests)
		for _, series := range slices.Concat(s.fires, s.rests) {
			named[a.Alert+" on "+series], _, _ = strings.Cut(series, " ")
		}
	}
	for _, wrong := range knowledge(t).judge(t, named) {
		t.Error(wrong)
	}
	var fired [][]string
	if err := prometheus(t, "alerts", question, &fired); err != nil {
		t.Fatal(err)
	}
	for i, a := range all {
		if got := fired[2*i]; !slices.Equal(got, []string{a.Alert}) {
			t.Errorf("%s: these fire: %q", a.Alert, got)
		}
		if got := fired[2*i+1]; len(got) > 0 {
			t.Errorf("%s: although all is well enough, these fire: %q", a.Alert, got)
		}
	}
}

// TestOpenMetrics: /metrics can be read as OpenMetrics, which names a counter without its _total: no two metrics have
// one name then.
func TestOpenMetrics(t *testing.T) {
	t.Parallel()
	m := metrics.New("v", []string{"worker"}, []topup.Code{"91", "96"})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	page, err := io.ReadAll(w.Result().Body)
	if err != nil || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/openmetrics-text") {
		t.Fatalf("%s, %v", w.Header().Get("Content-Type"), err)
	}
	kinds := map[string]string{}
	if err := prometheus(t, "openmetrics", string(page), &kinds); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, d := range m.Definitions() {
		name := strings.TrimSuffix(d.Name, "_total")
		if names[name] || (d.Kind == "counter") != strings.HasSuffix(d.Name, "_total") {
			t.Errorf("%s is no name of a %s of its own", d.Name, d.Kind)
		}
		if names[name] = true; kinds[name] != "" && kinds[name] != d.Kind {
			t.Errorf("%s is a %s, and read as a %s", d.Name, d.Kind, kinds[name])
		}
	}
	if kinds["recarga_orders_accepted"] != "counter" {
		t.Errorf("of the page was read: %v", kinds)
	}
	if err := prometheus(t, "openmetrics", "# TYPE a counter\na_total 1\n# TYPE a gauge\na 1\n# EOF\n", &kinds); err == nil {
		t.Error("two metrics of one name are taken")
	}
}
