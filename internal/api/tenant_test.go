package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/internal/api"
	"recarga/internal/api/admin"
	"recarga/internal/balance"
	"recarga/internal/journal/search"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
	"recarga/webhook"
)

// fullOrders, fullBook, fullEvents and fullBalances know one order, of the caller shop, all of whose fields are set.
// Whatever is asked, that is it.
type (
	fullOrders struct {
		admin.Switch // of no order: not asked
		d            topup.Details
	}
	fullBook     struct{ d topup.Details }
	fullEvents   struct{ d topup.Details }
	fullBalances struct{}
	fullJournal  struct {
		fullBook
		fullEvents
		fullBalances
		admin.Health // of no endpoint: not asked
	}
)

// Conclude says too much of every order.
func (f fullBook) Conclude(_ context.Context, orders []topup.Order) error {
	for i := range orders {
		orders[i].Conclusion = f.d.Conclusion
	}
	return nil
}

const place = "the place in a list, with the others' row numbers"

func fullDetails() (d topup.Details) {
	testkit.Fill(&d)
	d.ID, d.Caller, d.Events[0].Caller, d.Events[0].OrderID = "ORD-1", "shop", "shop", "ORD-1"
	return d
}

func (f fullOrders) Place(context.Context, topup.Request) (topup.Order, bool, error) {
	return f.d.Order, true, nil
}

func (f fullOrders) Cancel(context.Context, topup.ID, producer.Actor) (topup.Order, error) {
	return f.d.Order, nil
}

func (f fullOrders) Resolve(context.Context, topup.ID, topup.Resolution) (topup.Order, error) {
	return f.d.Order, nil
}

func (f fullOrders) Correct(context.Context, topup.ID, topup.Correction) (topup.Order, error) {
	return f.d.Order, nil
}

func (f fullOrders) HoldBack(context.Context, topup.ID, producer.Actor) (topup.Order, error) {
	return f.d.Order, nil
}

func (f fullOrders) LetGo(context.Context, topup.ID, producer.Actor) (topup.Order, error) {
	return f.d.Order, nil
}

func (f fullOrders) Uphold(context.Context, topup.ID, topup.Upholding) (topup.Order, error) {
	return f.d.Order, nil
}

func (f fullBook) Details(context.Context, topup.ID) (topup.Details, error) { return f.d, nil }

func (fullBook) RecordAct(context.Context) error { return nil }

func (f fullBook) Actions(context.Context, topup.ID) ([]topup.Action, error) { return f.d.Actions, nil }

func (fullBook) Acts(context.Context, desk.ActFilter) ([]desk.Act, string, error) {
	return nil, "", nil
}

func (f fullBook) List(context.Context, search.Filter) ([]topup.Order, string, error) {
	return []topup.Order{f.d.Order}, place, nil
}

func (f fullBook) Find(context.Context, string, string) ([]topup.Order, error) {
	return []topup.Order{f.d.Order}, nil
}

func (f fullBook) Export(context.Context, search.Filter, search.Parts) iter.Seq2[topup.Details, error] {
	return func(yield func(topup.Details, error) bool) { yield(f.d, nil) }
}

func (f fullEvents) Event(context.Context, string) (topup.Event, error) { return f.d.Events[0], nil }

func (f fullEvents) Events(context.Context, topup.EventFilter) ([]topup.Event, string, error) {
	return f.d.Events, place, nil
}

func (f fullEvents) Feed(context.Context, string, search.FeedPlace, int) ([]topup.Event, search.FeedPlace, error) {
	ev := f.d.Events[0]
	ev.Body = []byte("{}")
	return []topup.Event{ev}, search.FeedPlace{Position: 1, Event: place}, nil
}

func (f fullOrders) Redeliver(context.Context, string, producer.Actor) (topup.Event, error) {
	return f.d.Events[0], nil
}

func (f fullOrders) RedeliverAll(context.Context, topup.EventFilter, producer.Actor) (int, string, error) {
	return 1, place, nil
}

func (fullBalances) Balance(context.Context) (topup.BalanceStanding, error) {
	return topup.BalanceStanding{Low: true}, nil
}

func (fullBalances) BalancesSince(context.Context, time.Time) (all []topup.BalanceReading, err error) {
	all = make([]topup.BalanceReading, 1)
	testkit.Fill(&all[0])
	return all, nil
}

func (fullBalances) BalanceChangesSince(context.Context, time.Time) (all []topup.BalanceChange, err error) {
	all = make([]topup.BalanceChange, 1)
	testkit.Fill(&all[0])
	return all, nil
}

// fullPinger answers a ping with the try of a full order.
type fullPinger struct{ d topup.Details }

func (f fullPinger) Ping(context.Context, string, string) (webhook.Pinged, error) {
	return webhook.Pinged{Try: f.d.Events[0].Tries[0]}, nil
}

// secrets are the texts of an order that its caller must not see.
func secrets(t *testing.T, d topup.Details) (hidden []string) {
	t.Helper()
	raw, err := json.Marshal(d)
	seen, err2 := json.Marshal(d.ForCaller())
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for _, text := range strings.Split(string(raw), `"`) {
		if strings.HasPrefix(text, "text of ") && !strings.Contains(string(seen), text) {
			hidden = append(hidden, text)
		}
	}
	if len(hidden) < 10 {
		t.Fatalf("hidden are %q alone", hidden)
	}
	return append(hidden, place, base64.RawURLEncoding.EncodeToString([]byte(place)), `"history"`, `"changes"`, `"low"`)
}

// TestTenantsSeeTheirOwn asks every operation that a caller may use, and looks for what it must not see. An operation
// that is new to the API must be added here.
func TestTenantsSeeTheirOwn(t *testing.T) {
	d := fullDetails()
	hidden := secrets(t, d)
	s := serve(t, func(c *api.Config) {
		c.Orders, c.Book = fullOrders{d: d}, fullJournal{fullBook: fullBook{d}, fullEvents: fullEvents{d}}
		c.Balances, c.Pinger = balance.NewCache(&wallet{}, nil), fullPinger{d}
	})
	bodies := map[string][2]string{ // the media type and the body of those that take one; empty for those that take none
		"get /v1/topups": {}, "get /v1/topups/{id}": {}, "get /v1/search": {}, "post /v1/topups/{id}/cancel": {},
		"get /v1/events": {}, "get /v1/events?after=&caller=shop": {}, "post /v1/events/{id}/redeliver": {}, "get /v1/products": {}, "get /v1/balance": {},
		"post /v1/topups": {typeJSON, order("ORD-1")}, "post /v1/topups/batch": {typeND, order("ORD-1")},
		"post /v1/events/redeliver": {typeJSON, `{"limit":1}`}, "post /v1/endpoints/{endpoint}/ping": {},
	}
	var doc struct {
		Paths map[string]map[string]any
	}
	raw, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	decode(t, raw, &doc)
	doc.Paths["/v1/events?after=&caller=shop"] = map[string]any{"get": nil} // as a feed it is another operation
	asked := 0
	for path, operations := range doc.Paths {
		for method := range operations {
			request, known := bodies[method+" "+path]
			where := strings.ReplaceAll(path, "{id}", "ORD-1")
			if path == "/v1/search" {
				where += "?q=ORD-1"
			}
			ask := func(key string) answer {
				header := []string{"Authorization", "Bearer " + key, "Content-Type", request[0]}
				return s.send(strings.ToUpper(method), where, request[1], header...)
			}
			if !known {
				if got := ask(shopKey); got.status != http.StatusForbidden {
					t.Errorf("%s %s is answered %d to a caller, and this test does not look at it", method, path, got.status)
				}
				continue
			}
			asked++
			got, whole := ask(shopKey).want(http.StatusOK), ask(adminKey).want(http.StatusOK)
			for _, secret := range hidden {
				if strings.Contains(string(got.body), secret) || strings.Contains(fmt.Sprint(got.header), secret) {
					t.Errorf("%s %s shows a caller %s: %s", method, path, secret, got.body)
				}
			}
			if path == "/v1/topups/{id}" && !strings.Contains(string(whole.body), hidden[0]) {
				t.Errorf("the operator sees no %s: %s", hidden[0], whole.body)
			}
		}
	}
	if asked != len(bodies) {
		t.Errorf("%d operations were asked, of %d", asked, len(bodies))
	}
}

// TestCursorsAreSealed: a cursor says nothing, and leads on in no other list than its own.
func TestCursorsAreSealed(t *testing.T) {
	s := serve(t)
	for i := range 3 {
		s.canceled(shopKey, fmt.Sprint("SHOP-", i))
		s.canceled(otherKey, fmt.Sprint("OTHER-", i))
	}
	lists := []string{
		"/v1/topups?limit=2", "/v1/topups?limit=2&state=canceled", "/v1/topups?limit=2&since=1h",
		"/v1/topups?limit=2&since=2h", "/v1/events?limit=2", "/v1/events?limit=2&state=pending",
	}
	next := map[string]string{}
	for _, key := range []string{shopKey, otherKey, adminKey} {
		for _, list := range lists {
			var page listed
			decode(t, s.get(key, list).want(http.StatusOK).body, &page)
			if page.NextCursor == nil {
				t.Fatalf("%s %s has one page: %+v", key, list, page)
			}
			next[key+" "+list] = *page.NextCursor
		}
	}
	for made, cursor := range next {
		for asked := range next {
			key, list, _ := strings.Cut(asked, " ")
			want := http.StatusOK
			if asked != made {
				want = http.StatusUnprocessableEntity
			}
			got := s.get(key, list+"&cursor="+url.QueryEscape(cursor)).want(want)
			if want != http.StatusOK && !slices.Equal(got.problem().named(), []string{"query.cursor"}) {
				t.Errorf("%s with the cursor of %s: %s", asked, made, got.body)
			}
		}
	}
	// Pages of another length are of the same list.
	s.get(shopKey, "/v1/topups?limit=1&cursor="+next[shopKey+" "+lists[0]]).want(http.StatusOK)
	plain, err := base64.RawURLEncoding.DecodeString(next[shopKey+" "+lists[0]])
	if err != nil || strings.Contains(string(plain), fmt.Sprint(time.Now().Unix()/1e4)) {
		t.Errorf("it can be read: %q, %v", plain, err)
	}
}

// TestAnswersAreOnesOwn: whatever a caller looks for, over a real journal, it finds nothing of another caller.
func TestAnswersAreOnesOwn(t *testing.T) {
	s := serve(t)
	s.place("OURS").want(http.StatusAccepted)
	s.post(otherKey, "/v1/topups", order("THEIRS")).want(http.StatusAccepted) // for the same phone
	s.buy("THEIRS", "TXN-THEIRS")
	for _, path := range []string{
		"/v1/topups", "/v1/topups?phone_number=5537686660", "/v1/topups?transaction_id=TXN-THEIRS", "/v1/topups/THEIRS",
		"/v1/search?q=THEIRS", "/v1/search?q=TXN-THEIRS", "/v1/search?q=5537686660", "/v1/events", "/v1/export",
	} {
		if all := s.get(adminKey, path); !strings.Contains(string(all.body), "THEIRS") {
			t.Errorf("the operator does not find it by %s: %s", path, all.body)
		}
		if a := s.get(shopKey, path); strings.Contains(strings.ReplaceAll(string(a.body), path, ""), "THEIRS") {
			t.Errorf("another caller finds it by %s: %s", path, a.body)
		}
	}
}
