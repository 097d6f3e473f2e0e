package journal_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// testResolve: every verdict, before and after the attempt's deadline, forced or not.
func testResolve(t *testing.T, s store) {
	const deadline = time.Minute
	cases := []struct {
		verdict topup.Verdict
		after   time.Duration
		forced  bool
		want    string
	}{
		{topup.VerdictSucceeded, 0, false, "ok"},
		{topup.VerdictFailed, 0, false, "too early"},
		{topup.VerdictFailed, deadline - time.Microsecond, false, "too early"},
		{topup.VerdictFailed, deadline, false, "ok"},
		{topup.VerdictFailed, 0, true, "ok"},
		{topup.VerdictResend, 0, false, "too early"},
		{topup.VerdictResend, deadline, false, "ok"},
		{topup.VerdictResend, 0, true, "ok"},
	}
	for i, c := range cases {
		id := "R" + string(rune('A'+i))
		o := s.accept(t, id)
		o, err := s.Begin(t.Context(), o.ID, 0, workerName, noon.Add(deadline), noon)
		must(t, err)
		s.finish(t, settlement(o, topup.StateUnknown))
		r := topup.Resolution{Outcome: c.verdict, Reason: "the statement says so", By: "ana", Forced: c.forced, Attempt: 1}
		if c.verdict == topup.VerdictSucceeded {
			r.TransactionID, r.Reference, r.AuthCode = "TXN-9", "RRN-9", "A9"
		}
		at := noon.Add(c.after)
		after, ev, err := s.Resolve(t.Context(), o.ID, r, at)
		if kind(err) != c.want {
			t.Errorf("%s %s: %v, want %s", id, c.verdict, err, c.want)
			continue
		}
		stored, err := s.Details(t.Context(), o.ID)
		must(t, err)
		if c.want != "ok" {
			if stored.State != topup.StateUnknown || len(stored.Resolutions) > 0 || ev != nil {
				t.Errorf("%s: refused, and yet %+v", id, stored)
			}
			continue
		}
		checkMoved(t, c.verdict.State(), after, ev, err, stored)
		r.At = at
		if diff := cmp.Diff([]topup.Resolution{r}, stored.Resolutions); diff != "" {
			t.Error(diff)
		}
		if c.verdict == topup.VerdictSucceeded && (after.TransactionID != "TXN-9" || after.Reference != "RRN-9" || after.AuthCode != "A9") {
			t.Errorf("receipts of the statement: %+v", after)
		}
		if c.verdict == topup.VerdictFailed && after.Reason != topup.ReasonResolved {
			t.Errorf("reason %q", after.Reason)
		}
		testResolveRepeated(t, s, r, stored)
	}
	testResolveRefused(t, s)
}

// testResolveRepeated: whoever did not hear the answer may ask again, for the very same only.
func testResolveRepeated(t *testing.T, s store, r topup.Resolution, was topup.Details) {
	t.Helper()
	repeat := func(r topup.Resolution, want string) {
		t.Helper()
		o, ev, err := s.Resolve(t.Context(), was.ID, r, noon.Add(time.Hour))
		if kind(err) != want || ev != nil || err == nil && !cmp.Equal(o, was.Order) {
			t.Errorf("%s, resolved again as %+v: %+v, event %v, %v; want %s", was.ID, r, o, ev, err, want)
		}
	}
	repeat(r, "ok")
	reason, by, forced, verdict, receipt := r, r, r, r, r
	reason.Reason += "."
	by.By = "eva"
	forced.Forced = !r.Forced
	if verdict.Outcome = topup.VerdictResend; r.Outcome == topup.VerdictResend {
		verdict.Outcome = topup.VerdictFailed
	}
	verdict.TransactionID, verdict.Reference, verdict.AuthCode = "", "", ""
	receipt.Outcome, receipt.AuthCode = topup.VerdictSucceeded, "A8"
	for _, other := range []topup.Resolution{reason, by, forced, verdict, receipt} {
		repeat(other, "refused")
	}
	if now, err := s.Details(t.Context(), was.ID); err != nil || !cmp.Equal(was, now) {
		t.Errorf("a repeat changed the order: %v %s", err, cmp.Diff(was, now))
	}
	if was.State != topup.StateRetrying {
		return
	}
	o := s.begin(t, was.Order)
	was.Order = o
	repeat(r, "ok") // while it is being sent again
	s.finish(t, settlement(o, topup.StateUnknown))
	if again, _, err := s.Resolve(t.Context(), was.ID, r, noon.Add(time.Hour)); err != nil || again.State != topup.StateRetrying {
		t.Errorf("%s, unknown again and resolved: %s, %v", was.ID, again.State, err)
	}
}

func testResolveRefused(t *testing.T, s store) {
	t.Helper()
	because := func(v topup.Verdict) topup.Resolution { return topup.Resolution{Outcome: v, Reason: "why"} }
	if _, _, err := s.Resolve(t.Context(), "nobody", because(topup.VerdictFailed), noon); kind(err) != "not found" {
		t.Errorf("no such order: %v", err)
	}
	for _, f := range topup.StateTable() {
		if f.State == topup.StateUnknown {
			continue
		}
		o := s.inState(t, "not-"+string(f.State), f.State)
		for _, v := range []topup.Verdict{topup.VerdictSucceeded, topup.VerdictFailed, topup.VerdictResend} {
			if _, _, err := s.Resolve(t.Context(), o.ID, because(v), noon.Add(time.Hour)); kind(err) != "refused" {
				t.Errorf("%s from %s: %v", v, f.State, err)
			}
		}
	}
	for _, r := range []topup.Resolution{{Outcome: "paid", Reason: "why"}, {Outcome: topup.VerdictFailed}, {Outcome: topup.VerdictFailed, Reason: "why", Reference: "R"}} {
		if _, _, err := s.Resolve(t.Context(), "nobody", r, noon); len(topup.FieldErrors(err)) != 1 {
			t.Errorf("%+v: %v", r, err)
		}
	}
	until := noon.Add(time.Minute)
	r := request("expiring")
	r.ExpiresAt = &until
	o, _, err := s.Accept(t.Context(), r, noon)
	must(t, err)
	o = s.begin(t, o)
	s.finish(t, settlement(o, topup.StateUnknown))
	if _, _, err := s.Resolve(t.Context(), o.ID, because(topup.VerdictResend), until); len(topup.FieldErrors(err)) != 1 {
		t.Errorf("an expired order, to be sent again: %v", err)
	}
}

// testLateApproval: a worker that slept comes back with the proof of a purchase that a person has just
// asked to send again.
func testLateApproval(t *testing.T, s store) {
	o := s.begin(t, s.accept(t, "late"))
	s.finish(t, settlement(o, topup.StateUnknown))
	_, _, err := s.Resolve(t.Context(), o.ID, topup.Resolution{Outcome: topup.VerdictResend, Reason: "a guess"}, noon.Add(time.Hour))
	must(t, err)
	after, ev := s.finish(t, settlement(o, topup.StateSucceeded))
	if after.State != topup.StateSucceeded || after.NextAttemptAt != nil || ev == nil {
		t.Errorf("%+v, event %v", after, ev)
	}
	if _, err := s.Begin(t.Context(), o.ID, 1, workerName, noon, noon); kind(err) != "lost" {
		t.Errorf("and yet it may be sent: %v", err)
	}
	// A late answer that nothing was charged changes nothing: it is being sent again anyway.
	o = s.begin(t, s.accept(t, "late-91"))
	s.finish(t, settlement(o, topup.StateUnknown))
	_, _, err = s.Resolve(t.Context(), o.ID, topup.Resolution{Outcome: topup.VerdictResend, Reason: "a guess"}, noon.Add(time.Hour))
	must(t, err)
	if _, _, err := s.Finish(t.Context(), settlement(o, topup.StateFailed), noon); kind(err) != "lost" {
		t.Errorf("a late decline: %v", err)
	}
	// Approved when the next attempt has begun: nothing is undone, and neither the clock nor the caller
	// may end what has moved money.
	o = s.begin(t, s.accept(t, "too-late"))
	waiting, _ := s.finish(t, resent(o))
	second := s.begin(t, waiting)
	if _, _, err := s.Finish(t.Context(), settlement(o, topup.StateSucceeded), noon); kind(err) != "lost" {
		t.Errorf("approved too late: %v", err)
	}
	s.finish(t, settlement(second, topup.StateRetrying))
	for _, by := range []string{"expire", "exhaust"} {
		if _, _, err := s.End(t.Context(), o.ID, 2, by, topup.ReasonExpired, noon); kind(err) != "refused" {
			t.Errorf("%s: %v", by, err)
		}
	}
	if _, _, err := s.Cancel(t.Context(), o.ID, "", noon); kind(err) != "refused" {
		t.Errorf("cancel: %v", err)
	}
}

// testAround: of what moved near an attempt, only what the attempt cannot be confused with counts.
func testAround(t *testing.T, s store) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	life := func(id string, began, ended int, to topup.State, balance string) {
		t.Helper()
		o, _, err := s.Accept(t.Context(), request(id), at(began))
		must(t, err)
		o, err = s.Begin(t.Context(), o.ID, 0, workerName, at(ended+1), at(began))
		must(t, err)
		end := settlement(o, to)
		n := json.Number(balance)
		if end.Result.BalanceAfter = &n; balance == "" {
			end.Result.BalanceAfter = nil
		}
		_, _, err = s.Finish(t.Context(), end, at(ended))
		must(t, err)
	}
	if oldest, err := s.OldestUnknown(t.Context()); err != nil || !oldest.IsZero() {
		t.Errorf("oldest of none: %v, %v", oldest, err)
	}
	life("older", 0, 1, topup.StateSucceeded, "1000.00")
	life("before", 1, 2, topup.StateSucceeded, "990.00")
	life("overlapping", 1, 4, topup.StateSucceeded, "980.00")
	life("held", 3, 4, topup.StateUnknown, "")
	life("other", 3, 5, topup.StateUnknown, "")
	life("declined", 3, 5, topup.StateFailed, "")
	got, err := s.Around(t.Context(), "held", 1, at(6))
	must(t, err)
	before := json.Number("990.00")
	want := topup.Surroundings{Before: &before, BeforeAt: at(2).UTC(), BeforeOrder: "before", Succeeded: 1, Amount: request("x").Amount, Unknown: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if oldest, err := s.OldestUnknown(t.Context()); err != nil || !oldest.Equal(at(4)) {
		t.Errorf("oldest: %v, %v", oldest, err)
	}
	for range 2 {
		must(t, s.AddEvidence(t.Context(), "held", 1, "seen"))
	}
	must(t, s.AddEvidence(t.Context(), "declined", 1, "seen"))
	for id, want := range map[topup.ID]string{"held": "request written, no answer; seen; seen", "declined": ""} {
		d, err := s.Details(t.Context(), id)
		must(t, err)
		if d.Attempts[0].Evidence != want {
			t.Errorf("%s: %q, want %q", id, d.Attempts[0].Evidence, want)
		}
	}
}
