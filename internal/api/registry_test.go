package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/api"
	registrar "recarga/internal/callers"
)

// withRegistry is a server whose callers are in its journal.
func withRegistry(t *testing.T) *server {
	t.Helper()
	s := serve(t)
	registry := registrar.New(s.journal, "an encryption key", false)
	return serve(t, func(c *api.Config) {
		c.Registry, c.Callers = registry, api.WithRegistry(c.Callers, registry)
		c.Endpoints, c.Health = registry, s.journal
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
	a := s.post(adminKey, "/v1/callers", `{"name":"new-shop","callback_url":"https://new.example/hook"}`).want(http.StatusCreated)
	decode(t, a.body, &raw)
	added.Name, added.APIKey, added.WebhookSecret, added.CallbackURL = raw["name"].(string), raw["api_key"].(string), raw["webhook_secret"].(string), raw["callback_url"].(string)
	if added.Name != "new-shop" || added.CallbackURL != "https://new.example/hook" || !strings.HasPrefix(added.WebhookSecret, "whsec_") || len(added.APIKey) < 40 {
		t.Errorf("added: %s", a.body)
	}
	o := s.post(added.APIKey, "/v1/topups", order("NEW-1")).want(http.StatusAccepted).order()
	if o.Caller != "new-shop" {
		t.Errorf("the order is %s's", o.Caller)
	}
	s.get(shopKey, "/v1/topups/NEW-1").want(http.StatusNotFound)
	s.get(adminKey, "/v1/topups/NEW-1").want(http.StatusOK)
	list := s.get(adminKey, "/v1/callers").want(http.StatusOK)
	if body := string(list.body); !strings.Contains(body, `"name":"new-shop"`) || strings.Contains(body, "key") || strings.Contains(body, "whsec_") {
		t.Errorf("listed: %s", body)
	}
	s.do("PATCH", adminKey, "/v1/callers/new-shop", `{"disabled":true}`).want(http.StatusOK)
	s.get(added.APIKey, "/v1/topups").want(http.StatusForbidden)
	s.do("PATCH", adminKey, "/v1/callers/new-shop", `{"disabled":false,"callback_url":""}`).want(http.StatusOK)
	s.get(added.APIKey, "/v1/topups").want(http.StatusOK)
	if a := s.do("POST", adminKey, "/v1/callers/new-shop/rotate-secret?overlap=1h", "").want(http.StatusOK); strings.Contains(string(a.body), added.WebhookSecret) {
		t.Error("the secret is the former one")
	}
	decode(t, s.do("POST", adminKey, "/v1/callers/new-shop/rotate-key", "").want(http.StatusOK).body, &raw)
	s.get(added.APIKey, "/v1/topups").want(http.StatusUnauthorized)
	s.get(raw["api_key"].(string), "/v1/topups").want(http.StatusOK)
}

func TestCallersRefused(t *testing.T) {
	s := withRegistry(t)
	s.post(adminKey, "/v1/callers", `{"name":"taken"}`).want(http.StatusCreated)
	s.post(adminKey, "/v1/callers", `{"name":"taken"}`).want(http.StatusConflict)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/callers", ""}, {"POST", "/v1/callers", `{"name":"mine"}`}, {"PATCH", "/v1/callers/taken", `{"disabled":true}`},
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
		if named := s.post(adminKey, "/v1/callers", body).want(http.StatusUnprocessableEntity).problem().named(); fmt.Sprint(named) != "["+field+"]" {
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
	decode(t, s.post(adminKey, "/v1/callers", `{"name":"shop","callback_url":"https://shop.example/hook"}`).want(http.StatusCreated).body, &shop)
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
		`{"url":"https://crm.example","event_types":["topup.failed","topup.x"]}`: "body.type",
	} {
		if named := s.do("PUT", adminKey, crm, body).want(http.StatusUnprocessableEntity).problem().named(); fmt.Sprint(named) != "["+field+"]" {
			t.Errorf("%s: %v, want %s", body, named, field)
		}
	}
	s.do("PUT", adminKey, "/v1/callers/shop/endpoints/default", `{"url":"https://x.example"}`).want(http.StatusUnprocessableEntity)
	for i := range 11 {
		want := http.StatusOK
		if i == 10 {
			want = http.StatusUnprocessableEntity
		}
		s.do("PUT", adminKey, fmt.Sprintf("/v1/callers/shop/endpoints/e%d", i), `{"url":"https://x.example"}`).want(want)
	}
}
