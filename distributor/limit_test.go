package distributor

import (
	"testing"

	"recarga/topup"
)

// TestLimitOfOneOrder: a limit of one number or customer delays nobody else, and the general rate limit
// never passes for one.
func TestLimitOfOneOrder(t *testing.T) {
	for _, c := range []struct {
		body string
		want bool
	}{
		{`{"success":false,"error":"Limit reached","daily_limit_mxn":500,"spent_today_mxn":490}`, true},
		{"\ufeff" + `{"daily_limit_mxn":"500.00"}`, true},
		{`{"dailyLimitMXN":500,"x":1e999}`, true},
		{`{"error":{"code":"LIMIT","details":[{"phone_limit":3}]}}`, true},
		{`{"limite_diario":500}`, true},
		{`{"success":false,"error":"Límite diario del número excedido"}`, true},
		{`{"error":"CUSTOMER_DAILY_LIMIT_EXCEEDED"}`, true},
		{`{"success":false,"error":"Too many requests"}`, false},
		{`{"error":"Rate limit exceeded","limit":200,"remaining":0,"reset":30}`, false},
		{`{"rate_limit":200,"customer_rate_limit":100,"daily_request_limit":5000}`, false},
		{`{"error":"Daily limit of requests reached"}`, false},
		{`{"daily_limit_mxn":null,"phone_limit":false}`, false},
		{`{"unlimited_number":1}`, false},
		{`<html>daily limit of this number</html>`, false},
		{``, false},
	} {
		got := classify(answer{status: 429, body: []byte(c.body)}, own, topup.DefaultRetryCodes())
		if got.Outcome != topup.OutcomeNotSent || got.LimitedOrder != c.want {
			t.Errorf("429 %s is %s, of one order: %v, want %v", c.body, got.Outcome, got.LimitedOrder, c.want)
		}
	}
	for _, status := range []int{200, 400, 401, 402, 500} {
		got := classify(answer{status: status, body: []byte(`{"success":false,"daily_limit_mxn":500}`)}, own,
			topup.DefaultRetryCodes())
		if got.LimitedOrder {
			t.Errorf("HTTP %d: %+v", status, got)
		}
	}
}
