package webhook_test

import (
	"testing"
	"time"

	"recarga/topup"
	"recarga/webhook"
)

// TestForgedWakes: who can enqueue a task for any event has nothing sent that is not due, and nothing sent again.
func TestForgedWakes(t *testing.T) {
	r := newReceiver(t, status(204))
	waits, delivered, exhausted, others := news(t, "evt_waits"), news(t, "evt_delivered"), news(t, "evt_exhausted"),
		news(t, "evt_others")
	later := time.Now().Add(time.Hour)
	waits.TryCount, waits.DueAt = 1, later
	delivered.State, exhausted.State, others.Caller = topup.EventDelivered, topup.EventExhausted, "other"
	b := newBook(waits, delivered, exhausted, others)
	d := deliverer(t, webhook.Config{}, b, at(r.URL, webhook.NewSecret()))
	for range 5 {
		for id, want := range map[string]time.Time{
			"evt_waits": later, "evt_delivered": {}, "evt_exhausted": {}, "evt_others": {}, "evt_invented": {},
			"../evt_waits": {}, "EVT_WAITS": {},
		} {
			if next := deliver(t, d, id); !next.Equal(want) {
				t.Errorf("%s comes back at %s, want %s", id, next, want)
			}
		}
	}
	if n := len(r.requests()); n != 0 {
		t.Errorf("%d requests to the shop", n)
	}
}
