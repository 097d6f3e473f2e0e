package e2e

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

// TestReceiverDownForThreeDays: while the clock of the test runs through four days, of which the receiver is
// away for all, orders are held and settled; what was exhausted in the meantime and what still waits is then
// sent by the real program, on one command. Nothing is lost, and the sequence restores the order.
func TestReceiverDownForThreeDays(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	const hours = 4 * 24
	w := newWorld(t, nil)
	const nobody = "http://127.0.0.1:1/"
	days := absence{url: w.env["RECARGA_DATABASE_URL"],
		hook: endpoint{URL: nobody, Secrets: []string{w.env["RECARGA_WEBHOOK_SECRET"]}}}
	now := time.Now()
	testkit.Bubble(t, func(t *testing.T) {
		time.Sleep(time.Until(now.Add(-hours * time.Hour)))
		days.live(t, hours)
	})
	if days.exhausted == 0 || days.pending == 0 {
		t.Errorf("%d events were exhausted and %d wait; want some of both", days.exhausted, days.pending)
	}
	t.Logf("%d tries failed; %d events exhausted, %d wait", days.tries, days.exhausted, days.pending)

	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	if out := w.run(t, "webhook", "redeliver", "--since",
		now.Add(-hours*time.Hour-time.Minute).Format(time.RFC3339)); out.status != 0 ||
		out.stdout != fmt.Sprintf("%d events are due again.\n", 2*hours) {
		t.Fatalf("redeliver: %+v", out)
	}
	for i := range hours {
		id := topup.ID(fmt.Sprintf("DAYS-%02d", i))
		testkit.Eventually(t, patience, func() bool { return len(w.hooks.of(id)) == 2 }, "both events of %s arrive", id)
		if got := w.hooks.of(id); got[0] != topup.StateUnknown || got[1] != topup.StateSucceeded {
			t.Errorf("%s by sequence: %v", id, got)
		}
	}
}

// of are an order's states as the receiver was notified them, by sequence.
func (r *receiver) of(id topup.ID) (states []topup.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var events []webhook.Event
	for _, ev := range r.events {
		if ev.Data.ID == id {
			events = append(events, ev)
		}
	}
	slices.SortFunc(events, func(a, b webhook.Event) int { return a.Data.Sequence - b.Data.Sequence })
	for _, ev := range events {
		states = append(states, ev.Data.State)
	}
	return states
}

// absence is a receiver that nobody answers at, and a worker that goes on.
type absence struct {
	url                       string
	hook                      endpoint
	tries, exhausted, pending int
}

// live places an order every hour, which is held first and settled ten minutes later, and tries every event
// whenever it is due.
func (a *absence) live(t *testing.T, hours int) {
	t.Helper()
	j, err := journal.Open(t.Context(), a.url, journal.WithFirstTryGrace(0))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	d := webhook.NewDeliverer(webhook.Config{AllowPrivate: true, Health: j, Log: slog.New(slog.DiscardHandler)}, j,
		a.hook)
	defer d.Close(t.Context())
	due := map[string]time.Time{}
	for i := range hours {
		id := topup.ID(fmt.Sprintf("DAYS-%02d", i))
		for _, ev := range heldAndSettled(t, j, id) {
			due[ev.ID] = time.Now()
		}
		for end := time.Now().Add(time.Hour - 10*time.Minute); time.Now().Before(end); {
			time.Sleep(time.Minute)
			a.tryDue(t, d, due)
		}
	}
	for _, s := range []topup.EventState{topup.EventExhausted, topup.EventPending} {
		events, _, err := j.Events(t.Context(), topup.EventFilter{State: s, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if s == topup.EventPending {
			a.pending = len(events)
		} else {
			a.exhausted = len(events)
		}
	}
}

func (a *absence) tryDue(t *testing.T, d *webhook.Deliverer, due map[string]time.Time) {
	t.Helper()
	for id, at := range due {
		if time.Now().Before(at) {
			continue
		}
		next, err := d.Deliver(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		a.tries++
		if due[id] = next; next.IsZero() {
			delete(due, id)
		}
	}
}

// heldAndSettled are the events of an order whose one attempt's outcome was not known, and that a person
// settled after ten minutes.
func heldAndSettled(t *testing.T, j *journal.Journal, id topup.ID) (events []topup.Event) {
	t.Helper()
	ctx := t.Context()
	r := order(string(id), "5537686660")
	r.Caller = topup.DefaultCaller
	_, _, err := j.Accept(ctx, r, time.Now())
	if err == nil {
		_, err = j.Begin(ctx, id, 0, "w", time.Now().Add(time.Minute), time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	_, held, err := j.Finish(ctx, topup.Settlement{ID: id, Number: 1, State: topup.StateUnknown,
		Result: topup.Result{Outcome: topup.OutcomeUnknown}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Minute)
	_, settled, err := j.Resolve(ctx, id,
		topup.Resolution{Outcome: topup.ResolvedSucceeded, Reason: "in the statement", By: "ana"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return []topup.Event{*held, *settled}
}
