package journal_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"recarga/internal/journal"
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
		for f := (journal.EventFilter{State: state, Limit: 3}); ; {
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
	redeliver := func(f journal.EventFilter) (ids []string) {
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
	for _, f := range []journal.EventFilter{
		{Since: time.Now().Add(time.Hour)}, {Until: begin.Add(-time.Second)}, {Caller: "nobody"}, {Type: "topup.failed"},
	} {
		if ids := redeliver(f); len(ids) != 0 {
			t.Errorf("%+v: %v", f, ids)
		}
	}
	if ids := redeliver(journal.EventFilter{State: topup.EventExhausted, Caller: "other", Type: "topup.canceled", Since: begin.Add(-time.Second)}); len(ids) != 5 {
		t.Errorf("%d redelivered, want 5", len(ids))
	}
	ev, err := s.Event(t.Context(), made[topup.EventExhausted][0]) // of E28, which is not other's
	must(t, err)
	must(t, s.Redeliver(t.Context(), ev, noon))
	again, err := s.Event(t.Context(), ev.ID)
	must(t, err)
	if again.State != topup.EventPending || again.ScheduleStart != 1 || again.TryCount != 1 || len(again.Tries) != 1 || !again.DueAt.Equal(noon) {
		t.Errorf("redelivered: %+v", again)
	}
	for _, limit := range []int{0, 7} {
		if ids := redeliver(journal.EventFilter{Limit: limit}); len(ids) != 30 {
			t.Errorf("%d redelivered, want all", len(ids))
		}
	}
	if err := s.Redeliver(t.Context(), topup.Event{ID: "evt_00000000-0000-7000-8000-000000000000", OrderID: "E00"}, noon); kind(err) != "not found" {
		t.Errorf("no such event: %v", err)
	}
	for _, f := range []journal.EventFilter{{State: "lost"}, {Cursor: "x"}} {
		if _, _, err := s.Events(context.Background(), f); len(topup.FieldErrors(err)) != 1 {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
