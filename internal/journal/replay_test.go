package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/topup"
)

// testReplay: what a filter chooses is redelivered, all of it, whatever became of it before, and nothing else.
func testReplay(t *testing.T, s store) {
	states := []topup.EventState{topup.EventDelivered, topup.EventExhausted, topup.EventPending}
	made := map[topup.EventState][]string{}
	begin := time.Now()
	for i := range 30 {
		r := request(fmt.Sprintf("E%02d", i))
		if i%2 == 1 {
			r.Caller = "other"
		}
		_, _, err := s.Accept(t.Context(), r, noon)
		must(t, err)
		_, ev, err := s.Cancel(t.Context(), r.ID, "", noon)
		must(t, err)
		state := states[i%3]
		if state != topup.EventPending {
			must(t, s.RecordTry(t.Context(), *ev, topup.Try{At: noon}, state, time.Time{}))
		}
		made[state] = append(made[state], ev.ID)
	}
	for _, state := range states {
		slices.Reverse(made[state])
		var got []string
		for f := (topup.EventFilter{State: state, Limit: 3}); ; {
			events, next, err := s.Events(t.Context(), f)
			must(t, err)
			for _, ev := range events {
				got = append(got, ev.ID)
			}
			if f.Cursor = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, made[state]) {
			t.Errorf("%s: %v, want %v", state, got, made[state])
		}
	}
	redeliver := func(f topup.EventFilter) (ids []string) {
		t.Helper()
		for {
			had := len(ids)
			n, next, err := s.RedeliverAll(t.Context(), f, time.Now(), func(ev topup.Event) { ids = append(ids, ev.ID) })
			must(t, err)
			if n != len(ids)-had || f.Limit > 0 && n > f.Limit {
				t.Errorf("%d redelivered, %d named", n, len(ids)-had)
			}
			if f.Cursor = next; next == "" {
				return ids
			}
		}
	}
	for _, f := range []topup.EventFilter{
		{Since: time.Now().Add(time.Hour)}, {Until: begin.Add(-time.Second)}, {Caller: "nobody"}, {Type: "topup.failed"},
	} {
		if ids := redeliver(f); len(ids) != 0 {
			t.Errorf("%+v: %v", f, ids)
		}
	}
	if ids := redeliver(topup.EventFilter{State: topup.EventExhausted, Caller: "other", Type: "topup.canceled",
		Since: begin.Add(-time.Second)}); len(ids) != 5 {
		t.Errorf("%d redelivered, want 5", len(ids))
	}
	ev, err := s.Event(t.Context(), made[topup.EventExhausted][0]) // of E28, which is not other's
	must(t, err)
	must(t, s.RedeliverWithin(t.Context(), ev, 0, noon))
	again, err := s.Event(t.Context(), ev.ID)
	must(t, err)
	if again.State != topup.EventPending || again.ScheduleStart != 1 || again.TryCount != 1 || len(again.Tries) != 1 ||
		!again.DueAt.Equal(noon) {
		t.Errorf("redelivered: %+v", again)
	}
	for _, limit := range []int{0, 7} {
		if ids := redeliver(topup.EventFilter{Limit: limit}); len(ids) != 30 {
			t.Errorf("%d redelivered, want all", len(ids))
		}
	}
	if err := s.RedeliverWithin(t.Context(), topup.Event{ID: "evt_00000000-0000-7000-8000-000000000000", OrderID: "E00"},
		0, noon); kind(err) != "not found" {
		t.Errorf("no such event: %v", err)
	}
	for _, f := range []topup.EventFilter{{State: "lost"}, {Cursor: "x"}} {
		if _, _, err := s.Events(context.Background(), f); len(topup.FieldErrors(err)) != 1 {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// testRedeliveries: the bound is for one event and one day.
func testRedeliveries(t *testing.T, s store) {
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour) // events have the time of their making in them
	a, b := canceled(t, s, "A"), canceled(t, s, "B")
	again := func(ev topup.Event, at time.Time, want bool) {
		t.Helper()
		err := s.RedeliverWithin(t.Context(), ev, 3, at)
		var often *topup.QuotaError
		midnight := at.Truncate(24 * time.Hour).Add(24 * time.Hour)
		if want && err != nil || !want && (!errors.As(err, &often) || !strings.Contains(often.Reason, "3 times") ||
			!at.Add(often.After).Equal(midnight)) {
			t.Errorf("at %s: %v", at, err)
		}
	}
	for range 3 {
		again(a, noon, true)
	}
	again(a, noon, false)
	again(a, noon.Add(11*time.Hour), false)
	again(b, noon, true)
	must(t, s.RedeliverWithin(t.Context(), a, 0, noon))
	again(a, noon, false)
	for range 3 {
		again(a, noon.Add(12*time.Hour), true)
	}
	again(a, noon.Add(12*time.Hour), false)
	rest := topup.EventFilter{MostRedeliveries: 3}
	count, _, err := s.RedeliverAll(t.Context(), rest, noon.Add(12*time.Hour), func(topup.Event) {})
	must(t, err)
	if count != 1 {
		t.Errorf("%d were redelivered together, want the other one", count)
	}
	open, err := s.OpenByCaller(t.Context())
	must(t, err)
	s.accept(t, "C")
	more, err := s.OpenByCaller(t.Context())
	must(t, err)
	if len(open) != 0 || more["shop"] != 1 || len(more) != 1 {
		t.Errorf("open orders: %v, and then %v", open, more)
	}
}
