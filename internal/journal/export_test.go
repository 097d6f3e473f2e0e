package journal_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"recarga/internal/journal/search"
	"recarga/topup"
)

// exported is all that an export has.
func (s store) exported(tb testing.TB, f search.Filter, parts search.Parts) (all []topup.Details) {
	tb.Helper()
	for d, err := range s.Export(tb.Context(), f, parts) {
		must(tb, err)
		all = append(all, d)
	}
	return all
}

// testExport: every order once, the oldest first, with the parts it has.
func testExport(t *testing.T, s store) {
	const orders = 1100
	each(orders, func(i int) { s.accept(t, fmt.Sprintf("ORD-%04d", i)) })
	held := s.inState(t, "HELD", topup.StateUnknown)
	_, _, err := s.Resolve(t.Context(), held.ID, topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "not there",
		By: "ana", Forced: true}, noon)
	must(t, err)
	s.inState(t, "BOUGHT", topup.StateSucceeded)
	whole := s.exported(t, search.Filter{}, search.Parts{Attempts: true, Events: true})
	seen := map[topup.ID]bool{}
	for _, d := range whole {
		if seen[d.ID] {
			t.Fatalf("%s is there twice", d.ID)
		}
		seen[d.ID] = true
		if d.State == topup.StateQueued {
			continue
		}
		want, err := s.Details(t.Context(), d.ID)
		must(t, err)
		if diff := cmp.Diff(want, d, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", d.ID, diff)
		}
	}
	if len(whole) != orders+2 {
		t.Errorf("%d orders, want %d", len(whole), orders+2)
	}
	for _, d := range s.exported(t, search.Filter{State: topup.StateFailed}, search.Parts{}) {
		if d.ID != "HELD" || d.Attempts != nil || d.Events != nil || d.Resolutions != nil {
			t.Errorf("without parts: %+v", d)
		}
	}
	for f, want := range map[search.Filter]int{
		{FinishedSince: noon}: 2, {FinishedUntil: noon}: 0, {FinishedSince: noon.Add(1), FinishedUntil: noon.Add(10)}: 0,
		{Caller: "shop", State: topup.StateQueued}: orders, {Caller: "other"}: 0,
		{Product: "MOVISTAR_TAE", Since: noon}: orders + 2,
	} {
		if got := len(s.exported(t, f, search.Parts{})); got != want {
			t.Errorf("%+v: %d orders, want %d", f, got, want)
		}
	}
}
