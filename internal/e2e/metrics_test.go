package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"recarga/internal/testkit"
	"recarga/topup"
)

// page is what a process answers to GET path at its metrics address.
func (p *process) page(t testing.TB, path string) (status int, body string) {
	t.Helper()
	return ask(t, http.MethodGet, p.metricsURL+path, "")
}

// metric is the value of one series; not ok when there is none.
func (p *process) metric(t testing.TB, series string) (value float64, ok bool) {
	t.Helper()
	_, body := p.page(t, "/metrics")
	for line := range strings.Lines(body) {
		text, found := strings.CutPrefix(strings.TrimSpace(line), series+" ")
		if !found {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return value, true
	}
	return 0, false
}

// TestMetrics: what becomes of orders is counted, from the request to the webhook.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_RETRY_MAX_ATTEMPTS"] = "2"
	p := w.start(t, "serve")
	for id, phone := range map[string]topup.Phone{
		"M-1": "5537686660", "M-2": "5500000051", "M-3": "5500000091", "M-4": "5500000501", "M-5": "5537686661",
	} {
		place(t, p.client(), order(id, phone))
		settled(t, p.client(), topup.ID(id))
	}
	for id := range map[string]bool{"M-1": true, "M-2": true, "M-3": true, "M-4": true, "M-5": true} {
		w.notified(t, get(t, p.client(), topup.ID(id)))
	}
	if _, err := p.client().Balance(t.Context()); err != nil {
		t.Fatal(err)
	}
	for series, want := range map[string]float64{
		`recarga_orders_accepted_total`:                                                      5,
		`recarga_orders_finished_total{code="00",reason="none",state="succeeded"}`:           2,
		`recarga_orders_finished_total{code="51",reason="declined",state="failed"}`:          1,
		`recarga_orders_finished_total{code="91",reason="retries_exhausted",state="failed"}`: 1,
		`recarga_orders_held_total`:                                                          1,
		`recarga_attempts_total{code="00",outcome="approved"}`:                               2,
		`recarga_attempts_total{code="91",outcome="unavailable"}`:                            2,
		`recarga_attempts_total{code="none",outcome="unknown"}`:                              1,
		`recarga_order_first_attempt_seconds_count`:                                          5,
		`recarga_order_seconds_count{state="succeeded"}`:                                     2,
		`recarga_purchase_seconds_count{outcome="approved"}`:                                 2,
		`recarga_purchase_seconds_count{outcome="unknown"}`:                                  1,
		`recarga_purchases_in_flight`:                                                        0,
		`recarga_distributor_requests_total{call="login",status="2xx"}`:                      1,
		`recarga_distributor_requests_total{call="purchase",status="402"}`:                   1,
		`recarga_distributor_balance{currency="USD"}`:                                        99970, // M-4 was charged
		`recarga_orders{state="succeeded"}`:                                                  2,
		`recarga_orders{state="unknown"}`:                                                    1,
		`recarga_events{state="exhausted"}`:                                                  0,
		`recarga_webhook_endpoints_disabled`:                                                 0,
		`recarga_http_requests_total{route="POST /v1/topups",status="202"}`:                  5,
		`recarga_http_request_seconds_count{route="POST /v1/topups"}`:                        5,
		`recarga_journal_commit_errors_total`:                                                0,
		`recarga_role{role="worker"}`:                                                        1,
		`recarga_setting{name="retry_max_attempts"}`:                                         2,
		`recarga_webhook_disablements_total`:                                                 0,
		`recarga_out_of_balance_total`:                                                       1,
		`recarga_queue_errors_total{kind="order"}`:                                           0,
		`recarga_orders_finished_total{code="none",reason="expired",state="failed"}`:         0,
	} {
		if got, ok := p.metric(t, series); got != want || !ok {
			t.Errorf("%s is %v (there: %t), want %v", series, got, ok, want)
		}
	}
	// Recorded a moment after the receiver has answered.
	testkit.Eventually(t, patience, func() bool {
		delivered, _ := p.metric(t, `recarga_webhook_tries_total{outcome="delivered"}`)
		return delivered == 5
	}, "five deliveries are counted")
	if held, _ := p.metric(t, "recarga_unknown_oldest_age_seconds"); held <= 0 {
		t.Errorf("the unknown order has been held for %v s", held)
	}
}
