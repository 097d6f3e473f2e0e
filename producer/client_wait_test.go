package producer_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"recarga/topup"
)

// TestClientWait: an order comes back once its caller is notified of it, whatever gets lost on the way; and as it was
// seen last where the time is over.
func TestClientWait(t *testing.T) {
	var requests atomic.Int64
	asked := make(chan struct{}, 100)
	c := newClient(t, serve(t, func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && requests.Add(1) == 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			api.ServeHTTP(w, r)
			if r.Header.Get("If-None-Match") != "" {
				asked <- struct{}{}
			}
		})
	}), shopKey)
	if _, _, err := c.Place(t.Context(), order("W-1")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	var d topup.Details
	go func() {
		var err error
		d, err = c.Wait(t.Context(), "W-1")
		ended <- err
	}()
	<-asked
	if _, err := c.Cancel(t.Context(), "W-1"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || d.State != topup.StateCanceled || len(d.Events) != 1 {
		t.Errorf("waited for %+v, %v", d, err)
	}
	if _, _, err := c.Place(t.Context(), order("W-2")); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		<-asked // that of W-1 may be still there
		cancel()
	}()
	if d, err := c.Wait(short, "W-2"); d.State != topup.StateQueued || !errors.Is(err, context.Canceled) {
		t.Errorf("cut short: %+v, %v", d, err)
	}
	_, err := c.Wait(t.Context(), "W-3")
	if p := problemIn(t, err); p.Status != http.StatusNotFound {
		t.Errorf("an order that is not there: %+v", p)
	}
	if _, err := c.Wait(t.Context(), ".."); err == nil {
		t.Error("it waits for no id")
	}
}

// TestClientEventsAfter: each event once, and from where it was left.
func TestClientEventsAfter(t *testing.T) {
	c := newClient(t, serve(t, asItIs), shopKey)
	end := func(ids ...topup.ID) {
		for _, id := range ids {
			if _, _, err := c.Place(t.Context(), order(string(id))); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	after := ""
	for _, want := range [][]topup.ID{nil, {"A", "B"}, nil, {"C"}} {
		end(want...)
		events, next, err := c.EventsAfter(t.Context(), after, 0)
		var got []topup.ID
		for _, ev := range events {
			if got = append(got, ev.OrderID); len(ev.Payload) == 0 {
				t.Errorf("%s has no payload", ev.ID)
			}
		}
		if err != nil || !slices.Equal(got, want) || next == "" {
			t.Errorf("events of %v, want %v; %v", got, want, err)
		}
		after = next
	}
	_, kept, err := c.EventsAfter(t.Context(), "none of ours", 0)
	if p := problemIn(t, err); p.Status != http.StatusUnprocessableEntity || kept != "none of ours" {
		t.Errorf("a place of nobody's: %+v", p)
	}
}
