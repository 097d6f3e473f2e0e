package journal_test

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"recarga/internal/journal/search"
	"recarga/topup"
)

// testStandings: what a statement is compared with, by id, and page by page of what succeeded and of what
// is unknown.
func testStandings(t *testing.T, s store) {
	var sold, held []topup.ID
	for i := range 7 {
		sold = append(sold, s.inState(t, fmt.Sprintf("SOLD-%d", i), topup.StateSucceeded).ID)
		held = append(held, s.inState(t, fmt.Sprintf("HELD-%d", i), topup.StateUnknown).ID)
	}
	s.inState(t, "QUEUED", topup.StateQueued)
	s.inState(t, "FAILED", topup.StateFailed)

	got, err := s.Standings(t.Context(), []topup.ID{"SOLD-0", "HELD-0", "FAILED", "QUEUED", "NOBODY"})
	must(t, err)
	want := []search.Standing{
		// A charge lies within the answered attempt; without an answer, anywhere before its deadline.
		{
			ID: "SOLD-0", State: topup.StateSucceeded, Attempt: 1, Attempts: 1, Approved: true,
			From: noon.Truncate(time.Microsecond), Until: noon,
			TransactionID: "TXN-123456789", Reference: "RRN-123456", AuthCode: "ABC123",
		},
		{ID: "HELD-0", State: topup.StateUnknown, Attempt: 1, Attempts: 1, From: noon, Until: noon.Add(time.Minute)},
		// Neither of these has an attempt that can have moved money.
		{ID: "FAILED", State: topup.StateFailed, Attempt: 1},
		{ID: "QUEUED", State: topup.StateQueued},
	}
	for i := range want {
		want[i].Phone, want[i].Amount = "5537686660", 1050
	}
	byID := cmpopts.SortSlices(func(a, b search.Standing) bool { return a.ID < b.ID })
	if diff := cmp.Diff(want, got, byID, cmpopts.IgnoreUnexported(search.Standing{}),
		cmp.Transformer("time", time.Time.UnixMicro)); diff != "" {
		t.Error(diff)
	}
	if none, err := s.Standings(t.Context(), nil); err != nil || none != nil {
		t.Errorf("of no ids: %v, %v", none, err)
	}

	if diff := cmp.Diff(sold, soldBetween(t, s, noon, noon)); diff != "" {
		t.Error(diff)
	}
	if ids := soldBetween(t, s, noon.Add(time.Microsecond), noon.Add(time.Hour)); ids != nil {
		t.Errorf("succeeded later: %v", ids)
	}
	if ids := soldBetween(t, s, noon.Add(-time.Hour), noon.Add(-time.Microsecond)); ids != nil {
		t.Errorf("placed earlier: %v", ids)
	}
	if diff := cmp.Diff(held, idsOfStandings(t, s.Held(t.Context()))); diff != "" {
		t.Error(diff)
	}
}

func soldBetween(t *testing.T, s store, since, until time.Time) []topup.ID {
	t.Helper()
	return idsOfStandings(t, s.Sold(t.Context(), since, until))
}

func idsOfStandings(t *testing.T, all iter.Seq2[search.Standing, error]) (ids []topup.ID) {
	t.Helper()
	for o, err := range all {
		must(t, err)
		ids = append(ids, o.ID)
	}
	return ids
}

// testStandingsArchived: what has left for the archive is compared with a statement as it was before.
func testStandingsArchived(t *testing.T, s store) {
	var ids []topup.ID
	for i := range 3 {
		ids = append(ids, s.ended(t, fmt.Sprintf("LEFT-%d", i), topup.StateSucceeded).ID)
	}
	ids = append(ids, s.ended(t, "LEFT-FAILED", topup.StateFailed).ID)
	s.inState(t, "HERE", topup.StateSucceeded) // its event is not delivered
	before, err := s.Standings(t.Context(), ids)
	must(t, err)
	sold := soldBetween(t, s, noon, noon)
	s.archived(t, 4)
	after, err := s.Standings(t.Context(), ids)
	must(t, err)
	byID := cmpopts.SortSlices(func(a, b search.Standing) bool { return a.ID < b.ID })
	if diff := cmp.Diff(before, after, byID, cmpopts.IgnoreUnexported(search.Standing{})); diff != "" ||
		len(after) != 4 {
		t.Errorf("standings:\n%s", diff)
	}
	got := soldBetween(t, s, noon, noon)
	if diff := cmp.Diff(sold, got, cmpopts.SortSlices(func(a, b topup.ID) bool { return a < b })); diff != "" ||
		len(got) != 4 {
		t.Errorf("sold:\n%s", diff)
	}
	for name, none := range map[string][]topup.ID{
		"succeeded later":       soldBetween(t, s, noon.Add(time.Microsecond), noon.Add(time.Hour)),
		"placed earlier":        soldBetween(t, s, noon.Add(-time.Hour), noon.Add(-time.Microsecond)),
		"in a file made before": soldBetween(t, s, tomorrow.Add(time.Second), tomorrow.Add(time.Hour)),
	} {
		if none != nil {
			t.Errorf("%s: %v", name, none)
		}
	}
}

// testStandingOfSeveral: the times of an order with several attempts are those that may have moved money.
func testStandingOfSeveral(t *testing.T, s store) {
	o := s.accept(t, "SEVERAL")
	for i, state := range []topup.State{topup.StateRetrying, topup.StateUnknown, topup.StateUnknown} {
		at := noon.Add(time.Duration(i) * time.Hour)
		begun, err := s.Begin(t.Context(), o.ID, i, workerName, at.Add(time.Minute), at)
		must(t, err)
		o, _, err = s.Finish(t.Context(), settlement(begun, state), at.Add(time.Second))
		must(t, err)
		if i == 1 {
			o, _, err = s.Resolve(t.Context(), o.ID, topup.Resolution{Outcome: topup.ResolvedResend, Reason: "test",
				By: "ana"}, at.Add(2*time.Minute))
			must(t, err)
		}
	}
	got, err := s.Standings(t.Context(), []topup.ID{"SEVERAL"})
	must(t, err)
	if len(got) != 1 || got[0].Attempts != 2 || !got[0].From.Equal(noon.Add(time.Hour).Truncate(time.Microsecond)) ||
		!got[0].Until.Equal(noon.Add(2*time.Hour+time.Minute).Truncate(time.Microsecond)) {
		t.Errorf("%+v", got)
	}
}
