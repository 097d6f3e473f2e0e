package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/command"
	"recarga/producer"
	"recarga/topup"
)

// shelf is an API with orders, the oldest first.
type shelf struct {
	mu     sync.Mutex
	orders []topup.Order
}

// place adds orders, so many, that wait.
func (s *shelf) place(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range count {
		n := len(s.orders)
		at := time.Unix(1_700_000_000, 0).UTC().Add(time.Duration(n) * time.Minute)
		s.orders = append(s.orders, topup.Order{
			ID: topup.ID(fmt.Sprintf("W-%05d", n)), State: topup.StateQueued, CreatedAt: at, UpdatedAt: at,
		})
	}
}

// end has an order succeed.
func (s *shelf) end(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[n].State, s.orders[n].UpdatedAt = topup.StateSucceeded, s.orders[n].UpdatedAt.Add(time.Hour)
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, one := strings.CutPrefix(r.URL.Path, "/v1/topups/"); one {
		at := slices.IndexFunc(s.orders, func(o topup.Order) bool { return string(o.ID) == id })
		_ = json.NewEncoder(w).Encode(topup.Details{Order: s.orders[at]})
		return
	}
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	end := len(s.orders)
	if cursor := r.FormValue("cursor"); cursor != "" {
		end, _ = strconv.Atoi(cursor)
	}
	from := max(end-limit, 0)
	page := slices.Clone(s.orders[from:end])
	slices.Reverse(page)
	var next *string
	if from > 0 {
		next = new(strconv.Itoa(from))
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": page, "next_cursor": next})
}

// TestWatchLeavesNothingOut: however many orders are placed between two looks, each is seen, and so is what becomes of
// those that are no longer among the newest.
func TestWatchLeavesNothingOut(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	s.place(30)
	server := httptest.NewServer(s)
	defer server.Close()
	api, err := producer.NewClient(server.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	w := watcher{c: command.Call{Ctx: context.Background(), API: api}, seen: map[topup.ID]topup.Order{}}
	look := func() (seen []string) {
		t.Helper()
		changed, err := w.look()
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range changed {
			seen = append(seen, fmt.Sprint(o.ID, o.State))
		}
		return seen
	}
	want := func(from, until int, state topup.State) (all []string) {
		for n := from; n < until; n++ {
			all = append(all, fmt.Sprintf("W-%05d%s", n, state))
		}
		return all
	}
	if diff := cmp.Diff(want(10, 30, topup.StateQueued), look()); diff != "" {
		t.Errorf("at first: %s", diff)
	}
	s.place(1000)
	if diff := cmp.Diff(want(30, 1030, topup.StateQueued), look()); diff != "" {
		t.Errorf("a thousand at once: %s", diff)
	}
	for n := range 1030 {
		s.end(n)
	}
	var seen []string
	for range 2 + 1020/askedAtOnce {
		seen = append(seen, look()...)
	}
	slices.Sort(seen)
	if diff := cmp.Diff(want(10, 1030, topup.StateSucceeded), seen); diff != "" {
		t.Errorf("those that ended: %s", diff)
	}
	if left := w.older(); len(left) > 0 {
		t.Errorf("%d are still followed", len(left))
	}
}
