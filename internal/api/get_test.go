package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/distributor"
	"recarga/internal/api"
	"recarga/internal/balance"
	"recarga/topup"
)

type page struct {
	Data       []topup.Order
	NextCursor *string `json:"next_cursor"`
}

func (s *server) list(key, query string) page {
	s.tb.Helper()
	var p page
	decode(s.tb, s.get(key, "/v1/topups?"+query).want(http.StatusOK).body, &p)
	return p
}

func (p page) ids() []topup.ID {
	ids := []topup.ID{}
	for _, o := range p.Data {
		ids = append(ids, o.ID)
	}
	return ids
}

func TestListPages(t *testing.T) {
	s := serve(t)
	var want []topup.ID
	for i := range 60 {
		id := fmt.Sprintf("ORD-%02d", i)
		s.place(id).want(http.StatusAccepted)
		want = append([]topup.ID{topup.ID(id)}, want...)
	}
	s.post(otherKey, "/v1/topups", order("OTHER")).want(http.StatusAccepted)
	if got := len(s.list(shopKey, "").Data); got != 50 {
		t.Errorf("a page is %d orders by default", got)
	}
	if got := len(s.list(adminKey, "limit=200").Data); got != 61 {
		t.Errorf("the admin sees %d orders", got)
	}
	var got []topup.ID
	for query := "limit=25"; query != ""; {
		p := s.list(shopKey, query)
		got = append(got, p.ids()...)
		query = ""
		if p.NextCursor != nil {
			query = "limit=25&cursor=" + url.QueryEscape(*p.NextCursor)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// buy has the order succeed under the distributor's id.
func (s *server) buy(id topup.ID, transaction string) {
	s.tb.Helper()
	now := time.Now()
	if _, err := s.journal.Begin(s.tb.Context(), id, 0, "worker", now.Add(time.Minute), now); err != nil {
		s.tb.Fatal(err)
	}
	result := topup.Result{Outcome: topup.OutcomeApproved, HTTPStatus: 200, Code: "00", TransactionID: transaction}
	if _, _, err := s.journal.Finish(s.tb.Context(), topup.Settlement{ID: id, Number: 1, State: topup.StateSucceeded,
		Result: result}, now); err != nil {
		s.tb.Fatal(err)
	}
}

func TestListFilters(t *testing.T) {
	s := serve(t)
	start := time.Now().UTC().Add(-time.Minute)
	s.place("A").want(http.StatusAccepted)
	s.post(shopKey, "/v1/topups",
		`{"distributor_transaction_id":"B","phone_number":"5500000091","product_id":"MOVISTAR_PAQUETE_16","amount":30}`).want(http.StatusAccepted)
	s.post(shopKey, "/v1/topups/B/cancel", "").want(http.StatusOK)
	s.post(otherKey, "/v1/topups", order("C")).want(http.StatusAccepted)
	s.buy("C", "TXN-C")
	tests := []struct {
		key, query string
		want       []topup.ID
	}{
		{shopKey, "state=queued", []topup.ID{"A"}},
		{shopKey, "state=canceled&limit=1", []topup.ID{"B"}},
		{shopKey, "state=", []topup.ID{"B", "A"}},
		{shopKey, "phone_number=%2B52+55+0000+0091", []topup.ID{"B"}},
		{shopKey, "product_id=MOVISTAR_TAE", []topup.ID{"A"}},
		{shopKey, "state=unknown", []topup.ID{}},
		{shopKey, "transaction_id=TXN-C", []topup.ID{}}, // another caller's
		{adminKey, "transaction_id=TXN-C", []topup.ID{"C"}},
		{shopKey, "since=" + url.QueryEscape(start.Format(time.RFC3339)), []topup.ID{"B", "A"}},
		{shopKey, "until=" + url.QueryEscape(start.Format(time.RFC3339)), []topup.ID{}},
		// its + is not escaped
		{shopKey, "since=" + start.In(time.FixedZone("", 3600)).Format(time.RFC3339), []topup.ID{"B", "A"}},
		{shopKey, "since=1h", []topup.ID{"B", "A"}},
		{shopKey, "until=1h", []topup.ID{}},
		{shopKey, "since=yesterday&until=2026-01-01", []topup.ID{}},
		{shopKey, "code=00", []topup.ID{}}, // another caller's
		{otherKey, "code=00", []topup.ID{"C"}},
		{otherKey, "code=91&reason=declined", []topup.ID{}},
		{adminKey, "caller=other", []topup.ID{"C"}},
		{adminKey, "", []topup.ID{"C", "B", "A"}},
		{otherKey, "", []topup.ID{"C"}},
	}
	for _, tt := range tests {
		t.Run(tt.key+" "+tt.query, func(t *testing.T) {
			p := s.list(tt.key, tt.query)
			if diff := cmp.Diff(tt.want, p.ids()); diff != "" {
				t.Error(diff)
			}
			if p.NextCursor != nil {
				t.Errorf("next_cursor %q on the last page", *p.NextCursor)
			}
		})
	}
}

func TestListRefusals(t *testing.T) {
	s := serve(t)
	tests := []struct {
		query  string
		status int
		wrong  []string
	}{
		{"caller=other", 403, nil},
		{"status=queued&foo=1", 422, []string{"query.foo", "query.status"}},
		{"state=done&limit=0&phone_number=12&product_id=X&since=-1h&until=x&code=%5E&reason=bad", 422,
			[]string{"query.code", "query.limit", "query.phone_number", "query.product_id", "query.reason", "query.since",
				"query.state", "query.until"}},
		{"limit=201", 422, []string{"query.limit"}},
		{"limit=ten", 422, []string{"query.limit"}},
		{"state=queued&state=failed", 422, []string{"query.state"}},
		{"cursor=%00nonsense", 422, []string{"query.cursor"}},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			wrong := s.get(shopKey, "/v1/topups?"+tt.query).want(tt.status).problem().named()
			slices.Sort(wrong)
			if diff := cmp.Diff(tt.wrong, wrong); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProducts(t *testing.T) {
	s := serve(t)
	var got struct{ Data []topup.Product }
	decode(t, s.get(shopKey, "/v1/products").want(http.StatusOK).body, &got)
	if diff := cmp.Diff(topup.DefaultCatalog().Products(), got.Data); diff != "" {
		t.Error(diff)
	}
}

// wallet is a distributor that counts how often it is asked.
type wallet struct {
	mu    sync.Mutex
	asked int
	err   error
}

func (w *wallet) Balance(context.Context) (distributor.Balance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return distributor.Balance{Amount: "990.00", Currency: "USD", FetchedAt: time.Now()}, w.err
}

func TestBalance(t *testing.T) {
	w := &wallet{err: errors.New("out of order")}
	s := serve(t, func(c *api.Config) { c.Balances = balance.NewCache(w) })
	if got := s.get(shopKey, "/v1/balance").want(http.StatusBadGateway); got.header.Get("Retry-After") == "" {
		t.Error("502 without Retry-After")
	}
	w.mu.Lock()
	w.asked, w.err = 0, nil
	w.mu.Unlock()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			var got struct {
				Balance     any
				Currency    string
				LastUpdated *time.Time `json:"last_updated"`
				FetchedAt   time.Time  `json:"fetched_at"`
				AgeSeconds  *int       `json:"age_seconds"`
			}
			decode(t, s.get(shopKey, "/v1/balance").want(http.StatusOK).body, &got)
			if fmt.Sprint(got.Balance) != "990.00" || got.Currency != "USD" || got.LastUpdated != nil ||
				got.FetchedAt.IsZero() || got.AgeSeconds == nil {
				t.Errorf("%+v", got)
			}
		})
	}
	all.Wait()
	if w.asked != 1 {
		t.Errorf("asked the distributor %d times", w.asked)
	}
}

func TestBalanceWithoutDistributor(t *testing.T) {
	serve(t).get(shopKey, "/v1/balance").want(http.StatusServiceUnavailable)
}
