package journal_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

var aHold = topup.Hold{Evidence: "november.csv, line 7: charged", By: "ana"}

// held is an order that waited, after an attempt in doubt that a person had sent again and one that was unavailable,
// when a statement charged it.
func (s store) held(t *testing.T, id string) topup.Order {
	t.Helper()
	o := s.inState(t, id, topup.StateUnknown)
	_, _, err := s.Resolve(t.Context(), o.ID, topup.Resolution{Outcome: topup.ResolvedResend, Reason: "not there",
		Forced: true}, noon)
	must(t, err)
	o, err = s.Begin(t.Context(), o.ID, o.AttemptCount, workerName, noon, noon)
	must(t, err)
	s.finish(t, settlement(o, topup.StateRetrying))
	o, ev, err := s.Hold(t.Context(), o.ID, aHold, noon)
	must(t, err)
	if o.State != topup.StateUnknown || o.NextAttemptAt != nil || ev == nil ||
		ev.Type != topup.EventTypeOf(topup.StateUnknown) {
		t.Fatalf("%+v, event %+v", o, ev)
	}
	return o
}

// testHold: what a statement holds is settled by an approval, a person or a statement, and by nothing else.
func testHold(t *testing.T, s store) {
	bystander := s.inState(t, "BYSTANDER", topup.StateRetrying)
	o := s.held(t, "A")
	before, err := s.Details(t.Context(), o.ID)
	must(t, err)
	if last := before.Resolutions[len(before.Resolutions)-1]; last.Outcome != topup.ResolvedHeld ||
		last.Reason != aHold.Evidence || last.By != "ana" {
		t.Errorf("the statement's word: %+v", last)
	}
	for name, do := range map[string]func() error{
		"begin":  func() error { _, err := s.Begin(t.Context(), o.ID, o.AttemptCount, workerName, noon, noon); return err },
		"end":    func() error { _, _, err := s.End(t.Context(), o.ID, timeIsUp); return err },
		"cancel": func() error { _, _, err := s.Cancel(t.Context(), o.ID, "", noon); return err },
		"the latest attempt, again": func() error {
			_, _, err := s.Finish(t.Context(), settlement(o, topup.StateRetrying), noon)
			return err
		},
	} {
		if err := do(); err == nil {
			t.Errorf("%s: done", name)
		}
	}
	again, ev, err := s.Hold(t.Context(), o.ID, aHold, noon)
	if err != nil || ev != nil || again.State != topup.StateUnknown {
		t.Errorf("repeated: %+v, %v, %v", again, ev, err)
	}
	if _, _, err := s.Hold(t.Context(), o.ID, topup.Hold{Evidence: "another"}, noon); kind(err) != "refused" {
		t.Errorf("held once more: %v", err)
	}
	if _, _, err := s.Hold(t.Context(), o.ID, topup.Hold{}, noon); len(topup.FieldErrors(err)) != 1 {
		t.Errorf("without evidence: %v", err)
	}
	after, err := s.Details(t.Context(), o.ID)
	must(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	testHeldLate(t, s)
	for v, want := range map[topup.ResolvedAs]topup.State{
		topup.ResolvedSucceeded: topup.StateSucceeded, topup.ResolvedFailed: topup.StateFailed,
		topup.ResolvedResend: topup.StateRetrying,
	} {
		o := s.held(t, "R-"+string(v))
		o, _, err := s.Resolve(t.Context(), o.ID, topup.Resolution{Outcome: v, Reason: "seen", Forced: true}, noon)
		must(t, err)
		if o.State != want {
			t.Errorf("resolved as %s: %s", v, o.State)
		}
	}
	if o, err := s.Order(t.Context(), bystander.ID); err != nil || !cmp.Equal(o, bystander) {
		t.Errorf("a bystander: %v, %s", err, cmp.Diff(bystander, o))
	}
	if _, err := s.db.Exec("UPDATE orders SET state = 'retrying' WHERE id = 'A'"); err == nil {
		t.Error("the database lets an order go that a statement holds")
	}
}

// testHeldLate: late answers of the attempt that is in doubt.
func testHeldLate(t *testing.T, s store) {
	for _, c := range []struct {
		to   topup.State
		want topup.State
	}{{topup.StateRetrying, topup.StateUnknown}, {topup.StateFailed, topup.StateUnknown},
		{topup.StateSucceeded, topup.StateSucceeded}} {
		o := s.held(t, "L-"+string(c.to))
		first := o
		first.AttemptCount = 1
		_, _, err := s.Finish(t.Context(), settlement(first, c.to), noon)
		if err != nil && !errors.Is(err, topup.ErrLost) {
			t.Fatal(err)
		}
		if now, err := s.Order(t.Context(), o.ID); err != nil || now.State != c.want {
			t.Errorf("a late %s: %s, %v; want %s", c.to, now.State, err, c.want)
		}
	}
	// The latest attempt itself is in doubt, and was to be sent again.
	o := s.accept(t, "L-RESENT")
	o, err := s.Begin(t.Context(), o.ID, 0, workerName, noon, noon)
	must(t, err)
	s.finish(t, resent(o))
	_, _, err = s.Hold(t.Context(), o.ID, aHold, noon)
	must(t, err)
	for _, to := range []topup.State{topup.StateRetrying, topup.StateFailed} {
		_, _, err := s.Finish(t.Context(), settlement(o, to), noon)
		if now, readErr := s.Order(t.Context(), o.ID); readErr != nil || now.State != topup.StateUnknown {
			t.Errorf("its late %s: %s, %v, %v", to, now.State, err, readErr)
		}
	}
}

// testHoldRace: of Begin and Hold exactly one wins, and the other says so.
func testHoldRace(t *testing.T, s store) {
	const orders = 60
	var won, held int
	for i := range orders {
		o := s.inState(t, fmt.Sprint("RACE-", i), topup.StateRetrying)
		var begin, hold error
		var both sync.WaitGroup
		both.Go(func() { _, begin = s.Begin(t.Context(), o.ID, o.AttemptCount, workerName, noon, noon) })
		both.Go(func() { _, _, hold = s.Hold(t.Context(), o.ID, aHold, noon) })
		both.Wait()
		now, err := s.Order(t.Context(), o.ID)
		must(t, err)
		switch {
		case begin == nil && kind(hold) == "refused" && now.State == topup.StateSubmitting:
			won++
		case hold == nil && errors.Is(begin, topup.ErrLost) && now.State == topup.StateUnknown:
			held++
		default:
			t.Errorf("%s: begin %v, hold %v", now.State, begin, hold)
		}
	}
	t.Logf("of %d orders %d were sent, %d held", orders, won, held)
}
