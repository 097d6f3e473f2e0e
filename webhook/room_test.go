package webhook_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

// neighbours are two endpoints, one of which answers nothing until it is released.
func neighbours(t *testing.T) (endpoints phoneBook, dead, alive *receiver, release func()) {
	t.Helper()
	answer := make(chan struct{})
	dead = newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { <-answer; w.WriteHeader(200) })
	alive = newReceiver(t, status(200))
	endpoints = phoneBook{
		"dead":  {URL: dead.URL, Secrets: []string{webhook.NewSecret()}},
		"alive": {URL: alive.URL, Secrets: []string{webhook.NewSecret()}},
	}
	return endpoints, dead, alive, func() { close(answer) }
}

// newsFor are n events of a caller, already in the book.
func newsFor(t *testing.T, b *book, caller string, n int) []topup.Event {
	t.Helper()
	events := make([]topup.Event, n)
	for i := range events {
		events[i] = news(t, fmt.Sprintf("evt_%s_%d", caller, i))
		events[i].Caller = caller
		b.change(events[i].ID, func(ev *topup.Event) { *ev = events[i] })
	}
	return events
}

func TestHangingEndpointLeavesRoomForFirstTries(t *testing.T) {
	endpoints, dead, alive, release := neighbours(t)
	b := newBook()
	d := deliverer(t, webhook.Config{PerEndpoint: 3, FirstTries: 8}, b, endpoints)
	t.Cleanup(release)
	begun := 0
	for _, ev := range newsFor(t, b, "dead", 20) {
		if d.DeliverNow(t.Context(), ev, nil) {
			begun++
		}
	}
	if begun != 3 {
		t.Errorf("%d tries are under way to the endpoint that hangs, want 3", begun)
	}
	for _, ev := range newsFor(t, b, "alive", 20) {
		testkit.Eventually(t, patience, func() bool { return d.DeliverNow(t.Context(), ev, nil) },
			"no room for the endpoint that answers")
	}
	testkit.Eventually(t, patience, func() bool { return len(alive.requests()) == 20 },
		"the endpoint that hangs delays the other")
	if n := len(dead.requests()); n > 3 {
		t.Errorf("%d requests to the endpoint that hangs, want at most 3", n)
	}
}

func TestHangingEndpointLeavesRoomInTheQueue(t *testing.T) {
	endpoints, dead, alive, release := neighbours(t)
	b := newBook()
	d := deliverer(t, webhook.Config{Deliveries: 4}, b, endpoints)
	events := newsFor(t, b, "dead", 3)
	done := make(chan time.Time, 2)
	for _, ev := range events[:2] {
		go func() {
			next, err := d.Deliver(t.Context(), ev.ID)
			if err != nil {
				t.Error(err)
			}
			done <- next
		}()
	}
	testkit.Eventually(t, patience, func() bool { return len(dead.requests()) == 2 }, "no requests")
	// Half of four slots hang; the third event comes back later, untried.
	if wait := time.Until(deliver(t, d, events[2].ID)); wait <= 0 || wait > 2*time.Second {
		t.Errorf("comes back after %s", wait)
	}
	b.change(events[2].ID, func(ev *topup.Event) { ev.DueAt = time.Now().Add(-time.Minute) })
	if wait := time.Until(deliver(t, d, events[2].ID)); wait < 50*time.Second || wait > 70*time.Second {
		t.Errorf("after a minute of waiting it comes back after %s, want as long again", wait)
	}
	if ev, err := b.Event(t.Context(), events[2].ID); err != nil || ev.TryCount != 0 {
		t.Errorf("%d tries recorded, %v", ev.TryCount, err)
	}
	for _, ev := range newsFor(t, b, "alive", 20) {
		deliver(t, d, ev.ID)
	}
	if len(alive.requests()) != 20 || len(dead.requests()) != 2 {
		t.Errorf("%d and %d requests", len(alive.requests()), len(dead.requests()))
	}
	release()
	for range 2 {
		if next := <-done; !next.IsZero() {
			t.Errorf("comes back at %s", next)
		}
	}
}
