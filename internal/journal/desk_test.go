package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/audit"
	"recarga/topup"
	"recarga/topup/desk"
)

// testActsAreWritten: what somebody changes is written with the change, once for each thing; what changes nothing,
// what is refused, and what the program does by itself is not.
func testActsAreWritten(t *testing.T, s store) {
	listed := func(f desk.ActFilter) []desk.Act {
		t.Helper()
		acts, next, err := s.Acts(t.Context(), f)
		if err != nil || next != "" {
			t.Fatalf("%q, %v", next, err)
		}
		return acts
	}
	held := s.inState(t, "HELD", topup.StateUnknown)
	if acts := listed(desk.ActFilter{}); len(acts) != 0 {
		t.Errorf("the program's own work: %+v", acts)
	}
	ctx := audit.With(t.Context(), desk.Act{By: "ana", Role: "operator", Via: desk.ViaConsole, Address: "192.0.2.1",
		Action: "resolveTopup"})
	ctx = audit.To(audit.Because(ctx, "line 7"), "succeeded")
	r := topup.Resolution{Outcome: topup.ResolvedSucceeded, Reason: "line 7", By: "ana", Forced: true}
	for range 2 { // the second one is a repeat
		_, _, err := s.Resolve(ctx, held.ID, r, noon)
		must(t, err)
	}
	r.Outcome = topup.ResolvedFailed
	if _, _, err := s.Resolve(ctx, held.ID, r, noon); err == nil {
		t.Error("resolved twice")
	}
	acts := listed(desk.ActFilter{})
	if len(acts) != 1 {
		t.Fatalf("%+v", acts)
	}
	got := acts[0]
	if got.ID == "" || time.Since(got.At) > time.Hour {
		t.Errorf("%+v", got)
	}
	got.ID, got.At = "", time.Time{}
	want := desk.Act{By: "ana", Role: "operator", Via: desk.ViaConsole, Address: "192.0.2.1", Action: "resolveTopup",
		On: "HELD", OrderID: "HELD", Detail: "succeeded", Reason: "line 7", Count: 1}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	many := audit.With(t.Context(), desk.Act{By: "luis", Action: "cancelTopup"})
	each(40, func(i int) {
		o := s.accept(t, fmt.Sprint("MANY-", i))
		_, _, err := s.Cancel(many, o.ID, "", noon)
		must(t, err)
	})
	if acts = listed(desk.ActFilter{By: "luis"}); len(acts) != 1 || acts[0].Count != 40 {
		t.Fatalf("%+v", acts)
	}
	if each := listed(desk.ActFilter{ID: acts[0].ID}); len(each) != 40 {
		t.Errorf("%d things of 40", len(each))
	}
	if on := listed(desk.ActFilter{On: "MANY-7"}); len(on) != 1 || on[0].By != "luis" || on[0].Count != 40 {
		t.Errorf("%+v", on)
	}
}

// testActionsOfAnOrder: what was done to it and to its events, the oldest first, and nothing of another of that name.
func testActionsOfAnOrder(t *testing.T, s store) {
	act := func(action string) context.Context {
		return audit.Because(audit.With(t.Context(), desk.Act{By: "ana", Role: "operator", Via: desk.ViaCLI,
			Action: action}), "because")
	}
	o := s.accept(t, "shop")
	must(t, s.RecordAct(audit.On(act("changeCaller"), "shop")))
	_, err := s.HoldBack(act("holdTopup"), o.ID, noon)
	must(t, err)
	_, err = s.LetGo(act("releaseTopup"), o.ID, noon)
	must(t, err)
	_, ev, err := s.Cancel(act("cancelTopup"), o.ID, "", noon)
	must(t, err)
	must(t, s.RedeliverWithin(act("redeliverEvent"), *ev, 0, noon))
	got, err := s.Actions(t.Context(), o.ID)
	must(t, err)
	var want []topup.Action
	for i, action := range []string{"holdTopup", "releaseTopup", "cancelTopup", "redeliverEvent"} {
		want = append(want, topup.Action{By: "ana", Role: "operator", Via: desk.ViaCLI, Action: action, On: "shop",
			Reason: "because"})
		if i < len(got) && time.Since(got[i].At) < time.Hour {
			want[i].At = got[i].At
		}
	}
	want[3].On = topup.NullString(ev.ID)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// testAuditIsOnlyAddedTo: nobody changes or removes a row, also past the program.
func testAuditIsOnlyAddedTo(t *testing.T, s store) {
	must(t, s.RecordAct(audit.With(t.Context(), desk.Act{By: "ana", Action: "ping"})))
	if s.RecordAct(t.Context()) == nil {
		t.Error("an action of nobody is written")
	}
	for _, q := range []string{"UPDATE audit SET by_whom = 'luis'", "DELETE FROM audit"} {
		if _, err := s.db.Exec(q); err == nil || !strings.Contains(err.Error(), "only added to") {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// testControls: they are kept, with who set them first, until somebody ends them; and those who wait are counted.
func testControls(t *testing.T, s store) {
	pause := desk.Control{Kind: desk.PauseCaller, Name: "shop", Since: noon, By: "ana", Reason: "floods"}
	again, rate := pause, desk.Control{Kind: desk.LimitRate, Value: "5/s", Since: noon.Add(time.Second), By: "ana",
		Reason: "asked"}
	again.By, again.Since = "luis", noon.Add(time.Hour)
	faster := rate
	faster.Value, faster.By = "9/s", "luis"
	for _, c := range []desk.Control{pause, again, rate, faster} {
		must(t, s.SetControl(t.Context(), c))
	}
	got, err := s.Controls(t.Context())
	must(t, err)
	if !slices.Equal(got, desk.Controls{pause, faster}) {
		t.Errorf("%+v", got)
	}
	o := s.accept(t, "WAITS")
	must(t, s.Defer(t.Context(), o.ID, 0, topup.WaitPaused, noon))
	waiting, err := s.PausedOrders(t.Context())
	must(t, err)
	if len(waiting) != 1 || waiting[0].Caller != o.Caller || waiting[0].Product != o.Product ||
		waiting[0].Count != 1 || !waiting[0].FirstEnds.Equal(*o.EndsAt) {
		t.Errorf("%+v", waiting)
	}
	must(t, s.EndControl(t.Context(), desk.PauseCaller, "shop"))
	must(t, s.EndControl(t.Context(), desk.PauseCaller, "shop"))
	if got, err = s.Controls(t.Context()); err != nil || len(got) != 1 || got[0].Kind != desk.LimitRate {
		t.Errorf("%+v, %v", got, err)
	}
}

// testPausedBegins: an attempt of what is paused is recorded by no worker, whatever that knows, and nobody else's is
// kept from it.
func testPausedBegins(t *testing.T, s store) {
	for _, c := range []struct {
		control desk.Control
		stops   bool
	}{
		{desk.Control{Kind: desk.PausePurchases}, true},
		{desk.Control{Kind: desk.PauseCaller, Name: "shop"}, true},
		{desk.Control{Kind: desk.PauseCaller, Name: "sho"}, false},
		{desk.Control{Kind: desk.PauseProduct, Name: "MOVISTAR_TAE"}, true},
		{desk.Control{Kind: desk.PauseProduct, Name: "MOVISTAR"}, false},
		{desk.Control{Kind: desk.PauseOperator, Name: "MOVISTAR"}, true},
		{desk.Control{Kind: desk.PauseOperator, Name: "MOVI"}, false},
		{desk.Control{Kind: desk.PauseOperator, Name: "TELCEL"}, false},
		{desk.Control{Kind: desk.PauseWebhooks}, false},
		{desk.Control{Kind: desk.LimitRate, Value: "1/s"}, false},
	} {
		c.control.Since = noon
		tried, id := s.inState(t, "TRIED "+c.control.String(), topup.StateRetrying), topup.ID("NEW "+c.control.String())
		r := request(string(id))
		r.Caller = tried.Caller
		_, _, err := s.Accept(t.Context(), r, noon)
		must(t, err)
		begin := func() [2]error {
			_, err := s.Begin(t.Context(), tried.ID, tried.AttemptCount, "worker", noon.Add(time.Minute), noon)
			_, first := s.BeginFirst(t.Context(), id, "worker", noon.Add(time.Minute), noon)
			return [2]error{err, first}
		}
		must(t, s.SetControl(t.Context(), c.control))
		for _, err := range begin() {
			if errors.Is(err, topup.ErrLost) != c.stops || err != nil && !c.stops {
				t.Errorf("while %s: %v", c.control.Says(), err)
			}
		}
		must(t, s.EndControl(t.Context(), c.control.Kind, string(c.control.Name)))
		for _, err := range begin() {
			if c.stops && err != nil {
				t.Errorf("after %s has ended: %v", c.control, err)
			}
		}
	}
}
