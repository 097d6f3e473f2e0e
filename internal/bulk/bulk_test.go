package bulk_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/bulk"
	"recarga/internal/journal/search"
	"recarga/topup"
)

// book lists as many orders and events as it says, whatever the filter.
type book struct {
	count int
	// change is done to each.
	change func(i int, o *topup.Order, ev *topup.Event)
}

var start = time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)

func (b book) List(_ context.Context, f search.Filter) (page []topup.Order, next string, err error) {
	err = b.pages(f.Cursor, f.Limit, &next, func(o topup.Order, _ topup.Event) { page = append(page, o) })
	return page, next, err
}

func (b book) Events(_ context.Context, f topup.EventFilter) (page []topup.Event, next string, err error) {
	err = b.pages(f.Cursor, f.Limit, &next, func(_ topup.Order, ev topup.Event) { page = append(page, ev) })
	return page, next, err
}

func (b book) pages(cursor string, limit int, next *string, each func(topup.Order, topup.Event)) (err error) {
	from := 0
	if cursor != "" {
		if _, err = fmt.Sscan(cursor, &from); err != nil {
			return err
		}
	}
	for i := from; i < min(b.count, from+limit); i++ {
		var o topup.Order
		o.ID, o.Caller = topup.ID(fmt.Sprintf("ORD-%d", i)), []string{"shop", "kiosk", "shop"}[i%3]
		o.AttemptCount, o.UpdatedAt = 1, start
		ev := topup.Event{ID: fmt.Sprintf("evt_%d", i), OrderID: o.ID, Caller: o.Caller, CreatedAt: start}
		ev.State = topup.EventExhausted
		if b.change != nil {
			b.change(i, &o, &ev)
		}
		each(o, ev)
	}
	if from+limit < b.count {
		*next = fmt.Sprint(from + limit)
	}
	return nil
}

// TestOnlyAFilterChooses: nothing that could stand for "everything" is a set.
func TestOnlyAFilterChooses(t *testing.T) {
	orders := func(a topup.BulkKind, f search.Filter) error {
		_, err := bulk.ChooseOrders(t.Context(), book{count: 1}, a, f)
		return err
	}
	events := func(f topup.EventFilter) error {
		_, err := bulk.ChooseEvents(t.Context(), book{count: 1}, f)
		return err
	}
	for name, tt := range map[string]struct {
		err error
		ok  bool
	}{
		"resolve everything":       {orders(topup.BulkResolve, search.Filter{}), false},
		"resolve a caller's":       {orders(topup.BulkResolve, search.Filter{Caller: "shop"}), false},
		"resolve the canceled":     {orders(topup.BulkResolve, search.Filter{State: topup.StateCanceled}), false},
		"resolve the queued":       {orders(topup.BulkResolve, search.Filter{State: topup.StateQueued}), false},
		"resolve the unknown":      {orders(topup.BulkResolve, search.Filter{State: topup.StateUnknown}), true},
		"cancel everything":        {orders(topup.BulkCancel, search.Filter{}), false},
		"cancel the unknown":       {orders(topup.BulkCancel, search.Filter{State: topup.StateUnknown}), false},
		"cancel the queued":        {orders(topup.BulkCancel, search.Filter{State: topup.StateQueued}), true},
		"cancel the retrying":      {orders(topup.BulkCancel, search.Filter{State: topup.StateRetrying}), true},
		"redeliver everything":     {events(topup.EventFilter{}), false},
		"redeliver a page of it":   {events(topup.EventFilter{Limit: 10, Cursor: "evt_1"}), false},
		"redeliver a caller's":     {events(topup.EventFilter{Caller: "shop"}), true},
		"redeliver the exhausted":  {events(topup.EventFilter{State: topup.EventExhausted}), true},
		"redeliver what is recent": {events(topup.EventFilter{Since: start}), true},
	} {
		if refused := len(topup.FieldErrors(tt.err)) > 0; refused == tt.ok || tt.ok != (tt.err == nil) {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
}

func TestMostAtOnce(t *testing.T) {
	f := search.Filter{State: topup.StateUnknown}
	s, err := bulk.ChooseOrders(t.Context(), book{count: bulk.Most}, topup.BulkResolve, f)
	if err != nil || s.Count() != bulk.Most || s.New(s.Fingerprints()) != 0 {
		t.Fatalf("%d orders, %v", s.Count(), err)
	}
	s, err = bulk.ChooseOrders(t.Context(), book{count: bulk.Most + 1}, topup.BulkResolve, f)
	if len(topup.FieldErrors(err)) != 1 || s.Count() != 0 {
		t.Errorf("one more: %d orders, %v", s.Count(), err)
	}
}

// TestNew: of each change of a set that could have another meaning.
func TestNew(t *testing.T) {
	second := func(change func(*topup.Order, *topup.Event)) book {
		return book{count: 3, change: func(i int, o *topup.Order, ev *topup.Event) {
			if i == 1 {
				change(o, ev)
			}
		}}
	}
	tests := []struct {
		name                    string
		now                     book
		resolve, cancel, events int
	}{
		{"the same", book{count: 3}, 0, 0, 0},
		{"fewer", book{count: 2}, 0, 0, 0},
		{"none", book{}, 0, 0, 0},
		{"more", book{count: 5}, 2, 2, 2},
		{"another", second(func(o *topup.Order, ev *topup.Event) { o.ID, ev.ID = "ORD-X", "evt_x" }), 1, 1, 1},
		{"changed", second(func(o *topup.Order, ev *topup.Event) {
			o.UpdatedAt, ev.State = start.Add(1), topup.EventPending
		}), 1, 0, 1},
		{"tried", second(func(o *topup.Order, ev *topup.Event) { o.AttemptCount, ev.TryCount = 2, 1 }), 1, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			choose := func(action topup.BulkKind, b book) (s bulk.Set) {
				var err error
				switch action {
				case topup.BulkResolve:
					s, err = bulk.ChooseOrders(t.Context(), b, action, search.Filter{State: topup.StateUnknown})
				case topup.BulkCancel:
					s, err = bulk.ChooseOrders(t.Context(), b, action, search.Filter{State: topup.StateQueued})
				default:
					s, err = bulk.ChooseEvents(t.Context(), b, topup.EventFilter{State: topup.EventExhausted})
				}
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			wants := map[topup.BulkKind]int{topup.BulkResolve: tt.resolve, topup.BulkCancel: tt.cancel, topup.BulkRedeliver: tt.events}
			for action, want := range wants {
				shown := choose(action, book{count: 3}).Fingerprints()
				if got := choose(action, tt.now).New(shown); got != want {
					t.Errorf("%s: %d are new, want %d", action, got, want)
				}
			}
		})
	}
}

func TestEach(t *testing.T) {
	s, err := bulk.ChooseEvents(t.Context(), book{count: 1200}, topup.EventFilter{State: topup.EventExhausted})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bulk.CallerCount{{"shop", 800}, {"kiosk", 400}}, s.Callers()); diff != "" {
		t.Error(diff)
	}
	var mu sync.Mutex
	var done []string
	said := func(m bulk.Member, _ error) {
		mu.Lock()
		defer mu.Unlock()
		done = append(done, m.ID)
	}
	ok := func(context.Context, bulk.Member) error { return nil }
	if err := s.Each(t.Context(), ok, said); err != nil {
		t.Error(err)
	}
	slices.Sort(done)
	if len(done) != 1200 || len(slices.Compact(done)) != 1200 {
		t.Errorf("%d were done", len(done))
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	done = nil
	if err := s.Each(gone, ok, said); err == nil || len(done) != 0 {
		t.Errorf("%d were done for nobody, %v", len(done), err)
	}
}
