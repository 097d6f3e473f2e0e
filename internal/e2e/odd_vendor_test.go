package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"recarga/internal/sandbox"
	"recarga/topup"
)

// TestOddVendor: a vendor of one session whose logins say no life, and whose answers keep to no document,
// serves every order with one login.
func TestOddVendor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *sandbox.Config) {
		c.OneSession = true
		c.OddAnswers = map[string]sandbox.OddAnswer{
			"login":       {Status: 201, Omit: []string{"expires_in", "success"}},
			"get_balance": odd(`{"balance":"1,000.00","last_updated":"N/A","currency":null}`),
			"product_purchase": odd(`{"balance_after":"N/A","reference":12345678901234567890123,"auth_code":{"a":1},
				"success":"true","response_message":"Aprobado\u202e\u001b[31m"}`),
		}
	})
	vendor := w.counted(t)
	c := clientOf(w.start(t, "serve").apiURL, adminKey) // evidence is the operator's
	for i := range 5 {
		id := fmt.Sprint("ODD-", i)
		place(t, c, order(id, "5537686660"))
		got := settled(t, c, topup.ID(id))
		if got.State != topup.StateSucceeded || got.AttemptCount != 1 || got.Reference != "12345678901234567890123" ||
			got.AuthCode != "" ||
			got.BalanceAfter != nil || got.ResponseMessage != "Aprobado[31m" {
			t.Errorf("%+v", got.Order)
		}
		if evidence := got.Attempts[0].Evidence; !strings.Contains(evidence, "balance_after") ||
			!strings.Contains(evidence, "auth_code") {
			t.Errorf("the attempt does not say what was left out: %q", evidence)
		}
		w.notified(t, got)
	}
	if logins, refused := vendor.of(http.StatusCreated), vendor.of(http.StatusUnauthorized); logins != 1 || refused != 0 {
		t.Errorf("%d logins and %d refusals, want one and none", logins, refused)
	}
}

func odd(set string) (o sandbox.OddAnswer) {
	if err := json.Unmarshal([]byte(`{"set":`+set+`}`), &o); err != nil {
		panic(err)
	}
	return o
}

// TestVendorSwitchesProtocols: an answer of 101 is an unknown at once, and the program stops as ever.
func TestVendorSwitchesProtocols(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *sandbox.Config) {
		c.OddAnswers = map[string]sandbox.OddAnswer{"product_purchase": {Status: http.StatusSwitchingProtocols}}
	})
	w.env["RECARGA_DISTRIBUTOR_TIMEOUT"], w.env["RECARGA_SHUTDOWN_TIMEOUT"] = "10m", "11m"
	p := w.start(t, "serve")
	place(t, p.client(), order("SWITCH-1", "5537686660"))
	if got := settled(t, p.client(), "SWITCH-1"); got.State != topup.StateUnknown || w.charges()[got.ID] != 1 {
		t.Errorf("%+v", got)
	}
	if code := p.terminate(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}
