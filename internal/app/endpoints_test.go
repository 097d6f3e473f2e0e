package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/config"
	"recarga/topup"
	"recarga/webhook"
)

// TestEndpointsOfTheSettings: the former secrets sign beside the present one, each for its own endpoint.
func TestEndpointsOfTheSettings(t *testing.T) {
	e := endpoints{s: config.Settings{
		CallbackURL: "https://shop.example", WebhookSecret: "new", FormerWebhookSecrets: []string{"old"},
		OperatorCallbackURL: "https://ops.example", OperatorWebhookSecret: "a", FormerOperatorSecrets: []string{"b", "c"},
	}}
	for caller, want := range map[string]webhook.Endpoint{
		topup.DefaultCaller:  {URL: "https://shop.example", Secrets: []string{"new", "old"}},
		topup.OperatorCaller: {URL: "https://ops.example", Secrets: []string{"a", "b", "c"}},
	} {
		got, err := e.Endpoints(t.Context(), caller)
		if diff := cmp.Diff([]webhook.Endpoint{want}, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", caller, err, diff)
		}
	}
	if _, err := (endpoints{}).Endpoints(t.Context(), topup.OperatorCaller); err == nil {
		t.Error("an operator without a secret has an endpoint")
	}
}
