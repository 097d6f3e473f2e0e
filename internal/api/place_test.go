package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/access"
	"recarga/internal/api"
	"recarga/internal/api/keys"
	"recarga/topup"
)

func TestPlace(t *testing.T) {
	s := serve(t)
	first := s.place("ORD-1", `"operator":"MOVISTAR"`, `"metadata":{"cart":"7"}`).want(http.StatusAccepted)
	if got := first.header.Get("Idempotent-Replayed"); got != "" {
		t.Errorf("a new order says Idempotent-Replayed: %s", got)
	}
	if got := first.header.Get("Location"); got != "/v1/topups/ORD-1" {
		t.Errorf("Location %q", got)
	}
	o := first.order()
	if o.State != topup.StateQueued || o.Caller != "shop" || o.Amount != topup.Pesos(10) || o.Metadata["cart"] != "7" {
		t.Errorf("order %+v", o)
	}
	again := s.place("ORD-1", `"metadata":{"cart":"7"}`, `"operator":"MOVISTAR"`,
		`"callback_url":"https://shop.example/elsewhere"`).want(http.StatusOK)
	if got := again.header.Get("Idempotent-Replayed"); got != "true" {
		t.Errorf("a repeat says Idempotent-Replayed: %q", got)
	}
	if diff := cmp.Diff(first.order(), again.order()); diff != "" {
		t.Errorf("the repeat differs: %s", diff)
	}
	got := s.get(shopKey, first.header.Get("Location")).want(http.StatusOK)
	if diff := cmp.Diff(o, got.order()); diff != "" {
		t.Errorf("GET differs: %s", diff)
	}
	if !strings.Contains(string(got.body), `"attempts":[]`) || !strings.Contains(string(got.body), `"events":[]`) {
		t.Errorf("no empty lists in %s", got.body)
	}
	s.place("ORD-1", `"operator":"MOVISTAR"`).want(http.StatusConflict)
}

// TestAmountStaysExact: no float on the way in or out.
func TestAmountStaysExact(t *testing.T) {
	s := serve(t)
	body := strings.Replace(order("ORD-1"), `"amount":10`, `"amount":1000.10`, 1)
	got := s.post(shopKey, "/v1/topups", body).want(http.StatusAccepted)
	if !strings.Contains(string(got.body), `"amount":1000.10,`) {
		t.Errorf("amount of %s", got.body)
	}
}

func TestRefusals(t *testing.T) {
	s := serve(t)
	s.place("TAKEN").want(http.StatusAccepted)
	auth := []string{"Authorization", "Bearer " + shopKey}
	body := append(slices.Clone(auth), "Content-Type", typeJSON)
	large := order("ORD-1", `"metadata":{"a":"`+strings.Repeat("x", 64<<10)+`"}`)
	tests := []struct {
		name, method, path, body string
		header                   []string
		status                   int
		detail                   string
	}{
		{"no key", "GET", "/v1/products", "", nil, 401, "Bearer"},
		{"other scheme", "GET", "/v1/products", "", []string{"Authorization", "Basic " + shopKey}, 401, "Bearer"},
		{"empty key", "GET", "/v1/products", "", []string{"Authorization", "Bearer "}, 401, "Bearer"},
		{"unknown key", "POST", "/v1/topups", order("ORD-1"),
			[]string{"Authorization", "Bearer nobody", "Content-Type", typeJSON}, 401, "not known"},
		{"no media type", "POST", "/v1/topups", order("ORD-1"), auth, 415, typeJSON},
		{"form", "POST", "/v1/topups", order("ORD-1"), append(slices.Clone(auth), "Content-Type",
			"application/x-www-form-urlencoded"), 415, typeJSON},
		{"bytes", "POST", "/v1/topups", order("ORD-1"), append(slices.Clone(auth), "Content-Type",
			"application/octet-stream"), 415, "be application/json"},
		{"batch as JSON", "POST", "/v1/topups/batch", order("ORD-1"), body, 415, typeND},
		{"empty body", "POST", "/v1/topups", "", body, 400, "required"},
		{"not JSON", "POST", "/v1/topups", "{", body, 400, "JSON object"},
		{"array", "POST", "/v1/topups", "[]", body, 400, "JSON object"},
		{"two objects", "POST", "/v1/topups", order("A") + order("B"), body, 400, "JSON object"},
		{"too large", "POST", "/v1/topups", large, body, 413, "large"},
		{"taken id", "POST", "/v1/topups", order("TAKEN", `"operator":"TELCEL"`), body, 409, "content"},
		{"unknown product", "POST", "/v1/topups", strings.Replace(order("A"), "_TAE", "_TEA", 1), body, 422, "product_id"},
		{"expired", "POST", "/v1/topups", order("A", `"expires_at":"2020-01-01T00:00:00Z"`), body, 422, "expires_at"},
		{"query of a post", "POST", "/v1/topups?dry_run=1", order("A"), body, 422, "dry_run"},
		{"broken query", "GET", "/v1/topups?a=%zz", "", auth, 422, "not allowed"},
		{"no such order", "GET", "/v1/topups/NONE", "", auth, 404, "no such order"},
		{"no possible order", "GET", "/v1/topups/a%20b", "", auth, 404, "no such order"},
		{"cancel no order", "POST", "/v1/topups/NONE/cancel", "", auth, 404, "no such order"},
		{"no such path", "GET", "/v2", "", nil, 404, "/docs"},
		{"no such path below", "GET", "/v1/topups/A/b", "", auth, 404, "/docs"},
		{"other method", "DELETE", "/v1/topups/TAKEN", "", auth, 405, "GET"},
		{"other method on the list", "PUT", "/v1/topups", "", auth, 405, "POST"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := s.send(tt.method, tt.path, tt.body, tt.header...).want(tt.status)
			if p := got.problem(); !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("detail %q does not say %q", p.Detail, tt.detail)
			}
			if (tt.status == 401) != (got.header.Get("WWW-Authenticate") != "") {
				t.Errorf("%d with WWW-Authenticate %q", tt.status, got.header.Get("WWW-Authenticate"))
			}
			if (tt.status == 405) != (got.header.Get("Allow") != "") {
				t.Errorf("%d with Allow %q", tt.status, got.header.Get("Allow"))
			}
		})
	}
	s.place("ORD-1", `"metadata":{"a":"`+strings.Repeat("x", 4000)+`"}`).want(http.StatusAccepted)
}

// TestBodyOfTheLimit: 64 KiB are allowed, one byte more is not.
func TestBodyOfTheLimit(t *testing.T) {
	s := serve(t)
	body := order("ORD-1")
	body += strings.Repeat(" ", 64<<10-len(body))
	s.post(shopKey, "/v1/topups", body+" ").want(http.StatusRequestEntityTooLarge)
	s.post(shopKey, "/v1/topups", body).want(http.StatusAccepted)
}

func TestEveryWrongFieldAtOnce(t *testing.T) {
	s := serve(t)
	got := s.post(shopKey, "/v1/topups", `{"distributor_transaction_id":"a b","phone_number":"55376866601234","product_id":"X","amount":"10",
		"operator":"?","callback_url":"https://evil.example/","caller":"other","process_at":"soon","expires_at":1,"metadata":[],"phone":"5537686660"}`)
	p := got.want(http.StatusUnprocessableEntity).problem()
	want := []string{"body.amount", "body.callback_url", "body.caller", "body.distributor_transaction_id",
		"body.expires_at",
		"body.metadata", "body.operator", "body.phone", "body.phone_number", "body.process_at", "body.product_id"}
	names := p.named()
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("wrong fields: %s", diff)
	}
	for _, e := range p.Errors {
		if !strings.HasPrefix(e.Message, "must be ") {
			t.Errorf("%s: %s does not say what is allowed", e.Location, e.Message)
		}
	}
	if strings.Contains(string(got.body), "553768") {
		t.Errorf("shows a phone number: %s", got.body)
	}
}

func TestCallbackKeepsTheRegisteredOrigin(t *testing.T) {
	tests := []struct {
		registered, callback string
		status               int
	}{
		{"https://shop.example/hooks", "https://shop.example/other?x=1", 202},
		{"https://shop.example/hooks", "https://SHOP.example:443/", 202},
		{"https://shop.example/hooks", "http://shop.example/hooks", 422},
		{"https://shop.example/hooks", "https://shop.example:8443/hooks", 422},
		{"https://shop.example/hooks", "https://shop.example.evil.example/hooks", 422},
		{"https://shop.example/hooks", "https://shop.example@evil.example/hooks", 422},
		{"http://127.0.0.1:9000/hooks", "http://127.0.0.1:9000/x", 202},
		{"", "https://shop.example/hooks", 422},
	}
	for _, tt := range tests {
		t.Run(tt.registered+" "+tt.callback, func(t *testing.T) {
			s := serve(t, func(c *api.Config) { c.Callers = keys.Static(shopKey, tt.registered, "") })
			got := s.place("ORD-1", `"callback_url":"`+tt.callback+`"`).want(tt.status)
			if tt.status == 422 {
				if diff := cmp.Diff([]string{"body.callback_url"}, got.problem().named()); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestCallerOfTheBody(t *testing.T) {
	s := serve(t)
	s.place("A", `"caller":"shop"`).want(http.StatusAccepted)
	s.place("A").want(http.StatusOK)
	s.place("B", `"caller":"other"`).want(http.StatusUnprocessableEntity)
	s.post(adminKey, "/v1/topups", order("C", `"caller":"shop"`)).want(http.StatusUnprocessableEntity)
	if o := s.post(adminKey, "/v1/topups",
		order("C")).want(http.StatusAccepted).order(); o.Caller != topup.DefaultCaller {
		t.Errorf("the admin places as %s", o.Caller)
	}
}

// TestSameOrderAtOnce: fifty clients send one order at the same moment; it is one order.
func TestSameOrderAtOnce(t *testing.T) {
	s := serve(t)
	const clients = 50
	answers := make([]answer, clients)
	var sent sync.WaitGroup
	for i := range answers {
		sent.Go(func() { answers[i] = s.place("ORD-1") })
	}
	sent.Wait()
	accepted := 0
	for _, a := range answers {
		if a.status == http.StatusAccepted {
			accepted++
		} else if a.want(http.StatusOK); a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("a repeat without its header: %v", a.header)
		}
		if diff := cmp.Diff(answers[0].order(), a.order()); diff != "" {
			t.Errorf("two answers differ: %s", diff)
		}
	}
	if accepted != 1 {
		t.Errorf("accepted %d times", accepted)
	}
}

func TestAnotherCallersOrder(t *testing.T) {
	s := serve(t)
	s.place("ORD-1").want(http.StatusAccepted)
	s.get(otherKey, "/v1/topups/ORD-1").want(http.StatusNotFound)
	s.post(otherKey, "/v1/topups/ORD-1/cancel", "").want(http.StatusNotFound)
	taken := s.post(otherKey, "/v1/topups", order("ORD-1")).want(http.StatusConflict)
	if strings.Contains(string(taken.body), "shop") {
		t.Errorf("the conflict says whose order it is: %s", taken.body)
	}
	s.get(adminKey, "/v1/topups/ORD-1").want(http.StatusOK)
	s.post(adminKey, "/v1/topups/ORD-1/cancel", "").want(http.StatusOK)
}

func TestCancel(t *testing.T) {
	s := serve(t)
	s.place("ORD-1").want(http.StatusAccepted)
	for range 2 {
		if o := s.post(shopKey, "/v1/topups/ORD-1/cancel", "").want(http.StatusOK).order(); o.State != topup.StateCanceled {
			t.Errorf("state %s", o.State)
		}
	}
	s.place("ORD-2").want(http.StatusAccepted)
	now := time.Now()
	if _, err := s.journal.Begin(t.Context(), "ORD-2", 0, "worker", now.Add(time.Minute), now); err != nil {
		t.Fatal(err)
	}
	if p := s.post(shopKey, "/v1/topups/ORD-2/cancel",
		"").want(http.StatusConflict).problem(); !strings.Contains(p.Detail, "submitting") {
		t.Errorf("detail %q", p.Detail)
	}
}

// TestNotDurable: an order that cannot be recorded is not accepted, and may be sent again.
func TestNotDurable(t *testing.T) {
	s := serve(t)
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	for _, got := range []answer{s.place("ORD-1"), s.get(shopKey, "/v1/topups/ORD-1"), s.get(shopKey, "/v1/topups")} {
		got.want(http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
	line := lines(t, s.batch(shopKey, order("ORD-1")))[0]
	if line.Status != http.StatusServiceUnavailable {
		t.Errorf("line %+v", line)
	}
}

// TestHungUp: a request whose client is gone counts as that, not as a fault of ours.
func TestHungUp(t *testing.T) {
	var statuses []int
	var cfg api.Config
	serve(t, func(c *api.Config) {
		c.Observe = func(s api.Served) { statuses = append(statuses, s.Status) }
		cfg = *c
	})
	handler := api.New(cfg)
	defer func() { _ = handler.Close() }()
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	for method, path := range map[string]string{http.MethodPost: "/v1/topups", http.MethodGet: "/v1/topups/ORD-1"} {
		r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(order("ORD-1")))
		r.Header.Set("Authorization", "Bearer "+shopKey)
		r.Header.Set("Content-Type", typeJSON)
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	if !slices.Equal(statuses, []int{499, 499}) {
		t.Errorf("they count as %v", statuses)
	}
}

// brokenOrders fail in a way nobody foresaw.
type brokenOrders struct{ api.Orders }

func (brokenOrders) Place(context.Context, topup.Request) (topup.Order, bool, error) { panic("boom") }

func TestPanicIsAProblem(t *testing.T) {
	s := serve(t, func(c *api.Config) { c.Orders = brokenOrders{} })
	for range 2 {
		got := s.place("ORD-1").want(http.StatusInternalServerError)
		if strings.Contains(string(got.body), "boom") || got.header.Get("X-Request-Id") == "" {
			t.Errorf("%v %s", got.header, got.body)
		}
	}
	for _, l := range lines(t, s.batch(shopKey, order("A")+"\n"+order("A")+"\n"+order("B"))) {
		if l.Status != http.StatusInternalServerError {
			t.Errorf("line %+v", l)
		}
	}
	s.get(shopKey, "/v1/products").want(http.StatusOK)
}

func TestRequestID(t *testing.T) {
	s := serve(t)
	if got := s.send("GET", "/docs", "", "X-Request-Id", "abc-1").header.Get("X-Request-Id"); got != "abc-1" {
		t.Errorf("X-Request-Id %q", got)
	}
	if got := s.send("GET", "/docs", "", "X-Request-Id", "a b").header.Get("X-Request-Id"); got == "a b" || got == "" {
		t.Errorf("X-Request-Id %q", got)
	}
}

func TestStaticCallers(t *testing.T) {
	tests := []struct {
		name, api, admin, key string
		want                  keys.Identity
		err                   error
	}{
		{"caller", "a", "b", "a", keys.Identity{Caller: "default", CallbackURL: "https://x"}, nil},
		{"operator", "a", "b", "b", keys.Identity{Caller: "default", CallbackURL: "https://x", Role: access.Admin,
			Operator: access.AdminName}, nil},
		{"operator alone", "", "b", "b", keys.Identity{Caller: "default", CallbackURL: "https://x", Role: access.Admin,
			Operator: access.AdminName}, nil},
		{"nobody", "a", "b", "c", keys.Identity{}, keys.ErrUnknown},
		{"empty matches nothing", "", "", "", keys.Identity{}, keys.ErrUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keys.Static(tt.api, "https://x", tt.admin).Authenticate(t.Context(), tt.key)
			if !cmp.Equal(got, tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// instantOrders accept everything and keep nothing.
type instantOrders struct{ api.Orders }

func (instantOrders) Place(_ context.Context, r topup.Request) (topup.Order, bool, error) {
	return r.Order(time.Now().UTC()), false, nil
}

func BenchmarkPlace(b *testing.B) {
	s := serve(b, func(c *api.Config) { c.Orders = instantOrders{} })
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.place("ORD-1", `"operator":"MOVISTAR"`).want(http.StatusAccepted)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
}
