package journal_test

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal"
	"recarga/topup"
)

func testCallers(t *testing.T, s store) {
	at := noon.Add(time.Hour)
	shop := topup.Caller{Name: "shop", CallbackURL: "https://shop.example/hook", KeyHash: []byte("hash-1"), Secrets: []byte("sealed-1"), CreatedAt: noon}
	must(t, s.AddCaller(t.Context(), shop))
	must(t, s.AddCaller(t.Context(), topup.Caller{Name: "a-shop", KeyHash: []byte("hash-2"), Secrets: []byte{}, CreatedAt: noon}))
	if err := s.AddCaller(t.Context(), topup.Caller{Name: "shop", KeyHash: []byte("hash-3"), Secrets: []byte{}, CreatedAt: noon}); kind(err) != "conflict" {
		t.Errorf("a name twice: %v", err)
	}
	all, err := s.Callers(t.Context())
	must(t, err)
	if len(all) != 2 || all[0].Name != "a-shop" || !cmp.Equal(all[1], shop) {
		t.Errorf("callers: %+v", all)
	}
	changed := shop
	changed.KeyHash, changed.Secrets, changed.DisabledAt, changed.CallbackURL = []byte("hash-4"), []byte("sealed-2"), &at, ""
	changed.Endpoints = []topup.CallerEndpoint{{Name: "crm", URL: "https://crm.example", EventTypes: []topup.EventType{"topup.failed"}}}
	must(t, s.ChangeCaller(t.Context(), changed, shop))
	if err := s.ChangeCaller(t.Context(), shop, shop); kind(err) != "lost" {
		t.Errorf("a change of what has changed: %v", err)
	}
	got, err := s.CallerByKey(t.Context(), []byte("hash-4"))
	must(t, err)
	if diff := cmp.Diff(changed, got); diff != "" {
		t.Error(diff)
	}
	for _, hash := range []string{"hash-1", ""} {
		if _, err := s.CallerByKey(t.Context(), []byte(hash)); kind(err) != "not found" {
			t.Errorf("key %q: %v", hash, err)
		}
	}
	if _, err := s.Caller(t.Context(), "nobody"); kind(err) != "not found" {
		t.Errorf("nobody: %v", err)
	}
}

func testEndpointHealth(t *testing.T, s store) {
	const url = "https://shop.example/hook"
	is := func(since, last, disabled *time.Time, reason string) {
		t.Helper()
		h, err := s.EndpointHealth(t.Context(), "shop", url)
		must(t, err)
		if diff := cmp.Diff(topup.EndpointHealth{FailingSince: since, LastFailedAt: last, DisabledAt: disabled, Reason: reason}, h); diff != "" {
			t.Error(diff)
		}
	}
	fails := func(at, want time.Time) {
		t.Helper()
		since, err := s.EndpointFailed(t.Context(), "shop", url, at)
		must(t, err)
		if !since.Equal(want) {
			t.Errorf("fails since %s, want %s", since, want)
		}
	}
	first, second, third := noon.UTC(), noon.Add(time.Minute).UTC(), noon.Add(60*time.Hour).UTC()
	is(nil, nil, nil, "")
	fails(first, first)
	fails(second, first)
	is(&first, &second, nil, "")
	fails(third, third) // nothing was sent for days: nobody knows how it was
	d := topup.DisabledEndpoint{Caller: "shop", Endpoint: "default", URL: url, Reason: "it is gone"}
	for i, want := range []bool{true, false} {
		got, ev, err := s.DisableEndpoint(t.Context(), d, i == 0, third.Add(time.Duration(i)*time.Second))
		must(t, err)
		if got != want || (ev != nil) != want {
			t.Errorf("disabled for the first time: %v with %+v, want %v", got, ev, want)
		}
	}
	is(&third, &third, &third, "it is gone")
	must(t, s.EndpointHealthy(t.Context(), "shop", url))
	is(nil, nil, nil, "")
	if disabled, ev, err := s.DisableEndpoint(t.Context(), d, false, first); err != nil || !disabled || ev != nil {
		t.Errorf("disabled without a word: %v, %+v, %v", disabled, ev, err)
	}
	is(&first, &first, &first, "it is gone")
}

// testNotices: what the operator is told is an event as others are.
func testNotices(t *testing.T, s store) {
	d := topup.DisabledEndpoint{Caller: "shop", Endpoint: "crm", URL: "https://crm.example", Reason: "it answered 410"}
	_, ev, err := s.DisableEndpoint(t.Context(), d, true, noon)
	must(t, err)
	again, err := s.Notify(t.Context(), topup.EventEndpointDisabled, d, noon)
	must(t, err)
	if ev.Sequence != 1 || again.Sequence != 2 || ev.ID == again.ID {
		t.Errorf("events %+v and %+v", ev, again)
	}
	kept, err := s.Event(t.Context(), ev.ID)
	must(t, err)
	want := `{"type":"endpoint.disabled","timestamp":"2026-01-31T12:00:00.123456Z","data":{"caller":"shop","endpoint":"crm","url":"https://crm.example","reason":"it answered 410","failing_since":null}}`
	if kept.Caller != topup.OperatorCaller || kept.OrderID != "" || string(kept.Body) != want {
		t.Errorf("kept %+v with %s, want %s", kept, kept.Body, want)
	}
	must(t, s.RecordTry(t.Context(), kept, topup.Try{At: noon}, topup.EventExhausted, time.Time{}))
	events, _, err := s.Events(t.Context(), journal.EventFilter{Caller: topup.OperatorCaller, State: topup.EventExhausted})
	must(t, err)
	if len(events) != 1 || events[0].ID != ev.ID {
		t.Errorf("exhausted: %+v", events)
	}
}

// testFanOut: an event becomes one for each endpoint, once, however often it is asked for.
func testFanOut(t *testing.T, s store) {
	for _, adopt := range []bool{false, true} {
		id := topup.ID("FAN-" + strconv.FormatBool(adopt))
		ev := canceled(t, s, id)
		var made []topup.Event
		for range 2 {
			copies, err := s.FanOut(t.Context(), ev, []string{"crm", "erp"}, adopt, noon)
			must(t, err)
			made = append(made, copies...)
		}
		details, err := s.Details(t.Context(), id)
		must(t, err)
		var got []string
		for _, e := range details.Events {
			got = append(got, e.Endpoint)
			if e.Sequence != ev.Sequence || !bytes.Equal(e.Body, ev.Body) || e.State != topup.EventPending {
				t.Errorf("%s: %+v", e.Endpoint, e)
			}
			if e.Endpoint == "erp" {
				must(t, s.RecordTry(t.Context(), e, topup.Try{At: noon}, topup.EventExhausted, time.Time{}))
			}
		}
		want, copies := []string{"", "crm", "erp"}, 2
		if adopt {
			want, copies = []string{"crm", "erp"}, 1
		}
		if diff := cmp.Diff(want, got); diff != "" || len(made) != copies {
			t.Errorf("adopt %v: %d copies: %s", adopt, len(made), diff)
		}
	}
	events, _, err := s.Events(t.Context(), journal.EventFilter{Endpoint: "erp", State: topup.EventExhausted})
	must(t, err)
	mine, _, err := s.Events(t.Context(), journal.EventFilter{Endpoint: topup.DefaultEndpoint})
	must(t, err)
	if len(events) != 2 || len(mine) != 1 {
		t.Errorf("%d events of erp given up, want 2; %d of the callback URL, want 1", len(events), len(mine))
	}
}

// testOneSuccessClears: an endpoint that took an event since its first failure is not disabled.
func testOneSuccessClears(t *testing.T, s store) {
	ev := canceled(t, s, "CLEARED")
	const url = "https://shop.example/hook"
	since, err := s.EndpointFailed(t.Context(), ev.Caller, url, noon)
	must(t, err)
	must(t, s.RecordTry(t.Context(), ev, topup.Try{At: noon.Add(time.Hour)}, topup.EventDelivered, time.Time{}))
	d := topup.DisabledEndpoint{Caller: ev.Caller, Endpoint: topup.DefaultEndpoint, URL: url, Reason: "it fails", FailingSince: &since}
	if disabled, _, err := s.DisableEndpoint(t.Context(), d, true, noon.Add(200*time.Hour)); err != nil || disabled {
		t.Errorf("disabled: %v, %v", disabled, err)
	}
	h, err := s.EndpointHealth(t.Context(), ev.Caller, url)
	must(t, err)
	if h != (topup.EndpointHealth{}) {
		t.Errorf("health %+v, want none", h)
	}
	later := noon.Add(2 * time.Hour)
	d.FailingSince = &later
	if disabled, _, err := s.DisableEndpoint(t.Context(), d, true, noon.Add(200*time.Hour)); err != nil || !disabled {
		t.Errorf("failing after its success: disabled %v, %v", disabled, err)
	}
}

// canceled is the event of an order that was withdrawn.
func canceled(t *testing.T, s store, id topup.ID) topup.Event {
	t.Helper()
	r := request(string(id))
	_, _, err := s.Accept(t.Context(), r, noon)
	must(t, err)
	_, ev, err := s.Cancel(t.Context(), r.ID, r.Caller, noon)
	must(t, err)
	return *ev
}
