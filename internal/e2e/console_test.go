package e2e

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
)

// surfer is a person's browser without a screen: it keeps cookies and follows redirects.
type surfer struct {
	t    testing.TB
	url  string
	http *http.Client
}

func newSurfer(t testing.TB, p *process) *surfer {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &surfer{t: t, url: p.apiURL, http: &http.Client{Jar: jar}}
}

func (s *surfer) login(name, key string) (int, string) {
	return s.post("/console/login", url.Values{"name": {name}, "key": {key}})
}

func (s *surfer) get(path string) (int, string) {
	s.t.Helper()
	return s.send(http.MethodGet, path, "")
}

func (s *surfer) post(path string, form url.Values) (int, string) {
	s.t.Helper()
	return s.send(http.MethodPost, path, form.Encode())
}

func (s *surfer) send(method, path, form string, header ...string) (int, string) {
	s.t.Helper()
	status, page, err := try(s.t.Context(), s.http, method, s.url+path, form,
		append(header, "Content-Type", "application/x-www-form-urlencoded")...)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, page
}

// TestConsole does everything that the console can do, over real HTTP.
func TestConsole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_WEBHOOK_SCHEDULE"] = "1ms"
	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	c := p.client()
	good := settled(t, c, place(t, c, order("GOOD-1", "5537686660")).ID)
	for id, phone := range map[string]topup.Phone{"HELD-1": "5500000501", "HELD-2": "5500000500",
		"HELD-3": "5500000500"} {
		settled(t, c, place(t, c, order(id, phone)).ID)
	}
	for i := range 3 {
		r := order(fmt.Sprintf("LATER-%d", i), "5537686661")
		r.ProcessAt = new(time.Now().Add(time.Hour))
		place(t, c, r)
	}
	if out := w.run(t, "caller", "add", "kiosk", "--callback-url", "https://kiosk.example/hook"); out.status != 0 {
		t.Fatalf("caller add: %+v", out)
	}
	s := newSurfer(t, p)
	for _, path := range []string{"/console/", "/console/orders", "/console/orders/GOOD-1", "/console/events",
		"/console/callers"} {
		if _, page := s.get(path); !strings.Contains(page, `name="key"`) || strings.Contains(page, "GOOD-1</h1>") {
			t.Errorf("%s is shown without a login", path)
		}
	}
	for _, key := range []string{"", apiKey, adminKey + "x"} {
		if status, _ := s.login("ana", key); status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
			t.Errorf("key %q: %d", key, status)
		}
	}
	testkit.Eventually(t, patience, func() bool { // not sooner than after the wrong ones
		status, _ := s.login("ana", adminKey)
		return status != http.StatusTooManyRequests
	}, "the login with the admin key works")

	shows := func(path string, status int, parts ...string) {
		t.Helper()
		got, page := s.get(path)
		for _, part := range parts {
			if got != status || !strings.Contains(page, part) {
				t.Errorf("%s: %d without %q:\n%s", path, got, part, page)
			}
		}
	}
	shows("/console/", 200, "3 unknown", "Queue topups", "running", "Balance at the distributor")
	shows("/console/orders?q=GOOD-1", 200, `<span class="id" data-copy>GOOD-1</span>`, "Money moved", "approved, code 00",
		"Webhook try 1")
	shows("/console/orders?q="+url.QueryEscape(string(good.TransactionID)), 200, `<span class="id" data-copy>GOOD-1</span>`)
	shows("/console/orders?q=5537686660", 200, `<span class="id" data-copy>GOOD-1</span>`)
	shows("/console/orders?q=nobody", 200, "No order has this id")
	shows("/console/orders?state=unknown", 200, "HELD-1", "HELD-2", "Resolve all of these")
	shows("/console/orders?state=paid&phone=1", 422, "state", "phone")
	shows("/console/orders/NONE", 404, "There is no such thing")
	shows("/console/events?state=delivered", 200, "topup.succeeded", "GOOD-1")
	shows("/console/callers", 200, "kiosk", "https://kiosk.example/hook")
	shows("/queues/", 200, "<!doctype html")

	acts := func(path string, form url.Values, status int, parts ...string) {
		t.Helper()
		got, page := s.post(path, form)
		for _, part := range parts {
			if got != status || !strings.Contains(page, part) {
				t.Errorf("%s: %d without %q:\n%s", path, got, part, page)
			}
		}
	}
	resolve := url.Values{"outcome": {"failed"}, "reason": {"not in the statement"}}
	shows("/console/orders/HELD-2/resolve", 200, "Not charged", "Why")
	acts("/console/orders/HELD-2/resolve", url.Values{"outcome": {"failed"}}, 422, "reason")
	acts("/console/orders/HELD-2/resolve", resolve, 409, "Too early", "Force it")
	resolve.Set("force", "yes")
	acts("/console/orders/HELD-2/resolve", resolve, 200, "Resolved.", "by ana: not in the statement", "forced")
	resolve.Set("outcome", "succeeded")
	acts("/console/orders/HELD-2/resolve", resolve, 409, "HELD-2")
	shows("/console/orders/HELD-2/resolve", 409, "only an order that is held")
	judge(t, get(t, c, "HELD-2"), w.charges()["HELD-2"])

	acts("/console/orders/LATER-0/cancel", url.Values{}, 422, "Say why")
	shows("/console/orders/LATER-0/cancel", 200, "No money has moved")
	acts("/console/orders/LATER-0/cancel", url.Values{"reason": {"the shop called"}}, 200, "Canceled.")
	if got := get(t, c, "LATER-0").State; got != topup.StateCanceled {
		t.Errorf("LATER-0 is %s", got)
	}
	w.notified(t, get(t, c, "GOOD-1"))
	acts("/console/events/"+get(t, c, "GOOD-1").Events[0].ID+"/redeliver", nil, 422, "Say why")
	acts("/console/events/"+get(t, c, "GOOD-1").Events[0].ID+"/redeliver", url.Values{"reason": {"the shop lost it"}},
		200, "due again")

	// confirm asks for a bulk action, does meanwhile, and confirms it with the form that was shown.
	confirm := func(action, filter string, form url.Values, meanwhile func(), status int, parts ...string) {
		t.Helper()
		_, page := s.get("/console/bulk/" + action + "?" + filter)
		_, rest, _ := strings.Cut(page, `name="seal" value="`)
		seal, _, asked := strings.Cut(rest, `"`)
		if !asked {
			t.Fatalf("%s of %s does not ask: %s", action, filter, page)
		}
		meanwhile()
		form.Set("seal", seal)
		acts("/console/bulk/"+action, form, status, parts...)
	}
	nothing := func() {}
	// ended waits until the newest bulk action has ended, which goes on by itself, and says what its page is to show.
	ended := func(parts ...string) {
		t.Helper()
		_, list := s.get("/console/bulk")
		_, rest, _ := strings.Cut(list, `href="/console/bulk/bulk_`)
		id, _, _ := strings.Cut(rest, `"`)
		testkit.Eventually(t, patience, func() bool {
			_, page := s.get("/console/bulk/bulk_" + id)
			return strings.Contains(page, "<dt>Ended</dt>")
		}, "the bulk action ends")
		shows("/console/bulk/bulk_"+id, 200, parts...)
	}
	shows("/console/bulk/cancel?state=queued", 200, "2", "I mean all")
	shows("/console/bulk/cancel?state=succeeded", 422, "only such orders can be chosen")
	shows("/console/bulk/resolve", 422, "unknown")
	confirm("cancel", "state=queued", url.Values{"reason": {"the shop has closed"}}, nothing, 200, "Cancel", "</html>")
	ended("2 <small>of 2 done</small>")
	statement := url.Values{"reason": {"statement"}, "outcome": {"failed"}}
	confirm("resolve", "state=unknown", statement, nothing, 200, "Resolve as failed")
	ended("0 <small>of 2 done, 2 refused</small>", "HELD-1")
	confirm("resolve", "state=unknown", statement, func() {
		settled(t, c, place(t, c, order("HELD-4", "5500000500")).ID)
	}, 409, "Nothing was done")
	acts("/console/bulk/resolve", statement, 409, "Nothing was done")
	statement.Set("seal", statement.Get("seal")+"x")
	acts("/console/bulk/resolve", statement, 400, "Nothing was done")
	testkit.Eventually(t, patience, func() bool {
		_, page := s.get("/console/events?state=pending")
		return strings.Contains(page, "No events match")
	}, "every event is delivered")
	confirm("redeliver", "state=delivered", url.Values{"reason": {"asked for"}}, nothing, 200, "Redeliver")
	ended("done</small>", "100 %")

	acts("/console/queues/topups/pause", url.Values{"reason": {"the vendor has maintenance"}}, 200,
		"All purchases paused</strong> by ana")
	place(t, c, order("PAUSED-1", "5537686662"))
	acts("/console/queues/topups/resume", url.Values{"reason": {"it is over"}}, 200, "running")
	settled(t, c, "PAUSED-1")
	acts("/console/queues/none/pause", url.Values{"reason": {"x"}}, 404, "no such thing")
	for _, said := range []string{`"by":"ana"`, "the vendor has maintenance", "order canceled"} {
		p.says(t, said)
	}

	if status, page := s.send(http.MethodPost, "/console/orders/HELD-3/resolve", resolve.Encode(),
		"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("another site's form: %d %s", status, page)
	}
	s.post("/console/logout", nil)
	if _, page := s.get("/console/"); !strings.Contains(page, `name="key"`) {
		t.Error("logged out, the overview is shown")
	}
}
