package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestUnknownIsSettledByAPerson: a held order has its evidence, its caller is notified that it is held, and the
// command settles it, once, with who and why; the caller is notified again.
func TestUnknownIsSettledByAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	c := clientOf(p.apiURL, adminKey) // evidence is the operator's
	w.env["RECARGA_API_URL"] = p.apiURL
	settled(t, c, place(t, c, order("BEFORE", "5537686660")).ID)
	for id, phone := range map[string]topup.Phone{"CHARGED": "5500000501", "NOT-CHARGED": "5500000500"} {
		w.notified(t, settled(t, c, place(t, c, order(id, phone)).ID))
	}
	testkit.Eventually(t, patience, func() bool {
		return strings.Contains(get(t, c, "CHARGED").Attempts[0].Evidence, "balance before: ")
	}, "the balance is looked at")
	evidence := get(t, c, "CHARGED").Attempts[0].Evidence
	for _, part := range []string{"answer began", "HTTP status 500", "(order BEFORE, ", "after: 99",
		" others are unknown"} {
		if !strings.Contains(evidence, part) {
			t.Errorf("%q is not in the evidence %q", part, evidence)
		}
	}
	if out := w.run(t, "resolve", "NOT-CHARGED", "--as", "failed", "--reason", "not in the statement"); out.status != 1 ||
		!strings.Contains(out.stderr, "may still arrive") {
		t.Errorf("too early: %+v", out)
	}
	for id, args := range map[topup.ID][]string{
		"CHARGED":     {"--as", "succeeded", "--transaction-id", "TXN-9"},
		"NOT-CHARGED": {"--as", "failed", "--force"},
	} {
		args = append([]string{"resolve", string(id), "--json", "--by", "ana", "--reason", "the statement of 22 November"},
			args...)
		out := w.run(t, args...)
		var o topup.Order
		if err := json.Unmarshal([]byte(out.stdout), &o); out.status != 0 || err != nil || !o.State.Final() {
			t.Fatalf("%v: %+v", args, out)
		}
		d := get(t, c, id)
		judge(t, d, w.charges()[id])
		w.notified(t, d)
		if len(d.Resolutions) != 1 || d.Resolutions[0].By != "ana" || d.Resolutions[0].Forced != (id == "NOT-CHARGED") {
			t.Errorf("%s: %+v", id, d.Resolutions)
		}
		if again := w.run(t, args...); again != out {
			t.Errorf("again: %+v", again)
		}
		if other := w.run(t, append(args, "--by", "eva")...); other.status != 1 ||
			!strings.Contains(other.stderr, "resolve is not possible") {
			t.Errorf("by another: %+v", other)
		}
		if again := get(t, c, id); len(again.Resolutions) != 1 || len(again.Events) != len(d.Events) {
			t.Errorf("a repeat did something: %+v", again)
		}
		if shown := w.run(t, "get", string(id)); !strings.Contains(shown.stdout, "by ana: the statement of 22 November") {
			t.Errorf("get: %s", shown.stdout)
		}
	}
	for wrong, args := range map[string][]string{
		"--as": {"--as", "paid", "--reason", "said so"}, "reason": {"--as", "failed", "--reason", " "},
	} {
		out := w.run(t, append([]string{"resolve", "CHARGED"}, args...)...)
		if out.status != 2 || !strings.Contains(out.stderr, wrong) {
			t.Errorf("wrong %s: %+v", wrong, out)
		}
	}
}

// TestResendWhereTheVendorDeduplicates: with the promise of a distributor that knows a repeated id again,
// what is unknown is sent again, and is charged once.
func TestResendWhereTheVendorDeduplicates(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, func(c *sandbox.Config) { c.RepeatedID = sandbox.RepeatReplay })
	w.env["RECARGA_ON_UNKNOWN"] = "resend"
	c := w.start(t, "serve").client()
	for id, phone := range map[string]topup.Phone{"LOST-ANSWER": "5500000502", "NO-JSON": "5500000200"} {
		o := settled(t, c, place(t, c, order(id, phone)).ID)
		judge(t, o, w.charges()[o.ID])
		if o.AttemptCount < 2 {
			t.Errorf("%s was not sent again: %s after %d attempts", id, o.State, o.AttemptCount)
		}
		w.notified(t, o)
	}
}
