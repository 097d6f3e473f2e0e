package story

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// TestOf: a held order that a person let go on, as an administrator sees it and as its caller does.
func TestOf(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	finished, refused := at(3), 500
	d := topup.Details{
		Order: topup.Order{Caller: "shop", State: topup.StateRetrying, WaitsFor: topup.NullString(topup.WaitBalance),
			CreatedAt: at(1), UpdatedAt: at(6)},
		Attempts: []topup.Attempt{{Number: 1, StartedAt: at(2), FinishedAt: &finished, Outcome: topup.OutcomeUnknown,
			Evidence: "request written; balance before: 10"}, {Number: 2, StartedAt: at(6)}},
		Events: []topup.Event{{ID: "EV", Type: topup.EventTypeOf(topup.StateUnknown), Sequence: 1, State: topup.EventExhausted, CreatedAt: at(3),
			Tries: []topup.Try{{At: at(4), Status: &refused, DurationMS: 7, Response: &topup.TryResponse{
				Headers: map[string]string{"server": "cloudflare", "cf-mitigated": "challenge"}, Body: "<h1>\n\tOops</h1>"}}}}},
		Resolutions: []topup.Resolution{{At: at(5), Outcome: topup.ResolvedResend, By: "ana", Reason: "not charged"}},
	}
	want := [][]string{
		{"open", "Accepted", "from shop"},
		{"doubt", "Attempt 1", "unknown", "request written", "balance before: 10"},
		{"plain", "Event " + string(topup.EventTypeOf(topup.StateUnknown)), "#1 for endpoint default: exhausted"},
		{"bad", "Webhook try 1", "refused, HTTP 500", "answer: cf-mitigated: challenge; server: cloudflare",
			"answer: <h1> Oops</h1>"},
		{"plain", "Resolved as resend", "by ana: not charged"},
		{"open", "Attempt 2", "under way"},
		{"open", "Now retrying", "", "waits: the balance at the distributor is too low"},
	}
	for _, caller := range []bool{false, true} {
		if caller { // its key sees less
			d.Resolutions[0].By, d.Events[0].State, d.Events[0].CreatedAt = "", "", time.Time{}
			want[2][2], want[4][2] = "#1 for endpoint default", ""
		}
		steps := Of(d)
		if len(steps) != len(want) {
			t.Fatalf("got %d steps, want %d: %+v", len(steps), len(want), steps)
		}
		for n, s := range steps {
			if got := append([]string{s.Kind, s.Title, s.Text}, s.Lines...); !slices.Equal(got, want[n]) {
				t.Errorf("step %d is %q, want %q", n, got, want[n])
			}
		}
		if steps[1].Took != time.Second || steps[3].Took != 7*time.Millisecond || steps[2].Event != "EV" {
			t.Errorf("times or the event are wrong: %+v", steps)
		}
	}
}

// TestOfActions: the life of an order says who did what to it, once each; what the order has a record of is not said
// again.
func TestOfActions(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	steps := Of(topup.Details{
		Order:       topup.Order{Caller: "shop", State: topup.StateCanceled, CreatedAt: at(2)},
		Resolutions: []topup.Resolution{{At: at(4), Outcome: topup.ResolvedResend, By: "ana", Reason: "not charged"}},
		Actions: []topup.Action{
			{At: at(1), By: "ana", Action: "placeTopup"},
			{At: at(3), By: "ana", Action: "holdTopup", Reason: "a wrong number"},
			{At: at(4), By: "ana", Action: "resolveTopup", Reason: "not charged"},
			{At: at(5), By: "shop", Action: "cancelTopup"},
			{At: at(6), By: "luis", Action: "redeliverEvent", On: "EV", Reason: "the shop was down"},
			{At: at(7), By: "luis", Action: "somethingNew"},
		},
	})
	want := [][]string{
		{"Accepted", "from shop"}, {"Placed for the caller", "by ana"}, {"Held back", "by ana: a wrong number"},
		{"Resolved as resend", "by ana: not charged"}, {"Canceled", "by shop"},
		{"Event sent again", "by luis: the shop was down", "event EV"}, {"somethingNew", "by luis"},
	}
	var got [][]string
	for _, s := range steps {
		got = append(got, append([]string{s.Title, s.Text}, s.Lines...))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestOfTries: each try says what it came to, so that nobody takes a refusal for a delivery.
func TestOfTries(t *testing.T) {
	for status, want := range map[int]string{
		0: "failed", 200: "delivered, HTTP 200", 204: "delivered, HTTP 204", 302: "refused, HTTP 302",
		403: "refused, HTTP 403", 503: "refused, HTTP 503",
	} {
		try := topup.Try{}
		if status != 0 {
			try.Status = &status
		}
		steps := Of(topup.Details{Order: topup.Order{State: topup.StateFailed},
			Events: []topup.Event{{Tries: []topup.Try{try}}}})
		if got := steps[len(steps)-1]; got.Text != want || (got.Kind == "good") != try.Delivered() {
			t.Errorf("status %d: %s, %q; want %q", status, got.Kind, got.Text, want)
		}
	}
}
