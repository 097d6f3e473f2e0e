package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"recarga/topup"
)

// TestConclusions: the operator sees of an unknown order what is probable, in each place; its caller does not, because
// it shows others. The order's tag does not change with it.
func TestConclusions(t *testing.T) {
	s := serve(t)
	before := json.Number("1000.00")
	s.unknown("SOLD", topup.Result{Outcome: topup.OutcomeApproved, HTTPStatus: 200, Code: "00", BalanceAfter: &before})
	s.unknown("HELD", topup.Result{Outcome: topup.OutcomeUnknown, Evidence: "request written; HTTP status 0; answer \"\""})
	head, rows := cells(t, s.export(""))
	if got := [2]string{rows[0]["conclusion"], rows[1]["conclusion"]}; got != [2]string{"", string(topup.CallUnclear)} {
		t.Errorf("the export concludes %q, of %q", got, head)
	}
	for _, line := range strings.Split(string(s.export("format=ndjson").want(http.StatusOK).body), "\n") {
		if strings.Contains(line, `"conclusion":{"call":"unclear"`) != strings.Contains(line, `"HELD"`) {
			t.Errorf("the export says %s", line)
		}
	}
	for _, path := range []string{"/v1/topups", "/v1/topups?state=unknown", "/v1/search?q=HELD", "/v1/topups/HELD"} {
		body := string(s.get(adminKey, path).want(http.StatusOK).body)
		for _, want := range []string{`"conclusion":{"call":"unclear","reasons":["attempt 1: request written`, "no balance is known from after"} {
			if strings.Count(body, want) != 1 {
				t.Errorf("%s does not say %s once: %s", path, want, body)
			}
		}
		if body := string(s.get(shopKey, path).want(http.StatusOK).body); strings.Contains(body, "conclusion") {
			t.Errorf("a caller sees %s: %s", path, body)
		}
	}
	for _, key := range []string{adminKey, shopKey} {
		tag := s.get(key, "/v1/topups/HELD").header.Get("ETag")
		s.send(http.MethodGet, "/v1/topups/HELD", "", "Authorization", "Bearer "+key, "If-None-Match", tag).want(http.StatusNotModified)
	}
}

// unknown has an order end with a result, as the worker would.
func (s *server) unknown(id topup.ID, r topup.Result) {
	s.tb.Helper()
	s.place(string(id)).want(http.StatusAccepted)
	now := time.Now()
	_, err := s.journal.Begin(s.tb.Context(), id, 0, "worker", now.Add(time.Minute), now)
	state := topup.StateUnknown
	if r.Outcome == topup.OutcomeApproved {
		state = topup.StateSucceeded
	}
	if err == nil {
		_, _, err = s.journal.Finish(s.tb.Context(), topup.Settlement{ID: id, Number: 1, State: state, Result: r}, now)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
}
