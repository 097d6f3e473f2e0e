package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/api"
	"recarga/internal/api/keys"
	registrar "recarga/internal/callers"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

// withRegistry is a server whose callers are in its journal.
func withRegistry(t *testing.T) *server {
	t.Helper()
	return serve(t, func(c *api.Config) {
		registry := registrar.New(c.Book.(registrar.Store), "an encryption key", false)
		c.Registry, c.Callers = registry, keys.WithRegistry(c.Callers, registry)
		c.Orders = c.Orders.(*producer.Producer).WithQuotas(registrar.NewQuotas(registry, c.Book.(registrar.Book)))
		c.Endpoints = registry
	})
}

func (s *server) do(method, key, path, body string) answer {
	s.tb.Helper()
	return s.send(method, path, body, "Authorization", "Bearer "+key, "Content-Type", typeJSON)
}

func TestCallers(t *testing.T) {
	s := withRegistry(t)
	var added struct {
		Name, APIKey, WebhookSecret string
		CallbackURL                 string
	}
	var raw map[string]any
	a := s.post(adminKey, "/v1/callers",
		`{"name":"new-shop","callback_url":"https://new.example/hook"}`).want(http.StatusCreated)
	decode(t, a.body, &raw)
	added.Name, added.APIKey, added.WebhookSecret, added.CallbackURL = raw["name"].(string), raw["api_key"].(string),
		raw["webhook_secret"].(string), raw["callback_url"].(string)
	if added.Name != "new-shop" || added.CallbackURL != "https://new.example/hook" ||
		!strings.HasPrefix(added.WebhookSecret, "whsec_") || len(added.APIKey) < 40 {
		t.Errorf("added: %s", a.body)
	}
	o := s.post(added.APIKey, "/v1/topups", order("NEW-1")).want(http.StatusAccepted).order()
	if o.Caller != "new-shop" {
		t.Errorf("the order is %s's", o.Caller)
	}
	s.get(shopKey, "/v1/topups/NEW-1").want(http.StatusNotFound)
	s.get(adminKey, "/v1/topups/NEW-1").want(http.StatusOK)
	list := s.get(adminKey, "/v1/callers").want(http.StatusOK)
	if body := string(list.body); !strings.Contains(body, `"name":"new-shop"`) || strings.Contains(body, added.APIKey) ||
		strings.Contains(body, "api_key") || strings.Contains(body, "whsec_") {
		t.Errorf("listed: %s", body)
	}
	s.do("PATCH", adminKey, "/v1/callers/new-shop", `{"disabled":true}`).want(http.StatusOK)
	s.get(added.APIKey, "/v1/topups").want(http.StatusForbidden)
	s.do("PATCH", adminKey, "/v1/callers/new-shop", `{"disabled":false,"callback_url":""}`).want(http.StatusOK)
	s.get(added.APIKey, "/v1/topups").want(http.StatusOK)
	if a := s.do("POST", adminKey, "/v1/callers/new-shop/rotate-secret?overlap=1h",
		"").want(http.StatusOK); strings.Contains(string(a.body), added.WebhookSecret) {
		t.Error("the secret is the former one")
	}
	decode(t, s.do("POST", adminKey, "/v1/callers/new-shop/rotate-key", "").want(http.StatusOK).body, &raw)
	s.get(added.APIKey, "/v1/topups").want(http.StatusUnauthorized)
	s.get(raw["api_key"].(string), "/v1/topups").want(http.StatusOK)
}

// TestCallerVersions: each change is answered with the caller's version, and one of another version is refused.
func TestCallerVersions(t *testing.T) {
	s := withRegistry(t)
	var c struct {
		Version int64
		Keys    []struct {
			Hint      string
			ExpiresAt *time.Time `json:"expires_at"`
		}
	}
	is := func(a answer, version int64) {
		t.Helper()
		decode(t, a.want(http.StatusOK).body, &c)
		if c.Version != version {
			t.Errorf("version %d, want %d: %s", c.Version, version, a.body)
		}
	}
	s.post(adminKey, "/v1/callers", `{"name":"new"}`).want(http.StatusCreated)
	changes := []func(version string) answer{
		func(v string) answer {
			return s.do("PATCH", adminKey, "/v1/callers/new", strings.Replace(`{"disabled":true,"version":V}`, "V", v, 1))
		},
		func(v string) answer { return s.do("POST", adminKey, "/v1/callers/new/rotate-secret?version="+v, "") },
		func(v string) answer {
			const rotate = "/v1/callers/new/rotate-key?overlap=1h&expires_at=2100-01-01T00:00:00Z&version="
			return s.do("POST", adminKey, rotate+v, "")
		},
		func(v string) answer {
			return s.do("PUT", adminKey, "/v1/callers/new/endpoints/crm?version="+v, `{"url":"https://crm.example/"}`)
		},
		func(v string) answer { return s.do("DELETE", adminKey, "/v1/callers/new/endpoints/crm?version="+v, "") },
	}
	for i, change := range changes {
		before := int64(i + 1)
		for _, other := range []int64{before - 1, before + 1} {
			if other == 0 {
				continue
			}
			p := change(fmt.Sprint(other)).want(http.StatusConflict).problem()
			if !strings.Contains(p.Detail, fmt.Sprintf("at version %d", before)) {
				t.Errorf("change %d of version %d: %s", i, other, p.Detail)
			}
		}
		for _, wrong := range []string{"0", "-1"} {
			got := change(wrong).want(http.StatusUnprocessableEntity).problem().named()
			if len(got) != 1 || !strings.HasSuffix(got[0], ".version") {
				t.Errorf("version %s: %v", wrong, got)
			}
		}
		is(change(fmt.Sprint(before)), before+1)
	}
	is(s.do("PATCH", adminKey, "/v1/callers/new", `{"disabled":false}`), int64(len(changes)+2))
	if len(c.Keys) != 2 || c.Keys[0].ExpiresAt == nil || c.Keys[0].ExpiresAt.Year() != 2100 ||
		len(c.Keys[0].Hint) != 4 || c.Keys[1].ExpiresAt == nil {
		t.Errorf("keys %+v", c.Keys)
	}
	for _, query := range []string{
		"overlap=ever", "overlap=1000h", "expires_at=never", "expires_at=2020-01-01T00:00:00Z",
	} {
		s.do("POST", adminKey, "/v1/callers/new/rotate-key?"+query, "").want(http.StatusUnprocessableEntity)
	}
}

// TestExpiredKey: whoever has it learns that it has expired.
func TestExpiredKey(t *testing.T) {
	s := withRegistry(t)
	var c struct {
		APIKey string `json:"api_key"`
	}
	end := time.Now().Add(300 * time.Millisecond)
	body := fmt.Sprintf(`{"name":"new","key_expires_at":%q}`, end.Format(time.RFC3339Nano))
	decode(t, s.post(adminKey, "/v1/callers", body).want(http.StatusCreated).body, &c)
	testkit.Eventually(t, time.Minute, func() bool {
		got := s.get(c.APIKey, "/v1/topups")
		return got.status == http.StatusUnauthorized && strings.Contains(got.problem().Detail, "caller new has expired")
	}, "the key expires")
	p := s.get(c.APIKey+"x", "/v1/topups").want(http.StatusUnauthorized).problem()
	if strings.Contains(p.Detail, "expired") {
		t.Errorf("another key: %s", p.Detail)
	}
}

// TestIDPrefix: whoever places an order, alone or in a batch, learns that the beginning of its id is another's, and
// not whose.
func TestIDPrefix(t *testing.T) {
	s := withRegistry(t)
	var c struct {
		APIKey   string  `json:"api_key"`
		IDPrefix *string `json:"id_prefix"`
		Version  int64
	}
	s.place("B-1").want(http.StatusAccepted)
	taken := s.post(adminKey, "/v1/callers", `{"name":"b-shop","id_prefix":"B-"}`).want(http.StatusUnprocessableEntity)
	if e := taken.problem().Errors[0]; e.Location != "body.id_prefix" || !strings.Contains(e.Message, "1 do") {
		t.Errorf("%+v", e)
	}
	decode(t, s.post(adminKey, "/v1/callers", `{"name":"b-shop","id_prefix":"B-2"}`).want(http.StatusCreated).body, &c)
	if c.IDPrefix == nil || *c.IDPrefix != "B-2" || c.Version != 1 {
		t.Errorf("%+v", c)
	}
	s.post(c.APIKey, "/v1/topups", order("B-2")).want(http.StatusAccepted)
	for key, id := range map[string]string{shopKey: "B-22", otherKey: "B-2", adminKey: "B-2.", c.APIKey: "B-3"} {
		single := s.post(key, "/v1/topups", order(id))
		if id == "B-2" { // it is taken, whoever's it is
			single.want(http.StatusConflict)
			continue
		}
		p := single.want(http.StatusUnprocessableEntity).problem()
		if fmt.Sprint(p.named()) != "[body.distributor_transaction_id]" || strings.Contains(string(single.body), "b-shop") {
			t.Errorf("%s: %s", id, single.body)
		}
		lines := s.lines(key, order(id), order(id+"x"))
		if n := strings.Count(string(lines.body), `"status":422,"error"`); n != 2 {
			t.Errorf("%s in a batch: %s", id, lines.body)
		}
	}
	s.place("B-1").want(http.StatusOK)
	s.do("PATCH", adminKey, "/v1/callers/b-shop", `{"id_prefix":"?"}`).want(http.StatusUnprocessableEntity)
	s.do("PATCH", adminKey, "/v1/callers/b-shop", `{"id_prefix":""}`).want(http.StatusOK)
	s.place("B-22").want(http.StatusAccepted)
	s.do("PATCH", adminKey, "/v1/callers/default", `{"id_prefix":"D-"}`).want(http.StatusOK)
	s.place("D-1").want(http.StatusUnprocessableEntity)
	s.post(adminKey, "/v1/topups", order("X-1")).want(http.StatusUnprocessableEntity)
	s.post(adminKey, "/v1/topups", order("D-1")).want(http.StatusAccepted)
	s.do("PATCH", adminKey, "/v1/callers/default", `{"disabled":true}`).want(http.StatusUnprocessableEntity)
}

// lines sends orders in one request.
func (s *server) lines(key string, orders ...string) answer {
	s.tb.Helper()
	body := strings.Join(orders, "\n")
	header := []string{"Authorization", "Bearer " + key, "Content-Type", typeND}
	return s.send("POST", "/v1/topups/batch", body, header...).want(http.StatusOK)
}

// TestQuotas: what is beyond a quota is answered 429 with the quota's name, alone and in a batch; the repeat of an
// order is answered as ever, and other callers are.
func TestQuotas(t *testing.T) {
	s := withRegistry(t)
	var c struct {
		APIKey  string  `json:"api_key"`
		MaxOpen *int    `json:"max_open"`
		MaxRate *string `json:"max_rate"`
	}
	added := s.post(adminKey, "/v1/callers", `{"name":"small","max_open":2,"max_rate":"500/s"}`).want(http.StatusCreated)
	decode(t, added.body, &c)
	if c.MaxOpen == nil || *c.MaxOpen != 2 || c.MaxRate == nil || *c.MaxRate != "500/s" {
		t.Errorf("%+v", c)
	}
	for i := range 2 {
		s.post(c.APIKey, "/v1/topups", order(fmt.Sprint("Q-", i))).want(http.StatusAccepted)
	}
	over := s.post(c.APIKey, "/v1/topups", order("Q-2")).want(http.StatusTooManyRequests)
	if p := over.problem(); !strings.Contains(p.Detail, "max_open") || over.header.Get("Retry-After") == "" {
		t.Errorf("%s, Retry-After %q", over.body, over.header.Get("Retry-After"))
	}
	s.get(adminKey, "/v1/topups/Q-2").want(http.StatusNotFound)
	for range 3 {
		s.post(c.APIKey, "/v1/topups", order("Q-1")).want(http.StatusOK)
	}
	s.post(c.APIKey, "/v1/topups", order("Q-1", `"operator":"TELCEL"`)).want(http.StatusConflict)
	lines := s.lines(c.APIKey, order("Q-0"), order("Q-3"), order("Q-4"))
	if body := string(lines.body); strings.Count(body, `"status":429,"error"`) != 2 ||
		!strings.Contains(body, `"status":200,"topup"`) {
		t.Errorf("a batch: %s", body)
	}
	s.place("BYSTANDER").want(http.StatusAccepted)
	s.post(c.APIKey, "/v1/topups/Q-0/cancel", "").want(http.StatusOK)
	testkit.Eventually(t, time.Minute, func() bool {
		return s.post(c.APIKey, "/v1/topups", order("Q-5")).status == http.StatusAccepted
	}, "there is room again")
	s.do("PATCH", adminKey, "/v1/callers/small", `{"max_open":0,"max_rate":"1/h"}`).want(http.StatusOK)
	s.post(c.APIKey, "/v1/topups", order("Q-6")).want(http.StatusAccepted)
	over = s.post(c.APIKey, "/v1/topups", order("Q-7")).want(http.StatusTooManyRequests)
	if p := over.problem(); !strings.Contains(p.Detail, "max_rate") || len(over.header.Get("Retry-After")) != 4 {
		t.Errorf("%s, Retry-After %q", over.body, over.header.Get("Retry-After"))
	}
	s.post(c.APIKey, "/v1/topups", order("Q-6")).want(http.StatusOK)
	s.do("PATCH", adminKey, "/v1/callers/default", `{"max_open":1}`).want(http.StatusOK)
	s.post(adminKey, "/v1/topups", order("D-1")).want(http.StatusAccepted)
	s.post(adminKey, "/v1/topups", order("D-2")).want(http.StatusTooManyRequests)
	for body, field := range map[string]string{
		`{"max_open":-1}`: "max_open", `{"max_rate":"5"}`: "max_rate", `{"max_rate":"0/s"}`: "max_rate",
	} {
		p := s.do("PATCH", adminKey, "/v1/callers/small", body).want(http.StatusUnprocessableEntity).problem()
		if fmt.Sprint(p.named()) != "[body."+field+"]" {
			t.Errorf("%s: %v", body, p.named())
		}
	}
}

func TestCallersRefused(t *testing.T) {
	s := withRegistry(t)
	s.post(adminKey, "/v1/callers", `{"name":"taken"}`).want(http.StatusCreated)
	s.post(adminKey, "/v1/callers", `{"name":"taken"}`).want(http.StatusConflict)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/callers", ""}, {"POST", "/v1/callers", `{"name":"mine"}`},
		{"PATCH", "/v1/callers/taken", `{"disabled":true}`},
		{"POST", "/v1/callers/taken/rotate-secret", ""}, {"POST", "/v1/callers/taken/rotate-key", ""},
	} {
		s.do(c.method, shopKey, c.path, c.body).want(http.StatusForbidden)
		s.do(c.method, "nobody", c.path, c.body).want(http.StatusUnauthorized)
	}
	for _, path := range []string{"", "/rotate-secret", "/rotate-key"} {
		method := "POST"
		if path == "" {
			method = "PATCH"
		}
		s.do(method, adminKey, "/v1/callers/nobody"+path, `{}`).want(http.StatusNotFound)
	}
	for body, field := range map[string]string{
		`{"name":"a b"}`:     "body.name",
		`{"name":"default"}`: "body.name",
		`{"name":"b","callback_url":"http://plain.example"}`: "body.callback_url",
		`{"name":"c","url":"https://x.example"}`:             "body.url",
	} {
		if named := s.post(adminKey, "/v1/callers",
			body).want(http.StatusUnprocessableEntity).problem().named(); fmt.Sprint(named) != "["+field+"]" {
			t.Errorf("%s: %v, want %s", body, named, field)
		}
	}
	s.do("POST", adminKey, "/v1/callers/taken/rotate-secret?overlap=ever", "").want(http.StatusUnprocessableEntity)
	s.do("POST", adminKey, "/v1/callers/taken/rotate-secret?overlap=1000h", "").want(http.StatusUnprocessableEntity)
}

// TestEndpoints: a caller's endpoints are set, shown with their health, disabled, enabled and removed.
func TestEndpoints(t *testing.T) {
	s := withRegistry(t)
	var shop struct {
		APIKey string `json:"api_key"`
	}
	decode(t,
		s.post(adminKey, "/v1/callers",
			`{"name":"shop","callback_url":"https://shop.example/hook"}`).want(http.StatusCreated).body, &shop)
	const crm = "/v1/callers/shop/endpoints/crm"
	s.do("PUT", adminKey, crm, `{"url":"https://old.example/"}`).want(http.StatusOK)
	s.do("PUT", adminKey, crm, `{"url":"https://crm.example/hook","event_types":["topup.failed"]}`).want(http.StatusOK)
	shows := func(want ...string) {
		t.Helper()
		var list struct {
			Data []struct {
				Endpoints []struct {
					Name, URL  string
					EventTypes []string `json:"event_types"`
					DisabledAt *string  `json:"disabled_at"`
					Reason     *string
				}
			}
		}
		decode(t, s.get(adminKey, "/v1/callers").want(http.StatusOK).body, &list)
		var got []string
		for _, e := range list.Data[0].Endpoints {
			got = append(got, fmt.Sprint(e.Name, " ", e.URL, " ", e.EventTypes, " ", e.DisabledAt != nil, " ", e.Reason != nil))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	const here = "default https://shop.example/hook [] false false"
	shows(here, "crm https://crm.example/hook [topup.failed] false false")
	s.do("POST", adminKey, crm+"/disable", "").want(http.StatusOK)
	shows(here, "crm https://crm.example/hook [topup.failed] true true")
	s.do("POST", adminKey, crm+"/enable", "").want(http.StatusOK)
	s.do("POST", adminKey, "/v1/callers/shop/endpoints/default/disable", "").want(http.StatusOK)
	shows("default https://shop.example/hook [] true true", "crm https://crm.example/hook [topup.failed] false false")
	s.do("POST", adminKey, "/v1/callers/shop/endpoints/default/enable", "").want(http.StatusOK)

	elsewhere := strings.Replace(order("ELSEWHERE"), "{", `{"callback_url":"https://crm.example/orders/1",`, 1)
	s.post(shop.APIKey, "/v1/topups", elsewhere).want(http.StatusAccepted)
	s.do("DELETE", adminKey, crm, "").want(http.StatusOK)
	shows(here)
	for _, path := range []string{crm, "/v1/callers/nobody/endpoints/crm"} {
		s.do("DELETE", adminKey, path, "").want(http.StatusNotFound)
		s.do("POST", adminKey, path+"/enable", "").want(http.StatusNotFound)
		s.do("DELETE", shop.APIKey, path, "").want(http.StatusForbidden)
		s.do("PUT", shop.APIKey, path, `{"url":"https://crm.example"}`).want(http.StatusForbidden)
		s.do("POST", shop.APIKey, path+"/enable", "").want(http.StatusForbidden)
	}
	for body, field := range map[string]string{
		`{"url":"http://plain.example"}`: "body.url",
		`{"url":""}`:                     "body.url",
		`{"url":"https://crm.example","event_types":["topup.failed","topup.x"]}`: "body.event_types[1]",
	} {
		if named := s.do("PUT", adminKey, crm,
			body).want(http.StatusUnprocessableEntity).problem().named(); fmt.Sprint(named) != "["+field+"]" {
			t.Errorf("%s: %v, want %s", body, named, field)
		}
	}
	s.do("PUT", adminKey, "/v1/callers/shop/endpoints/default",
		`{"url":"https://x.example"}`).want(http.StatusUnprocessableEntity)
	for i := range 11 {
		want := http.StatusOK
		if i == 10 {
			want = http.StatusUnprocessableEntity
		}
		s.do("PUT", adminKey, fmt.Sprintf("/v1/callers/shop/endpoints/e%d", i), `{"url":"https://x.example"}`).want(want)
	}
}

// TestPing: a caller's key pings its own endpoints, an operator's anybody's, and what the receiver answered is shown.
func TestPing(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such path", http.StatusNotFound)
	}))
	defer receiver.Close()
	s := serve(t, func(c *api.Config) {
		registry := registrar.New(c.Book.(registrar.Store), "an encryption key", true)
		c.Registry, c.Callers, c.Endpoints = registry, keys.WithRegistry(c.Callers, registry), registry
		pinger := webhook.NewDeliverer(webhook.Config{AllowPrivate: true}, nil, registry)
		t.Cleanup(func() { pinger.Close(context.Background()) })
		c.Pinger = pinger
	})
	var shop, other struct {
		APIKey string `json:"api_key"`
	}
	decode(t, s.post(adminKey, "/v1/callers", `{"name":"mine","callback_url":"`+receiver.URL+`"}`).want(http.StatusCreated).
		body, &shop)
	decode(t, s.post(adminKey, "/v1/callers", `{"name":"theirs"}`).want(http.StatusCreated).body, &other)
	for _, c := range []struct {
		key, path string
		status    int
	}{
		{shop.APIKey, "default/ping", http.StatusOK}, {shop.APIKey, "default/ping?caller=mine", http.StatusOK},
		{adminKey, "default/ping?caller=mine", http.StatusOK}, {shop.APIKey, "crm/ping", http.StatusNotFound},
		{other.APIKey, "default/ping", http.StatusNotFound}, {other.APIKey, "default/ping?caller=mine", http.StatusForbidden},
		{adminKey, "default/ping", http.StatusNotFound},
	} {
		a := s.post(c.key, "/v1/endpoints/"+c.path, "").want(c.status)
		if c.status != http.StatusOK {
			continue
		}
		var pinged producer.Pinged
		decode(t, a.body, &pinged)
		if pinged.Delivered || *pinged.Try.Status != http.StatusNotFound || pinged.Try.Response.Body != "no such path" ||
			pinged.Caller != "mine" || pinged.Endpoint != topup.DefaultEndpoint {
			t.Errorf("%s", a.body)
		}
	}
}
