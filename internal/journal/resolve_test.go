package journal_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal/search"
	"recarga/topup"
)

// testResolve: every decision, before and after the attempt's deadline, forced or not.
func testResolve(t *testing.T, s store) {
	const deadline = time.Minute
	cases := []struct {
		decision topup.ResolvedAs
		after    time.Duration
		forced   bool
		want     string
	}{
		{topup.ResolvedSucceeded, 0, false, "ok"},
		{topup.ResolvedFailed, 0, false, "too early"},
		{topup.ResolvedFailed, deadline - time.Microsecond, false, "too early"},
		{topup.ResolvedFailed, deadline, false, "ok"},
		{topup.ResolvedFailed, 0, true, "ok"},
		{topup.ResolvedResend, 0, false, "too early"},
		{topup.ResolvedResend, deadline, false, "ok"},
		{topup.ResolvedResend, 0, true, "ok"},
	}
	for i, c := range cases {
		id := "R" + string(rune('A'+i))
		o := s.accept(t, id)
		o, err := s.Begin(t.Context(), o.ID, 0, workerName, noon.Add(deadline), noon)
		must(t, err)
		s.finish(t, settlement(o, topup.StateUnknown))
		r := topup.Resolution{Outcome: c.decision, Reason: "the statement says so", By: "ana", Forced: c.forced, Attempt: 1}
		if c.decision == topup.ResolvedSucceeded {
			r.TransactionID, r.Reference, r.AuthCode = "TXN-9", "RRN-9", "A9"
		}
		at := noon.Add(c.after)
		after, ev, err := s.Resolve(t.Context(), o.ID, r, at)
		if kind(err) != c.want {
			t.Errorf("%s %s: %v, want %s", id, c.decision, err, c.want)
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
		checkMoved(t, topup.OpResolve, c.decision.State(), after, ev, err, stored)
		r.At = at
		if diff := cmp.Diff([]topup.Resolution{r}, stored.Resolutions); diff != "" {
			t.Error(diff)
		}
		if c.decision == topup.ResolvedSucceeded && (after.TransactionID != "TXN-9" || after.Reference != "RRN-9" ||
			after.AuthCode != "A9") {
			t.Errorf("receipts of the statement: %+v", after)
		}
		if c.decision == topup.ResolvedFailed && after.Reason != topup.ReasonResolved {
			t.Errorf("reason %q", after.Reason)
		}
		testResolveRepeated(t, s, r, stored)
	}
	testResolveRefused(t, s)
	testResolveAfterAll(t, s)
}

// testResolveAfterAll: while any attempt may still be acted on, none is failed or sent again: not when only the
// earlier one's time is over, nor when only the later one's is.
func testResolveAfterAll(t *testing.T, s store) {
	t.Helper()
	for id, deadlines := range map[string][2]time.Duration{
		"FIRST-ENDS-LAST": {time.Hour, time.Minute}, "LAST-ENDS-LAST": {time.Minute, time.Hour},
	} {
		o := s.accept(t, id)
		for n, deadline := range deadlines {
			var err error
			if n > 0 {
				r := topup.Resolution{Outcome: topup.ResolvedResend, Reason: "seen", By: "ana", Forced: true}
				o, _, err = s.Resolve(t.Context(), o.ID, r, noon)
				must(t, err)
			}
			o, err = s.Begin(t.Context(), o.ID, n, workerName, noon.Add(deadline), noon)
			must(t, err)
			o, _ = s.finish(t, settlement(o, topup.StateUnknown))
		}
		former := topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "seen", By: "ana", Attempt: 1, Forced: true}
		var moved *topup.MovedOnError
		if _, _, err := s.Resolve(t.Context(), o.ID, former, noon); !errors.As(err, &moved) || moved.Latest != 2 {
			t.Errorf("%s: a decision about its first attempt: %v", id, err)
		}
		for _, c := range []struct {
			after time.Duration
			want  string
		}{{2 * time.Minute, "too early"}, {time.Hour - time.Microsecond, "too early"}, {time.Hour, "ok"}} {
			r := topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "seen", By: "ana"}
			if _, _, err := s.Resolve(t.Context(), o.ID, r, noon.Add(c.after)); kind(err) != c.want {
				t.Errorf("%s, after %s: %v, want %s", id, c.after, err, c.want)
			}
		}
	}
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
	reason, by, forced, decision, receipt := r, r, r, r, r
	reason.Reason += "."
	by.By = "eva"
	forced.Forced = !r.Forced
	if decision.Outcome = topup.ResolvedResend; r.Outcome == topup.ResolvedResend {
		decision.Outcome = topup.ResolvedFailed
	}
	decision.TransactionID, decision.Reference, decision.AuthCode = "", "", ""
	receipt.Outcome, receipt.AuthCode = topup.ResolvedSucceeded, "A8"
	for _, other := range []topup.Resolution{reason, by, forced, decision, receipt} {
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
	r.Attempt = 2
	if again, _, err := s.Resolve(t.Context(), was.ID, r, noon.Add(time.Hour)); err != nil ||
		again.State != topup.StateRetrying {
		t.Errorf("%s, unknown again and resolved: %s, %v", was.ID, again.State, err)
	}
}

func testResolveRefused(t *testing.T, s store) {
	t.Helper()
	because := func(v topup.ResolvedAs) topup.Resolution { return topup.Resolution{Outcome: v, Reason: "why"} }
	if _, _, err := s.Resolve(t.Context(), "nobody", because(topup.ResolvedFailed), noon); kind(err) != "not found" {
		t.Errorf("no such order: %v", err)
	}
	for _, f := range topup.StateTable() {
		if f.State == topup.StateUnknown {
			continue
		}
		o := s.inState(t, "not-"+string(f.State), f.State)
		for _, v := range []topup.ResolvedAs{topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend} {
			if _, _, err := s.Resolve(t.Context(), o.ID, because(v), noon.Add(time.Hour)); kind(err) != "refused" {
				t.Errorf("%s from %s: %v", v, f.State, err)
			}
		}
	}
	for _, r := range []topup.Resolution{{Outcome: "paid", Reason: "why"}, {Outcome: topup.ResolvedFailed},
		{Outcome: topup.ResolvedFailed, Reason: "why", Reference: "R"}} {
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
	if _, _, err := s.Resolve(t.Context(), o.ID, because(topup.ResolvedResend), until); len(topup.FieldErrors(err)) != 1 {
		t.Errorf("an expired order, to be sent again: %v", err)
	}
}

// testLateApproval: a worker that slept comes back with the proof of a purchase that a person has just
// asked to send again.
func testLateApproval(t *testing.T, s store) {
	o := s.begin(t, s.accept(t, "late"))
	s.finish(t, settlement(o, topup.StateUnknown))
	_, _, err := s.Resolve(t.Context(), o.ID, topup.Resolution{Outcome: topup.ResolvedResend, Reason: "a guess"},
		noon.Add(time.Hour))
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
	_, _, err = s.Resolve(t.Context(), o.ID, topup.Resolution{Outcome: topup.ResolvedResend, Reason: "a guess"},
		noon.Add(time.Hour))
	must(t, err)
	if _, _, err := s.Finish(t.Context(), settlement(o, topup.StateFailed), noon); kind(err) != "lost" {
		t.Errorf("a late decline: %v", err)
	}
	// Approved when the next attempt has begun: it is sold, and what comes of that attempt is evidence.
	o = s.begin(t, s.accept(t, "too-late"))
	waiting, _ := s.finish(t, resent(o))
	second, bystander := s.begin(t, waiting), s.begin(t, s.accept(t, "bystander"))
	sold, ev := s.finish(t, settlement(o, topup.StateSucceeded))
	if sold.State != topup.StateSucceeded || ev == nil {
		t.Errorf("approved late: %+v, event %v", sold, ev)
	}
	// Its worker may have died, and no sweep looks at an order that has ended: nobody knows what became of it.
	for id, want := range map[topup.ID]topup.Outcome{o.ID: topup.OutcomeUnknown, bystander.ID: ""} {
		d, err := s.Details(t.Context(), id)
		must(t, err)
		if last := d.Attempts[len(d.Attempts)-1]; last.Outcome != want || want != "" && last.Error != topup.Overtaken {
			t.Errorf("the attempt under way of %s is %q: %s", id, last.Outcome, last.Error)
		}
	}
	for _, to := range []topup.State{topup.StateFailed, topup.StateRetrying, topup.StateUnknown} {
		if _, _, err := s.Finish(t.Context(), settlement(second, to), noon); kind(err) != "lost" {
			t.Errorf("the second attempt, as %s: %v", to, err)
		}
	}
	if now, err := s.Order(t.Context(), o.ID); err != nil || !cmp.Equal(now, sold) {
		t.Errorf("%v, and the order changed: %s", err, cmp.Diff(sold, now))
	}
	// And if it was approved, a person must look at it.
	o = s.begin(t, s.accept(t, "twice"))
	waiting, _ = s.finish(t, resent(o))
	second = s.begin(t, waiting)
	s.finish(t, sale(settlement(o, topup.StateSucceeded), 1))
	if _, _, err := s.Finish(t.Context(), sale(settlement(second, topup.StateSucceeded), 2), noon); kind(err) != "lost" {
		t.Errorf("the second approval: %v", err)
	}
	if now, err := s.Order(t.Context(), o.ID); err != nil || now.DisputedAt == nil {
		t.Errorf("charged twice, and not disputed: %v", err)
	}
}

// testCorrect: what a person called failed was charged after all. The evidence marks it, and only a person changes it.
func testCorrect(t *testing.T, s store) {
	ctx := t.Context()
	o := s.begin(t, s.accept(t, "wrong"))
	s.finish(t, settlement(o, topup.StateUnknown))
	_, _, err := s.Resolve(ctx, o.ID, topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "a guess", Attempt: 1},
		noon.Add(time.Hour))
	must(t, err)
	if _, _, err := s.Finish(ctx, settlement(o, topup.StateSucceeded), noon); kind(err) != "lost" {
		t.Errorf("a late approval of a failed order: %v", err)
	}
	bystander := s.inState(t, "bystander", topup.StateFailed)
	d, err := s.Details(ctx, o.ID)
	must(t, err)
	if d.State != topup.StateFailed || d.DisputedAt == nil || len(d.Disputes) != 1 ||
		!strings.Contains(d.Disputes[0].Evidence, "TXN-123456789") {
		t.Errorf("a late approval: %+v", d)
	}
	for range 2 { // the same evidence twice is no more
		if _, err := s.Dispute(ctx, o.ID, topup.Dispute{Evidence: "line 7 charges it", RaisedBy: "statement"},
			noon); err != nil {
			t.Error(err)
		}
	}
	listed, _, err := s.List(ctx, search.Filter{Disputed: true})
	n, since, countErr := s.Disputed(ctx)
	if err != nil || countErr != nil || n != 1 || !since.Equal(noon) || len(listed) != 1 || listed[0].ID != o.ID {
		t.Errorf("%d disputed since %s, listed %+v, %v, %v", n, since, listed, err, countErr)
	}
	correction := topup.Correction{Outcome: topup.ResolvedSucceeded, Reason: "line 7 of the statement", By: "ana",
		Reference: "RRN-7"}
	for i := range 2 { // the second is the repeat after a lost answer
		got, ev, err := s.Correct(ctx, o.ID, correction, noon)
		if err != nil || got.State != topup.StateSucceeded || got.Reason != "" || got.Reference != "RRN-7" ||
			got.DisputedAt != nil {
			t.Errorf("corrected: %+v, %v", got, err)
		}
		if (ev != nil) != (i == 0) || ev != nil && (ev.Type != topup.EventCorrected || ev.Sequence != 3) {
			t.Errorf("correction %d has event %+v", i+1, ev)
		}
	}
	if d, err = s.Details(ctx, o.ID); err != nil || len(d.Corrections) != 1 ||
		d.Corrections[0].Was != topup.StateFailed || d.Corrections[0].By != "ana" ||
		len(d.Disputes) != 1 || d.Disputes[0].Outcome != topup.DisputeCorrected ||
		!strings.Contains(d.Disputes[0].Evidence, "line 7 charges it") {
		t.Errorf("%v: %+v, %+v", err, d.Corrections, d.Disputes)
	}
	other := correction
	other.Reason = "another"
	if _, _, err := s.Correct(ctx, o.ID, other, noon); kind(err) != "refused" {
		t.Errorf("corrected to what it is: %v", err)
	}
	if _, err := s.Dispute(ctx, o.ID, topup.Dispute{Evidence: "line 7 charges it", RaisedBy: "statement"},
		noon); err != nil {
		t.Error(err)
	}
	if now, err := s.Order(ctx, o.ID); err != nil || now.DisputedAt != nil {
		t.Errorf("evidence that a person has judged disputes it again: %+v, %v", now, err)
	}
	if counts, err := s.CountByState(ctx); err != nil || counts[topup.StateSucceeded] != 1 ||
		counts[topup.StateFailed] != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	if now, err := s.Order(ctx, bystander.ID); err != nil || !cmp.Equal(now, bystander) {
		t.Errorf("a bystander changed: %v %s", err, cmp.Diff(bystander, now))
	}
	for _, c := range []struct {
		id   topup.ID
		want string
	}{{"nobody", "not found"}, {s.inState(t, "held", topup.StateUnknown).ID, "refused"}} {
		if _, _, err := s.Correct(ctx, c.id, correction, noon); kind(err) != c.want {
			t.Errorf("correct %s: %v, want %s", c.id, err, c.want)
		}
		if _, err := s.Dispute(ctx, c.id, topup.Dispute{Evidence: "x"}, noon); kind(err) != c.want {
			t.Errorf("dispute %s: %v, want %s", c.id, err, c.want)
		}
	}
	if _, _, err := s.Resolve(ctx, "held", topup.Resolution{Outcome: topup.ResolvedSucceeded, Reason: "why", Attempt: 2},
		noon); !errors.As(err, new(*topup.MovedOnError)) {
		t.Errorf("a resolution of another attempt: %v", err)
	}
}

// testUphold: a person says that a disputed order is right.
func testUphold(t *testing.T, s store) {
	ctx := t.Context()
	o := s.inState(t, "sold", topup.StateSucceeded)
	uphold := topup.Upholding{Outcome: topup.DisputeUpheld, Reason: "the vendor's statement was cut off", By: "ana"}
	if _, err := s.Uphold(ctx, o.ID, uphold, noon); kind(err) != "not disputed" {
		t.Errorf("upheld without a dispute: %v", err)
	}
	disputed, err := s.Dispute(ctx, o.ID, topup.Dispute{Evidence: "line 9 calls it declined", RaisedBy: "statement"},
		noon)
	if err != nil || disputed.State != topup.StateSucceeded || disputed.DisputedAt == nil {
		t.Errorf("%+v, %v", disputed, err)
	}
	for range 2 {
		if got, err := s.Uphold(ctx, o.ID, uphold, noon); err != nil || !cmp.Equal(got, o) {
			t.Errorf("upheld: %v %s", err, cmp.Diff(o, got))
		}
	}
	if d, err := s.Details(ctx, o.ID); err != nil || len(d.Disputes) != 1 ||
		d.Disputes[0].Outcome != topup.DisputeUpheld || len(d.Events) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := s.Uphold(ctx, "nobody", uphold, noon); kind(err) != "not found" {
		t.Errorf("%v", err)
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
	if _, err := s.Around(t.Context(), "held", 2, at(6)); !errors.Is(err, topup.ErrNotFound) {
		t.Errorf("an attempt that was never made: %v", err)
	}
	got, err := s.Around(t.Context(), "held", 1, at(6))
	must(t, err)
	before := json.Number("990.00")
	want := topup.Surroundings{Before: &before, BeforeAt: at(2).UTC(), BeforeOrder: "before", Succeeded: 1,
		Amount: request("x").Amount, Unknown: 1}
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

// testApprovedTwice: a late approval of another attempt disputes an order that has succeeded, unless it is of the same
// purchase.
func testApprovedTwice(t *testing.T, s store) {
	ctx := t.Context()
	bystander := s.inState(t, "bystander", topup.StateSucceeded)
	approval := func(transaction, reference, authorisation string) topup.Settlement {
		r := settlement(topup.Order{}, topup.StateSucceeded).Result
		r.TransactionID, r.Reference, r.AuthCode = transaction, reference, authorisation
		return topup.Settlement{State: topup.StateSucceeded, Result: r}
	}
	person := topup.Resolution{Outcome: topup.ResolvedSucceeded, Reason: "the portal has it", By: "ana"}
	known := person
	known.Reference = "R1"
	for name, c := range map[string]struct {
		// second is what the second attempt comes to, resolved what a person says of it.
		second   topup.Settlement
		resolved topup.Resolution
		late     topup.Settlement // of the first attempt
		disputed bool
	}{
		"another-purchase":  {second: approval("T2", "R2", "A2"), late: approval("T1", "R1", "A1"), disputed: true},
		"another-code":      {second: approval("T1", "", "A2"), late: approval("T1", "", "A1"), disputed: true},
		"nothing-in-common": {second: approval("", "", "A2"), late: approval("T1", "", ""), disputed: true},
		"same-purchase":     {second: approval("T1", "R1", "A1"), late: approval("T1", "R1", "A1")},
		"same-as-far":       {second: approval("T1", "", "A1"), late: approval("T1", "R1", "")},
		"a-person's":        {resolved: person, late: approval("T1", "R1", "A1")},
		"a-person's-known":  {resolved: known, late: approval("T1", "R1", "A1")},
		"a-person's-others": {resolved: known, late: approval("T2", "R2", "A2"), disputed: true},
	} {
		first := s.begin(t, s.accept(t, name))
		waiting, _ := s.finish(t, resent(first))
		second := s.begin(t, waiting)
		if c.resolved.Outcome == "" {
			c.second.ID, c.second.Number = second.ID, second.AttemptCount
			s.finish(t, c.second)
		} else {
			s.finish(t, settlement(second, topup.StateUnknown))
			_, _, err := s.Resolve(ctx, second.ID, c.resolved, noon)
			must(t, err)
		}
		before, err := s.Details(ctx, first.ID)
		must(t, err)
		c.late.ID, c.late.Number = first.ID, first.AttemptCount
		for range 2 { // the second is its repeat
			if _, ev, err := s.Finish(ctx, c.late, noon); kind(err) != "lost" || ev != nil {
				t.Errorf("%s: %v, event %+v", name, err, ev)
			}
		}
		d, err := s.Details(ctx, first.ID)
		must(t, err)
		disputed := d.DisputedAt != nil && len(d.Disputes) == 1
		if disputed != c.disputed || !disputed && len(d.Disputes) > 0 || len(d.Events) != len(before.Events) {
			t.Fatalf("%s: disputed %v, %+v, events %+v", name, d.DisputedAt, d.Disputes, d.Events)
		}
		if d.State != topup.StateSucceeded || d.TransactionID != before.TransactionID || d.AuthCode != before.AuthCode {
			t.Errorf("%s changed: %s", name, cmp.Diff(before.Order, d.Order))
		}
		for _, code := range []string{string(before.AuthCode), c.late.Result.AuthCode} {
			if c.disputed && !strings.Contains(d.Disputes[0].Evidence, `"`+code+`"`) {
				t.Errorf("%s: the evidence has not %q: %s", name, code, d.Disputes[0].Evidence)
			}
		}
	}
	if now, err := s.Order(ctx, bystander.ID); err != nil || !cmp.Equal(now, bystander) {
		t.Errorf("a bystander changed: %v %s", err, cmp.Diff(bystander, now))
	}
}
