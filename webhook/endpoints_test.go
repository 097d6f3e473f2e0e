package webhook_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

// shops are the callers' endpoints, several each.
type shops map[string][]webhook.Endpoint

func (s shops) Endpoints(_ context.Context, caller string) ([]webhook.Endpoint, error) {
	if len(s[caller]) == 0 {
		return nil, topup.ErrNotFound
	}
	return s[caller], nil
}

func openJournal(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journaltest.SQLite(t), journal.WithFirstTryGrace(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// withdrawn is the event of an order of the caller "shop" that was canceled.
func withdrawn(t *testing.T, j *journal.Journal, id topup.ID) topup.Event {
	t.Helper()
	r := topup.Request{ID: id, Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
	if _, _, err := j.Accept(t.Context(), r, time.Now()); err != nil {
		t.Fatal(err)
	}
	_, ev, err := j.Cancel(t.Context(), r.ID, r.Caller, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return *ev
}

// states are how far an order's events got, by endpoint.
func states(t *testing.T, j *journal.Journal, id topup.ID) map[string]topup.EventState {
	t.Helper()
	details, err := j.Details(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]topup.EventState{}
	for _, ev := range details.Events {
		got[ev.Endpoint] = ev.State
	}
	return got
}

// TestSeveralEndpoints: each receives what it wants under an id of its own, and none waits for another.
func TestSeveralEndpoints(t *testing.T) {
	j := openJournal(t)
	secret := []string{vectorSecret}
	slow, crm, erp := newReceiver(t, hang), newReceiver(t, status(204)), newReceiver(t, status(204))
	endpoints := shops{"shop": {
		{URL: slow.URL, Secrets: secret},
		{Name: "crm", URL: crm.URL, Secrets: secret, Types: []topup.EventType{"topup.failed", "topup.canceled"}},
		{Name: "erp", URL: erp.URL, Secrets: secret, Types: []topup.EventType{"topup.succeeded"}},
	}}
	d := deliverer(t, webhook.Config{Health: j}, j, endpoints)
	ev := withdrawn(t, j, "ORD-1")
	if !d.DeliverNow(t.Context(), ev, func(topup.Event, time.Time) {}) {
		t.Fatal("no room")
	}
	testkit.Eventually(t, patience, func() bool { return states(t, j, "ORD-1")["crm"] == topup.EventDelivered },
		"the endpoint waits for another that hangs")
	if got := states(t, j, "ORD-1"); len(got) != 2 || got[""] != topup.EventPending {
		t.Errorf("events %v, want one pending beside crm's", got)
	}
	got := crm.requests()[0]
	copied, err := webhook.Verify(got.body, got.Header, vectorSecret)
	if err != nil || copied.ID == ev.ID || copied.Data.Sequence != ev.Sequence || len(erp.requests()) != 0 {
		t.Errorf("got %+v, %v; erp %d requests", copied, err, len(erp.requests()))
	}
}

// TestNoCallbackURL: the first endpoint that wants the event takes it; an event that nobody wants is exhausted.
func TestNoCallbackURL(t *testing.T) {
	j := openJournal(t)
	crm, erp := newReceiver(t, status(204)), newReceiver(t, status(204))
	endpoints := shops{"shop": {
		{Secrets: []string{vectorSecret}},
		{Name: "crm", URL: crm.URL, Secrets: []string{vectorSecret}},
		{Name: "erp", URL: erp.URL, Secrets: []string{vectorSecret}},
	}}
	d := deliverer(t, webhook.Config{Health: j}, j, endpoints)
	deliver(t, d, withdrawn(t, j, "ORD-1").ID)
	want := map[string]topup.EventState{"crm": topup.EventDelivered, "erp": topup.EventDelivered}
	testkit.Eventually(t, patience, func() bool { return cmp.Equal(want, states(t, j, "ORD-1")) },
		"not both endpoints received it")
	delete(endpoints, "shop")
	deliver(t, d, withdrawn(t, j, "ORD-2").ID)
	if got := states(t, j, "ORD-2"); !cmp.Equal(got, map[string]topup.EventState{"": topup.EventExhausted}) {
		t.Errorf("a caller without an endpoint: %v", got)
	}
}

// TestOldNewsStaysWhereItWent: an endpoint that comes later gets no event that was tried before, whether that is tried
// again, or redelivered.
func TestOldNewsStaysWhereItWent(t *testing.T) {
	j := openJournal(t)
	var answer atomic.Int64
	answer.Store(http.StatusInternalServerError)
	shop := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(answer.Load())) })
	crm := newReceiver(t, status(204))
	endpoints := shops{"shop": {{URL: shop.URL, Secrets: []string{vectorSecret}}}}
	d := deliverer(t, webhook.Config{Schedule: []time.Duration{0}}, j, endpoints)
	ev := withdrawn(t, j, "ORD-1")
	deliver(t, d, ev.ID)
	endpoints["shop"] = append(endpoints["shop"],
		webhook.Endpoint{Name: "crm", URL: crm.URL, Secrets: []string{vectorSecret}})
	answer.Store(http.StatusOK)
	for n := range 2 {
		deliver(t, d, ev.ID)
		if got := states(t, j, "ORD-1"); !cmp.Equal(got, map[string]topup.EventState{"": topup.EventDelivered}) {
			t.Errorf("after %d redeliveries: %v", n, got)
		}
		if err := j.RedeliverWithin(t.Context(), ev, 10, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(shop.requests()); got != 3 {
		t.Errorf("it was sent %d times, want 3", got)
	}
}

// TestGone: 410 disables the endpoint, the operator is notified, the next event is exhausted unsent, and all are
// there to be sent when it is enabled again.
func TestGone(t *testing.T) {
	j := openJournal(t)
	var answer atomic.Int64
	answer.Store(http.StatusGone)
	shop := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(answer.Load())) })
	ops := newReceiver(t, status(204))
	d := deliverer(t, webhook.Config{Health: j}, j, shops{
		"shop":               {{URL: shop.URL + "/hook", Secrets: []string{vectorSecret}}},
		topup.OperatorCaller: {{URL: ops.URL, Secrets: []string{vectorSecret}}},
	})
	first, second := withdrawn(t, j, "ORD-1"), withdrawn(t, j, "ORD-2")
	deliver(t, d, first.ID)
	deliver(t, d, second.ID)
	if len(shop.requests()) != 1 {
		t.Errorf("%d requests, want 1: the endpoint is gone", len(shop.requests()))
	}
	kept, err := j.Event(t.Context(), second.ID)
	if err != nil || kept.State != topup.EventExhausted ||
		string(kept.Tries[0].Error) != "the endpoint is disabled: it answered 410" {
		t.Errorf("the next event is %s: %+v, %v", kept.State, kept.Tries, err)
	}
	testkit.Eventually(t, patience, func() bool { return len(ops.requests()) == 1 }, "the operator was not notified")
	notified, err := webhook.Verify(ops.requests()[0].body, ops.requests()[0].Header, vectorSecret)
	var disabled topup.DisabledEndpoint
	if err == nil {
		err = json.Unmarshal(notified.OperatorData, &disabled)
	}
	want := topup.DisabledEndpoint{Caller: "shop", Endpoint: topup.DefaultEndpoint, URL: shop.URL + "/hook",
		Reason: "it answered 410"}
	if diff := cmp.Diff(want, disabled); diff != "" || err != nil || notified.Type != topup.EventEndpointDisabled {
		t.Errorf("notified of %+v, %v: %s", notified, err, diff)
	}

	answer.Store(http.StatusOK)
	if err := j.EndpointHealthy(t.Context(), "shop", shop.URL+"/hook"); err != nil {
		t.Fatal(err)
	}
	fresh := deliverer(t, webhook.Config{Health: j}, j,
		shops{"shop": {{URL: shop.URL + "/hook", Secrets: []string{vectorSecret}}}})
	count, _, err := j.RedeliverAll(t.Context(), topup.EventFilter{State: topup.EventExhausted, Caller: "shop"},
		time.Now(), func(ev topup.Event) { deliver(t, fresh, ev.ID) })
	if err != nil || count != 2 || len(shop.requests()) != 3 {
		t.Errorf("%d redelivered, %v; %d requests", count, err, len(shop.requests()))
	}
}

// TestFailingForLong: an endpoint is disabled when it has failed for so long without a success, and one
// success begins the count anew.
func TestFailingForLong(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		codes []int
		want  bool
	}{
		"long enough":          {time.Microsecond, []int{500, 500}, true},
		"not yet":              {time.Hour, []int{500, 500, 500}, false},
		"a success in between": {time.Microsecond, []int{500, 200, 500}, false},
		"only once":            {time.Microsecond, []int{503}, false},
	} {
		t.Run(name, func(t *testing.T) {
			j := openJournal(t)
			codes := c.codes
			shop := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(codes[0])
				codes = codes[1:]
			})
			d := deliverer(t, webhook.Config{Health: j, DisableAfter: c.after}, j, at(shop.URL, vectorSecret))
			for i := range c.codes {
				deliver(t, d, withdrawn(t, j, topup.ID("ORD-"+string(rune('A'+i)))).ID)
			}
			h, err := j.EndpointHealth(t.Context(), "shop", shop.URL)
			if err != nil || (h.DisabledAt != nil) != c.want {
				t.Errorf("health %+v, %v; disabled: want %v", h, err, c.want)
			}
		})
	}
}

// TestURLOfOneOrder: an order's own URL that is gone says nothing of the caller's.
func TestURLOfOneOrder(t *testing.T) {
	j := openJournal(t)
	r := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/orders/1" {
			w.WriteHeader(http.StatusGone)
		}
	})
	d := deliverer(t, webhook.Config{Health: j}, j, at(r.URL+"/hook", vectorSecret))
	req := topup.Request{ID: "ORD-1", Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE",
		Amount: topup.Pesos(10), CallbackURL: r.URL + "/orders/1"}
	if _, _, err := j.Accept(t.Context(), req, time.Now()); err != nil {
		t.Fatal(err)
	}
	_, ev, err := j.Cancel(t.Context(), req.ID, req.Caller, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, d, ev.ID)
	deliver(t, d, withdrawn(t, j, "ORD-2").ID)
	if got := states(t, j, "ORD-2")[""]; got != topup.EventDelivered ||
		states(t, j, "ORD-1")[""] != topup.EventExhausted {
		t.Errorf("the next order's event is %s", got)
	}
}

// TestRate: beyond its rate an endpoint's events wait, and no other's do.
func TestRate(t *testing.T) {
	r, other := newReceiver(t, status(200)), newReceiver(t, status(200))
	b := newBook(news(t, "evt_1"), news(t, "evt_2"), news(t, "evt_3"))
	endpoints := phoneBook{"shop": {URL: r.URL, Secrets: []string{vectorSecret}}}
	d := deliverer(t, webhook.Config{Rate: 0.001}, b, endpoints)
	deliver(t, d, "evt_1")
	began := time.Now()
	if next := deliver(t, d, "evt_2"); next.Before(began) || len(r.requests()) != 1 {
		t.Errorf("comes back at %s after %d requests", next, len(r.requests()))
	}
	ev, _ := b.Event(t.Context(), "evt_2")
	if d.DeliverNow(t.Context(), ev, nil) {
		t.Error("a first try beyond the rate")
	}
	endpoints["shop"] = webhook.Endpoint{URL: other.URL, Secrets: []string{vectorSecret}}
	if deliver(t, d, "evt_3"); len(other.requests()) != 1 {
		t.Error("another endpoint waits for the rate of the first")
	}
}

// TestWarnsBeforeDisabling: at half and at nine tenths of the way to disabling an endpoint that is said, once each, and
// of no endpoint that fails for less or answers.
func TestWarnsBeforeDisabling(t *testing.T) {
	const after = 100 * time.Hour
	for name, c := range map[string]struct {
		failing time.Duration
		share   string // of the warning; empty: there is none
	}{"a while": {45 * time.Hour, ""}, "half": {51 * time.Hour, "0.5"}, "nine tenths": {91 * time.Hour, "0.9"}} {
		t.Run(name, func(t *testing.T) {
			j := openJournal(t)
			bad, good := newReceiver(t, status(500)), newReceiver(t, status(204))
			var log lockedBuffer
			d := deliverer(t, webhook.Config{Health: j, DisableAfter: after, Log: slog.New(slog.NewJSONHandler(&log, nil))}, j,
				shops{"shop": {{URL: bad.URL + "/?token=hush", Secrets: []string{vectorSecret}},
					{Name: "crm", URL: good.URL, Secrets: []string{vectorSecret}}}})
			for _, ago := range []time.Duration{c.failing, 44 * time.Hour} {
				if _, err := j.EndpointFailed(t.Context(), "shop", bad.URL+"/?token=hush", time.Now().Add(-ago)); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range []topup.ID{"ORD-1", "ORD-2", "ORD-3"} {
				deliver(t, d, withdrawn(t, j, id).ID)
			}
			const says = "webhook endpoint fails, and will be disabled"
			want := 1
			if c.share == "" {
				want = 0
			}
			if got := strings.Count(log.String(), says); got != want || want == 1 && !strings.Contains(log.String(),
				`"endpoint":"default"`) || !strings.Contains(log.String(), `"share":`+c.share) && want == 1 ||
				strings.Contains(log.String(), "hush") {
				t.Errorf("warned %d times, want %d: %s", got, want, log.String())
			}
			for i, share := range webhook.WarnAt() {
				now := time.Now()
				n, err := j.FailingEndpoints(t.Context(), now.Add(-time.Duration(share*float64(after))), now)
				if has := c.failing > time.Duration(share*float64(after)); err != nil || (n == 1) != has {
					t.Errorf("share %d: %d endpoints fail, %v", i, n, err)
				}
			}
		})
	}
}

// TestDisabledByAnyPath: nothing is sent to an order's own URL while the endpoint that it stands for is disabled, at
// whatever path of its origin. Another endpoint of the caller goes on.
func TestDisabledByAnyPath(t *testing.T) {
	j := openJournal(t)
	shop, crm := newReceiver(t, status(204)), newReceiver(t, status(204))
	d := deliverer(t, webhook.Config{Health: j}, j, shops{"shop": {
		{URL: shop.URL + "/hook", Secrets: []string{vectorSecret}}, {Name: "crm", URL: crm.URL, Secrets: []string{vectorSecret}},
	}})
	disabled := topup.DisabledEndpoint{Caller: "shop", Endpoint: topup.DefaultEndpoint, URL: shop.URL + "/hook",
		Reason: "it answered 410"}
	if _, _, err := j.DisableEndpoint(t.Context(), disabled, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	for id, url := range map[topup.ID]string{"ORD-1": "", "ORD-2": shop.URL + "/orders/2", "ORD-3": crm.URL + "/orders/3"} {
		req := topup.Request{ID: id, Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10),
			CallbackURL: url}
		if _, _, err := j.Accept(t.Context(), req, time.Now()); err != nil {
			t.Fatal(err)
		}
		_, ev, err := j.Cancel(t.Context(), id, "shop", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		deliver(t, d, ev.ID)
		kept, err := j.Event(t.Context(), ev.ID)
		if want := id == "ORD-3"; err != nil || (kept.State == topup.EventDelivered) != want ||
			!want && string(kept.Tries[0].Error) != "the endpoint is disabled: it answered 410" {
			t.Errorf("%s: %s %+v, %v", id, kept.State, kept.Tries, err)
		}
	}
	if n := len(shop.requests()); n != 0 {
		t.Errorf("%d requests reached the disabled endpoint", n)
	}
	pinged, err := d.Ping(t.Context(), "shop", topup.DefaultEndpoint)
	if err != nil || !pinged.Try.Delivered() {
		t.Errorf("pinged on wish: %+v, %v", pinged, err)
	}
	if h, err := j.EndpointHealth(t.Context(), "shop", disabled.URL); err != nil || h.DisabledAt == nil {
		t.Errorf("the ping enabled it: %+v, %v", h, err)
	}
}
