package journal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal/search"
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
	hour := search.Ranges()[0]
	for i, state := range []topup.State{topup.StateSucceeded, topup.StateFailed, topup.StateUnknown, topup.StateQueued} {
		s.inState(t, "OVERVIEW-"+string(rune('A'+i)), state)
	}
	o, err := s.Overview(t.Context(), noon.Add(30*time.Minute), hour)
	must(t, err)
	want := map[topup.State]int64{topup.StateSucceeded: 1, topup.StateFailed: 1, topup.StateUnknown: 1,
		topup.StateQueued: 1}
	if diff := cmp.Diff(want, o.ByState); diff != "" {
		t.Error(diff)
	}
	if o.Bars[29][topup.StateUnknown] != 1 || len(o.Bars) != 60 || !o.Since.Equal(noon.Truncate(time.Minute).Add(-29*time.Minute)) {
		t.Errorf("of the hour since %s, the minute of the orders: %v", o.Since, o.Bars[29])
	}
	if len(o.Ended) != 2 || len(o.Purchases) != 2 || !o.OldestWaiting.Equal(noon) ||
		o.UnknownByAge != [4]int64{1, 0, 0, 0} {
		t.Errorf("times %v, %v, oldest %s, unknown %v", o.Ended, o.Purchases, o.OldestWaiting, o.UnknownByAge)
	}
	later, err := s.Overview(t.Context(), noon.Add(30*time.Hour), hour)
	must(t, err)
	if !cmp.Equal(want, later.ByState) || len(later.Ended) != 0 || later.UnknownByAge != [4]int64{0, 0, 1, 0} ||
		len(later.Bars[0]) != 0 || later.ExhaustedEvents != 0 || later.Disputed != 0 {
		t.Errorf("thirty hours later: %+v", later)
	}
}

// testEnded: what has ended is counted when it is written, whichever way it ends, and a correction counts as what it
// changes. The counts are by the database's own clock.
func testEnded(t *testing.T, s store) {
	s.inState(t, "ENDED-1", topup.StateSucceeded)
	s.inState(t, "ENDED-2", topup.StateFailed)
	s.inState(t, "ENDED-3", topup.StateCanceled)
	s.inState(t, "ENDED-4", topup.StateSucceeded)
	s.inState(t, "ENDED-5", topup.StateQueued)
	_, _, err := s.Correct(t.Context(), "ENDED-2", topup.Correction{
		Outcome: topup.ResolvedSucceeded, Reason: "x", By: "ana"}, noon)
	must(t, err)
	for _, over := range search.Ranges() {
		o, err := s.Overview(t.Context(), time.Now(), over)
		must(t, err)
		sum := map[topup.State]int64{}
		for _, bar := range o.Bars {
			for state, n := range bar {
				if sum[state] += n; sum[state] == 0 {
					delete(sum, state)
				}
			}
		}
		want := map[topup.State]int64{topup.StateSucceeded: 3, topup.StateCanceled: 1}
		if diff := cmp.Diff(want, sum); diff != "" || len(o.Bars) != over.Bars {
			t.Errorf("%s: %s", over.Name, diff)
		}
	}
}

// testOldestWaiting: whoever waits counts, whatever it waits for, from when it could have been bought.
func testOldestWaiting(t *testing.T, s store) {
	oldest := func(want time.Time, what string) {
		t.Helper()
		o, err := s.Overview(t.Context(), noon.Add(time.Hour), search.Ranges()[0])
		must(t, err)
		if !o.OldestWaiting.Equal(want) {
			t.Errorf("%s: it has waited since %s, want %s", what, o.OldestWaiting, want)
		}
	}
	place := func(id string, at time.Time, scheduled *time.Time) {
		t.Helper()
		r := request(id)
		r.ProcessAt = scheduled
		_, _, err := s.Accept(t.Context(), r, at)
		must(t, err)
	}
	later, due := noon.Add(2*time.Hour), noon.Add(20*time.Minute)
	place("LATER", noon.Add(-24*time.Hour), &later)
	oldest(time.Time{}, "one that is scheduled for later does not wait")
	place("DUE", noon.Add(-24*time.Hour), &due)
	oldest(due, "one that was scheduled waits from then on")
	s.inState(t, "TRIED", topup.StateRetrying)
	oldest(noon, "one that will be tried again waits")
	place("DEFERRED", noon.Add(-time.Hour), nil)
	must(t, s.Defer(t.Context(), "DEFERRED", 0, topup.WaitOutage, noon))
	oldest(noon.Add(-time.Hour), "one that was deferred waits")
	o, err := s.Overview(t.Context(), noon, search.Ranges()[0])
	must(t, err)
	want := map[string]int64{request("x").Product: 1}
	if diff := cmp.Diff(want, o.Waiting[topup.PriorityNormal]); diff != "" {
		t.Errorf("deferred by product: %s", diff)
	}
}

// testOldestUndelivered: the age of the oldest event that is not delivered counts, however often it is tried.
func testOldestUndelivered(t *testing.T, s store) {
	oldest := func() time.Time {
		t.Helper()
		at, err := s.OldestUndelivered(t.Context())
		must(t, err)
		return at
	}
	if at := oldest(); !at.IsZero() {
		t.Errorf("without an event: %s", at)
	}
	began := time.Now().Add(-time.Second)
	_, first := s.finish(t, settlement(s.inState(t, "E-1", topup.StateSubmitting), topup.StateSucceeded))
	s.finish(t, settlement(s.inState(t, "E-2", topup.StateSubmitting), topup.StateSucceeded))
	at := oldest()
	if at.Before(began) || at.After(time.Now()) {
		t.Errorf("the oldest was made at %s", at)
	}
	must(t, s.RecordTry(t.Context(), *first, topup.Try{At: noon}, topup.EventPending, noon.Add(time.Hour)))
	if again := oldest(); !again.Equal(at) {
		t.Errorf("after a try that failed: %s, was %s", again, at)
	}
	tried := *first
	tried.TryCount++
	must(t, s.RecordTry(t.Context(), tried, topup.Try{At: noon}, topup.EventDelivered, time.Time{}))
	if next := oldest(); next.Before(at) {
		t.Errorf("after it was delivered: %s, was %s", next, at)
	}
}
