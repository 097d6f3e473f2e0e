package topup_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/testkit"
	"recarga/topup"
)

// callersSee is all that a caller sees of an order. Whoever adds a field to an order, an attempt, an event or a
// decision decides here whether it concerns its caller, or is the operator's.
var callersSee = strings.Fields(`
	distributor_transaction_id caller state reason phone_number product_id amount currency operator priority metadata.key
	attempt_count response_code response_message transaction_id reference auth_code balance_after created_at updated_at
	process_at expires_at next_attempt_at finished_at waits_for disputed_at
	attempts.number attempts.started_at attempts.finished_at attempts.outcome attempts.http_status attempts.response_code
	attempts.response_message attempts.error attempts.probe
	events.id events.type events.sequence events.endpoint events.delivered_at
	events.tries.at events.tries.status events.tries.error events.tries.duration_ms
	events.tries.response.headers.key events.tries.response.body
	resolutions.outcome resolutions.at resolutions.attempt
	resolutions.transaction_id resolutions.reference resolutions.auth_code
	corrections.outcome corrections.at corrections.was corrections.was_transaction_id
	corrections.transaction_id corrections.reference corrections.auth_code`)

// rewritten are the fields that a caller sees in other words.
var rewritten = []string{"attempts.error", "events.tries.error"}

// TestCallersView fills every field of an order with a value of its own, and looks for them in what its caller sees.
func TestCallersView(t *testing.T) {
	var d topup.Details
	testkit.Fill(&d)
	seen := leaves(t, d.ForCaller())
	whole := leaves(t, d)
	got := slices.Sorted(maps.Keys(seen))
	if diff := cmp.Diff(slices.Sorted(slices.Values(callersSee)), got); diff != "" {
		t.Errorf("a caller sees other fields than those of the list: %s", diff)
	}
	for path, value := range seen {
		if slices.Contains(rewritten, path) == cmp.Equal(value, whole[path]) {
			t.Errorf("%s is %v, and %v to the operator", path, value, whole[path])
		}
	}
	for path, value := range whole {
		_, ok := seen[path]
		if _, flag := value.(bool); flag || ok && !slices.Contains(rewritten, path) {
			continue // of two flags nobody knows which is which
		}
		for shown, v := range seen {
			if strings.Contains(fmt.Sprint(v), fmt.Sprint(value)) {
				t.Errorf("what is hidden as %s is shown as %s: %v", path, shown, v)
			}
		}
	}
	var none topup.Details
	if diff := cmp.Diff(none, none.ForCaller()); diff != "" {
		t.Errorf("of nothing a caller sees something: %s", diff)
	}
}

// TestWebhooksShowNoMore: the body of a webhook has the order as its caller sees it.
func TestWebhooksShowNoMore(t *testing.T) {
	var o topup.Order
	testkit.Fill(&o)
	ev, err := topup.NewEvent("evt", topup.EventCorrected, o, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var body struct{ Data map[string]any }
	if err := json.Unmarshal(ev.Body, &body); err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	view, err := json.Marshal(o.ForCaller())
	if err == nil {
		err = json.Unmarshal(view, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	want["sequence"] = 1.0
	if diff := cmp.Diff(want, body.Data); diff != "" {
		t.Error(diff)
	}
}

// TestDeliveryErrors: of an error a caller sees one of a few sentences, whatever is in it.
func TestDeliveryErrors(t *testing.T) {
	for err, want := range map[topup.NullString]topup.NullString{
		"": "",
		"dial tcp 10.11.12.13:443: connect: connection refused":                   "connection refused",
		"lookup shop.internal: no such host":                                      "its host name was not found",
		"the endpoint is disabled: ana says that they do not pay":                 "the endpoint is disabled",
		"no answer within 15s":                                                    "no answer in time",
		"dial tcp 10.11.12.13:443: i/o timeout":                                   "no answer in time",
		"tls: failed to verify certificate: x509: certificate signed by unknown":  "its TLS certificate was not accepted",
		"read tcp 10.0.0.7:5123->10.11.12.13:443: read: connection reset by peer": "the connection was closed",
		"something new at worker-7":                                               "the request failed",
	} {
		if got := (topup.Try{Error: err}).ForCaller().Error; got != want {
			t.Errorf("%q is shown as %q, want %q", err, got, want)
		}
	}
}

// leaves are the values in a thing's JSON by their paths; what is null or no value is left out.
func leaves(t *testing.T, of any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(of)
	var parsed any
	if err == nil {
		err = json.Unmarshal(raw, &parsed)
	}
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]any{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				walk(strings.TrimPrefix(path+"."+name, "."), value)
			}
		case []any:
			for _, value := range v {
				walk(path, value)
			}
		case nil:
		default:
			found[path] = v
		}
	}
	walk("", parsed)
	return found
}
