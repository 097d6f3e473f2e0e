package journal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// testFind: an order is found by each of its names, whole, and by its caller's key only among its own.
func testFind(t *testing.T, s store) {
	o := s.inState(t, "FIND-1", topup.StateSucceeded)
	s.accept(t, "FIND-2")
	for _, c := range []struct {
		text, caller string
		want         int
	}{
		{"FIND-1", "", 1},
		{"FIND-1", o.Caller, 1},
		{"FIND-1", "another", 0},
		{string(o.TransactionID), "", 1},
		{string(o.Reference), o.Caller, 1},
		{o.Phone.Digits(), "", 2},
		{"+52 " + o.Phone.Digits(), "", 2},
		{"FIND", "", 0},
		{"", "", 0},
		{"%", "", 0},
	} {
		found, err := s.Find(t.Context(), c.caller, c.text)
		must(t, err)
		if len(found) != c.want {
			t.Errorf("%q of %q: %d orders, want %d", c.text, c.caller, len(found), c.want)
		}
	}
}

// testOverview counts orders of all ages.
func testOverview(t *testing.T, s store) {
	for i, state := range []topup.State{topup.StateSucceeded, topup.StateFailed, topup.StateUnknown, topup.StateQueued} {
		s.inState(t, "OVERVIEW-"+string(rune('A'+i)), state)
	}
	o, err := s.Overview(t.Context(), noon.Add(30*time.Minute))
	must(t, err)
	want := map[topup.State]int64{topup.StateSucceeded: 1, topup.StateFailed: 1, topup.StateUnknown: 1,
		topup.StateQueued: 1}
	if diff := cmp.Diff(want, o.ByState); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, o.Minutes[29]); diff != "" {
		t.Errorf("the minute of the orders: %s", diff)
	}
	if len(o.Latencies) != 2 || !o.OldestWaiting.Equal(noon) || o.UnknownByAge != [4]int64{1, 0, 0, 0} {
		t.Errorf("latencies %v, oldest %s, unknown %v", o.Latencies, o.OldestWaiting, o.UnknownByAge)
	}
	later, err := s.Overview(t.Context(), noon.Add(30*time.Hour))
	must(t, err)
	if !cmp.Equal(want, later.ByState) || len(later.Latencies) != 0 || later.UnknownByAge != [4]int64{0, 0, 1, 0} ||
		len(later.Minutes[0]) != 0 {
		t.Errorf("thirty hours later: %+v", later)
	}
	if later.ExhaustedEvents != 0 {
		t.Errorf("%d exhausted events", later.ExhaustedEvents)
	}
}
