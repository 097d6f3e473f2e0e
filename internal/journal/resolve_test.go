package journal_test

import (
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
		_, _, err = s.Resolve(t.Context(), o.ID, r, at)
		if kind(err) != "refused" {
			t.Errorf("%s, resolved again: %v", id, err)
		}
	}
	testResolveRefused(t, s)
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
