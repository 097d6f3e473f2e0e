package distributor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDeviations(t *testing.T) {
	for _, c := range []struct {
		call, body string
		want       []string
	}{
		{"login", `{"success":true,"access_token":"a","refresh_token":"b","token_type":"Bearer","expires_in":3600}`, nil},
		{"login", `{"success":true,"access_token":"","refresh_token":null,"token_type":"bearer","expires_in":"3600"}`,
			[]string{"access_token is not a text", "refresh_token is not a text", "token_type is not Bearer",
				"expires_in is not a number"}},
		{"balance", `{"success":true,"balance":1000.00,"currency":"USD","last_updated":"2024-12-17T00:00:00.000Z"}`, nil},
		{"balance", `{"success":"true","balance":"1","last_updated":1734393600}`,
			[]string{"success is not true", "balance is not a number", "currency is missing", "last_updated is not a time"}},
		{"error", `{"success":false,"error":"Invalid token"}`, nil},
		{"error", `{"message":"Invalid token"}`, []string{"success is missing", "error is missing"}},
		{"error", "<html>", []string{"it is not a JSON object"}},
		{"balance", "[]", []string{"it is not a JSON object"}},
	} {
		if diff := cmp.Diff(c.want, Deviations(c.call, []byte(c.body))); diff != "" {
			t.Errorf("%s %s: %s", c.call, c.body, diff)
		}
	}
}
