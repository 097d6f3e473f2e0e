package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal"
	"recarga/topup"
)

// caller is a new one with a key of the digest.
func caller(name, hash string) topup.Caller {
	return topup.Caller{
		Name: name, Version: 1, Secrets: []byte("s"), CreatedAt: noon,
		Keys: []topup.CallerKey{{Hash: []byte(hash), Hint: "last", CreatedAt: noon}},
	}
}

func testCallers(t *testing.T, s store) {
	at := noon.Add(time.Hour)
	shop := caller("shop", "hash-1")
	shop.CallbackURL = "https://shop.example/hook"
	must(t, s.AddCaller(t.Context(), shop))
	must(t, s.AddCaller(t.Context(), caller("a-shop", "hash-2")))
	if err := s.AddCaller(t.Context(), caller("shop", "hash-3")); kind(err) != "conflict" {
		t.Errorf("a name twice: %v", err)
	}
	all, err := s.Callers(t.Context())
	must(t, err)
	if len(all) != 2 || all[0].Name != "a-shop" || !cmp.Equal(all[1], shop) {
		t.Errorf("callers: %+v", all)
	}
	changed := shop
	changed.Secrets, changed.DisabledAt, changed.CallbackURL = []byte("sealed-2"), &at, ""
	changed.Keys = []topup.CallerKey{
		{Hash: []byte("hash-4"), Hint: "abcd", CreatedAt: at}, {Hash: []byte("hash-5"), CreatedAt: noon, ExpiresAt: &at},
	}
	changed.IDPrefix, changed.Quota = "S-", topup.Quota{MaxOpen: 7, MaxRate: topup.Rate{Count: 5, Per: time.Second}}
	changed.Endpoints = []topup.CallerEndpoint{{Name: "crm", URL: "https://crm.example",
		EventTypes: []topup.EventType{"topup.failed"}}}
	must(t, s.ChangeCaller(t.Context(), changed, shop))
	if err := s.ChangeCaller(t.Context(), shop, shop); kind(err) != "lost" {
		t.Errorf("a change of what has changed: %v", err)
	}
	changed.Version = 2
	for _, hash := range []string{"hash-4", "hash-5"} {
		got, err := s.CallerByKey(t.Context(), []byte(hash))
		must(t, err)
		if diff := cmp.Diff(changed, got); diff != "" {
			t.Errorf("by %s: %s", hash, diff)
		}
	}
	const asBefore = "INSERT INTO callers (name, key_hash, callback_url, secrets, created_at) VALUES " +
		"('former', $1, '', $2, 1)"
	_, err = s.db.ExecContext(t.Context(), asBefore, []byte("hash-6"), []byte("s"))
	must(t, err)
	former, err := s.CallerByKey(t.Context(), []byte("hash-6"))
	must(t, err)
	if len(former.Keys) != 1 || former.Version != 1 || !former.Keys[0].CreatedAt.Equal(former.CreatedAt) {
		t.Errorf("added by the release before: %+v", former)
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

// testPrefixes: an order whose id begins with a caller's prefix is that caller's, and its orders begin with it; what
// was placed before is not undone by a prefix.
func testPrefixes(t *testing.T, s store) {
	place := func(who, id string) error {
		r := request(id)
		r.Caller = who
		_, _, err := s.Accept(t.Context(), r, noon)
		return err
	}
	change := func(c topup.Caller, prefix string) (topup.Caller, error) {
		was := c
		c.IDPrefix = prefix
		err := s.ChangeCaller(t.Context(), c, was)
		if err == nil {
			c.Version++
		}
		return c, err
	}
	refused := func(err error, field string, says ...string) {
		t.Helper()
		fields := topup.FieldErrors(err)
		if len(fields) != 1 || fields[0].Field != field {
			t.Fatalf("%v, want one of %s", err, field)
		}
		for _, text := range says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%v does not say %s", err, text)
			}
		}
	}
	b, other := caller("b-shop", "b"), caller("other", "o")
	must(t, s.AddCaller(t.Context(), b))
	must(t, s.AddCaller(t.Context(), other))
	must(t, place("other", "B-1"))
	must(t, place("other", "B"))
	must(t, place("b-shop", "OLD"))
	_, err := change(b, "B-")
	refused(err, topup.FieldIDPrefix, "those of 1 do")
	_, err = change(b, "B-2")
	must(t, err)
	b.Version++
	for _, wrong := range []struct{ who, id, says string }{
		{"other", "B-2", "reserved"}, {"other", "B-2.7", "reserved"}, {"default", "B-2:x", "reserved"},
		{"b-shop", "B-3", `begins with "B-2"`}, {"b-shop", "A", `begins with "B-2"`},
	} {
		err := place(wrong.who, wrong.id)
		refused(err, topup.FieldID, wrong.says)
		if strings.Contains(err.Error(), "b-shop") {
			t.Errorf("it names the caller: %v", err)
		}
		if _, err := s.Order(t.Context(), topup.ID(wrong.id)); kind(err) != "not found" {
			t.Errorf("%s was recorded: %v", wrong.id, err)
		}
	}
	for _, right := range [][2]string{
		{"b-shop", "B-2"}, {"b-shop", "B-2.7"}, {"other", "B-3"}, {"other", "B-1"}, {"other", "b-2"}, {"b-shop", "OLD"},
	} {
		if err := place(right[0], right[1]); err != nil {
			t.Errorf("%s by %s: %v", right[1], right[0], err)
		}
	}
	if err := place("default", "B"); kind(err) != "conflict" {
		t.Errorf("an id that is taken: %v", err)
	}
	for id, want := range map[string]string{"B-2.8": "fields", "B-2": "conflict", "WRONG": "ok"} {
		o := request(id).Order(noon)
		o.Caller = "other"
		_, err := s.AcceptInvalid(t.Context(), o, "why", noon)
		got := kind(err)
		if len(topup.FieldErrors(err)) == 1 {
			got = "fields"
		}
		if got != want {
			t.Errorf("an invalid %s: %v, want %q", id, err, want)
		}
	}
	for _, near := range []string{"B-2", "B-", "B", "B-2.", "B-2x"} {
		_, err := change(other, near)
		refused(err, topup.FieldIDPrefix)
	}
	c := caller("late", "l")
	c.IDPrefix = "B-2-"
	refused(s.AddCaller(t.Context(), c), topup.FieldIDPrefix, "b-shop")
	_, err = change(other, "B-3")
	must(t, err)
	b.IDPrefix = "B-2"
	if b, err = change(b, ""); err != nil || b.Version != 3 {
		t.Fatal(b, err)
	}
	must(t, place("default", "B-2.9"))
	must(t, place("b-shop", "ANY"))
	_, err = change(b, "B-2")
	refused(err, topup.FieldIDPrefix, "those of 1 do")
}

// testPrefixesAtOnce: of prefixes that are given at once, one of which begins with another, one is given.
func testPrefixesAtOnce(t *testing.T, s store) {
	other, err := journal.Open(t.Context(), s.url)
	must(t, err)
	defer func() { must(t, other.Close()) }()
	books := []*journal.Journal{s.Journal, other}
	prefixes := []string{"P", "P-", "P-1", "P-12", "P-2", "PQ"}
	for round := range 10 {
		errs := make([]error, len(prefixes))
		var adding sync.WaitGroup
		for i, prefix := range prefixes {
			c := caller(fmt.Sprintf("c%d-%d", round, i), fmt.Sprintf("h%d-%d", round, i))
			c.IDPrefix = string(rune('a'+round)) + prefix
			adding.Go(func() { errs[i] = books[i%2].AddCaller(t.Context(), c) })
		}
		adding.Wait()
		all, err := s.Callers(t.Context())
		must(t, err)
		added := 0
		for _, a := range all {
			for _, b := range all {
				if a.Name != b.Name && strings.HasPrefix(a.IDPrefix, b.IDPrefix) {
					t.Fatalf("%s has %q, and %s has %q", a.Name, a.IDPrefix, b.Name, b.IDPrefix)
				}
			}
		}
		for i, err := range errs {
			if err == nil {
				added++
			} else if len(topup.FieldErrors(err)) != 1 {
				t.Errorf("%s: %v", prefixes[i], err)
			}
		}
		if added == 0 {
			t.Error("none was given")
		}
	}
}

func testEndpointHealth(t *testing.T, s store) {
	const url = "https://shop.example/hook"
	is := func(since, last, disabled *time.Time, reason string) {
		t.Helper()
		h, err := s.EndpointHealth(t.Context(), "shop", url)
		must(t, err)
		if diff := cmp.Diff(topup.EndpointHealth{FailingSince: since, LastFailedAt: last, DisabledAt: disabled,
			Reason: reason}, h); diff != "" {
			t.Error(diff)
		}
		all, err := s.EndpointsHealth(t.Context())
		must(t, err)
		if diff := cmp.Diff(h, all[topup.EndpointAddress{Caller: "shop", URL: url}]); diff != "" {
			t.Errorf("of all endpoints it is another: %s", diff)
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

// testOperatorEvents: what the operator is notified of is an event as others are.
func testOperatorEvents(t *testing.T, s store) {
	d := topup.DisabledEndpoint{Caller: "shop", Endpoint: "crm", URL: "https://crm.example", Reason: "it answered 410"}
	_, ev, err := s.DisableEndpoint(t.Context(), d, true, noon)
	must(t, err)
	other := d
	other.URL = "https://other.example"
	_, again, err := s.DisableEndpoint(t.Context(), other, true, noon)
	must(t, err)
	if ev.Sequence != 1 || again.Sequence != 2 || ev.ID == again.ID {
		t.Errorf("events %+v and %+v", ev, again)
	}
	kept, err := s.Event(t.Context(), ev.ID)
	must(t, err)
	want := `{"type":"endpoint.disabled","timestamp":"2026-01-31T12:00:00.123456Z",` +
		`"data":{"caller":"shop","endpoint":"crm","url":"https://crm.example","reason":"it answered 410",` +
		`"failing_since":null}}`
	if kept.Caller != topup.OperatorCaller || kept.OrderID != "" || string(kept.Body) != want {
		t.Errorf("kept %+v with %s, want %s", kept, kept.Body, want)
	}
	must(t, s.RecordTry(t.Context(), kept, topup.Try{At: noon}, topup.EventExhausted, time.Time{}))
	events, _, err := s.Events(t.Context(), topup.EventFilter{Caller: topup.OperatorCaller,
		State: topup.EventExhausted})
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
			// Whoever read it before has tried another endpoint, or none, and says nothing of this one.
			err := s.RecordTry(t.Context(), ev, topup.Try{At: noon}, topup.EventDelivered, time.Time{})
			if !errors.Is(err, topup.ErrLost) {
				t.Errorf("a try for another endpoint than the one that has adopted the event is recorded: %v", err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(made) != copies {
			t.Errorf("adopt %v: %d copies: %s", adopt, len(made), diff)
		}
	}
	ev := canceled(t, s, "FAN-whose-callback-URL-went")
	for _, adopt := range []bool{false, true} {
		if copies, err := s.FanOut(t.Context(), ev, []string{"erp"}, adopt, noon); err != nil || len(copies) == 1 == adopt {
			t.Errorf("adopt %v: %d copies, %v", adopt, len(copies), err)
		}
	}
	events, _, err := s.Events(t.Context(), topup.EventFilter{Endpoint: "erp", State: topup.EventExhausted})
	must(t, err)
	mine, _, err := s.Events(t.Context(), topup.EventFilter{Endpoint: topup.DefaultEndpoint})
	must(t, err)
	if len(events) != 2 || len(mine) != 2 {
		t.Errorf("%d events of erp exhausted, want 2; %d of the callback URL, want 2", len(events), len(mine))
	}
}

// testOneSuccessClears: an endpoint that took an event since its first failure is not disabled.
func testOneSuccessClears(t *testing.T, s store) {
	ev := canceled(t, s, "CLEARED")
	const url = "https://shop.example/hook"
	since, err := s.EndpointFailed(t.Context(), ev.Caller, url, noon)
	must(t, err)
	must(t, s.RecordTry(t.Context(), ev, topup.Try{At: noon.Add(time.Hour)}, topup.EventDelivered, time.Time{}))
	d := topup.DisabledEndpoint{Caller: ev.Caller, Endpoint: topup.DefaultEndpoint, URL: url, Reason: "it fails",
		FailingSince: &since}
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
