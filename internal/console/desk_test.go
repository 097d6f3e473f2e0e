package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"recarga/internal/callers"
	"recarga/internal/console"
	"recarga/internal/journal/search"
	"recarga/topup"
	"recarga/webhook"
)

// TestHoldBack: an operator keeps an order from being bought, and lets it go; the others stay as they are.
func TestHoldBack(t *testing.T) {
	s := open(t)
	now := time.Now()
	s.placed("ONE", ana, now)
	s.placed("TWO", luis, now)
	s.held("DOUBT", ana, now.Add(-time.Hour), time.Minute)
	others := s.bystanders("ONE")
	b := s.enter()
	b.get("/console/orders/ONE").want(200, "Hold back…")
	b.get("/console/orders/ONE/release").want(http.StatusConflict, "cannot be released")
	b.get("/console/orders/ONE/hold").want(200, "Hold the order back")
	b.post("/console/orders/ONE/hold").want(http.StatusUnprocessableEntity, "Say why")
	b.post("/console/orders/ONE/hold", "reason", "a wrong number").to("/console/orders/ONE?done=held")
	b.get("/console/orders/ONE?done=held").want(200, "Held back: it is not bought", "Release…", "an operator holds it back")
	if _, err := s.journal.Begin(t.Context(), "ONE", 0, "w", now.Add(time.Hour), now.Add(time.Second)); err == nil {
		t.Error("it was begun while it is held back")
	}
	b.get("/console/orders?waits_for=operator").want(200, "/console/orders/ONE", ">held back<")
	b.get("/console/orders/ONE/hold").want(http.StatusConflict, "cannot be held back")
	b.post("/console/orders/ONE/release", "reason", "right after all").to("/console/orders/ONE?done=released")
	if _, err := s.journal.Begin(t.Context(), "ONE", 0, "w", now.Add(time.Hour), now.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	b.post("/console/orders/ONE/hold", "reason", "too late").want(http.StatusConflict, "hold back is not possible")
	b.post("/console/orders/DOUBT/hold", "reason", "x").want(http.StatusConflict)
	others.wantUntouched()
	if log := s.log.String(); !strings.Contains(log, "order held back") || !strings.Contains(log, "why=\"a wrong number\"") {
		t.Error("it is not logged who held it back, and why")
	}
}

// TestChosenRows: what is done to chosen rows is done to these, whatever the list was filtered by.
func TestChosenRows(t *testing.T) {
	s := open(t)
	ago := time.Now().Add(-time.Hour)
	for _, id := range []string{"A", "B", "C"} {
		s.held(id, ana, ago, time.Minute)
	}
	s.placed("QUEUED", ana, ago)
	b := s.enter()
	b.get("/console/orders?state=unknown").want(200, `name="id[]" value="A"`, `action="/console/bulk/resolve"`)
	if got := b.get("/console/orders"); strings.Contains(got.body, "id[]") {
		t.Error("rows of any state can be chosen, though no action is for all of them")
	}
	chosen := "/console/bulk/resolve?" + url.Values{"id[]": {"A", "C"}}.Encode()
	seal := b.get(chosen).want(200, ">2 <small>orders of 100", "<dt>chosen</dt><dd>A, C</dd>").asked()
	b.confirm("resolve", seal).finished(s, b).want(200, ">2 <small>of 2 done<", "chosen A, C")
	s.wantState("A", topup.StateFailed)
	s.wantState("B", topup.StateUnknown)
	s.wantState("C", topup.StateFailed)
	b.get("/console/bulk/resolve?id[]=QUEUED").want(http.StatusUnprocessableEntity, "QUEUED, queued")
	b.get("/console/bulk/resolve?id[]=NONE").want(http.StatusUnprocessableEntity, "one that there is")
	b.get("/console/bulk").want(200, "Resolve as failed", "by the statement", ">done<")
	b.get("/console/bulk/bulk_none").want(http.StatusNotFound)
}

// TestFindingOrders by what is known of them, parts of ids, and through pages in both ways.
func TestFindingOrders(t *testing.T) {
	s := open(t)
	now := time.Now()
	for i := range 120 {
		s.placed(name(i), ana, now.Add(time.Duration(i)*time.Second-time.Hour))
	}
	_, _, err := s.journal.Accept(t.Context(), topup.Request{ID: "CART-62", Caller: "kiosk", Phone: luis,
		Product: "MOVISTAR_TAE", Amount: topup.Pesos(50), Metadata: map[string]string{"cart": "62", "till": "a=b"}},
		now.Add(-48*time.Hour))
	must(t, err)
	b := s.enter()
	for query, want := range map[string]string{
		"metadata=cart%3D62": "CART-62", "metadata=till%3Da%3Db": "CART-62", "metadata=cart%3D6": "",
		"metadata=cart%3D62&caller=shop": "", "metadata=cart%3D62&state=queued": "CART-62",
		"until=yesterday": "CART-62", "since=last+hour&caller=kiosk": "", "since=3d&caller=kiosk": "CART-62",
		"waits_for=operator": "", "code=91": "", "reason=declined": "",
	} {
		got := b.get("/console/orders?" + query).want(200)
		if found := strings.Contains(got.body, "CART-62</a>"); found != (want != "") {
			t.Errorf("%s: found %t", query, found)
		}
	}
	for _, query := range []string{"metadata=cart", "waits_for=rain", "since=soon", "reason=none", "code=%3F"} {
		b.get("/console/orders?"+query).want(http.StatusUnprocessableEntity, `role="alert"`)
	}
	follow := func(from answer, rel string) answer {
		t.Helper()
		before, _, ok := strings.Cut(from.body, `" rel="`+rel)
		if !ok {
			t.Fatalf("there is no link %s", rel)
		}
		link := before[strings.LastIndex(before, `"`)+1:]
		return b.get(strings.ReplaceAll(link, "&amp;", "&")).want(200)
	}
	shows := func(page answer, first string) {
		t.Helper()
		_, rest, _ := strings.Cut(page.body, `<td class="head"><a href="/console/orders/`)
		if got, _, _ := strings.Cut(rest, `"`); got != first {
			t.Errorf("the page begins with %s, want %s", got, first)
		}
	}
	one := b.get("/console/orders?caller=shop").want(200)
	two := follow(one, "next")
	three := follow(two, "next")
	shows(one, name(119))
	shows(two, name(69))
	shows(three, name(19))
	back := follow(three, "prev")
	shows(back, name(69))
	shows(follow(back, "next"), name(19))
	first := follow(back, "prev")
	shows(first, name(119))
	if strings.Contains(first.body, `rel="prev"`) {
		t.Error("the first page leads to newer orders")
	}
	for part, want := range map[string]string{"ORD-001": name(10), "T-62": "CART-62", "RT-": "CART-62", "x": "", "zz": ""} {
		var ids []string
		must(t, json.Unmarshal([]byte(b.get("/console/suggest?q="+part).want(200).body), &ids))
		if found := want == "" && len(ids) == 0 || slices.Contains(ids, want); !found {
			t.Errorf("%s suggests %v, want %s", part, ids, want)
		}
	}
	b.get("/console/orders?q=ART-6").to("/console/orders/CART-62")
}

// TestTimesInAZone: all times are shown, and read, in the zone that somebody chose.
func TestTimesInAZone(t *testing.T) {
	s := open(t)
	at := time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC)
	s.placed("ONE", ana, at)
	b := s.enter()
	b.post("/console/zone", "zone", "America/Mexico_City", "back", "/console/orders/ONE").to("/console/orders/ONE")
	b.get("/console/orders/ONE").want(200, "2026-01-31 12:00:00", "times in CST", `value="America/Mexico_City"`)
	b.get("/console/orders?since=2026-01-31+12:00&until=2026-01-31+12:01").want(200, ">ONE<")
	b.get("/console/orders?since=2026-01-31+12:01").want(200, "No orders")
	b.post("/console/zone", "zone", "Mars/Olympus", "back", "https://evil.example").to("/console/")
	b.get("/console/orders/ONE").want(200, at.Local().Format(time.DateTime))
}

func TestAnOrdersEvidence(t *testing.T) {
	s := open(t, func(c *console.Config) { c.TraceURL = "https://trace.example/search?id={id}" })
	s.bought("GOOD:1", ana, time.Now().Add(-time.Minute), time.Second)
	ev := s.order("GOOD:1").Events[0]
	b := s.enter()
	b.get("/console/orders/GOOD:1").want(200, "https://trace.example/search?id=GOOD%3A1", "/console/events/"+ev.ID,
		"data-copy>TXN-GOOD:1")
	b.post("/console/events/"+ev.ID+"/redeliver", "reason", "the shop was down").to("/console/orders/GOOD:1?done=redelivered")
	b.get("/console/orders/GOOD:1").want(200, "<b>Event sent again</b> by ana: the shop was down")
	raw := b.get("/console/orders/GOOD:1/json").want(200)
	var d topup.Details
	must(t, json.Unmarshal([]byte(raw.body), &d))
	if d.ID != "GOOD:1" || len(d.Attempts) != 1 || len(d.Actions) != 1 || raw.header.Get("Content-Type") != "application/json" {
		t.Errorf("JSON of %+v", d)
	}
	b.get("/console/events/"+ev.ID).want(200, "&#34;distributor_transaction_id&#34;: &#34;GOOD:1&#34;", "HTTP 200", "Send again…")
	b.get("/console/events/evt_none").want(http.StatusNotFound)
}

// pinger answers every ping in the same way.
type pinger struct{ sent []string }

func (p *pinger) Ping(_ context.Context, caller, endpoint string) (webhook.Pinged, error) {
	p.sent = append(p.sent, caller+"/"+endpoint)
	status := 503
	return webhook.Pinged{ID: "msg_1", Try: topup.Try{Status: &status, DurationMS: 7}}, nil
}

// TestCallersAreManaged as by the CLI: their values of headers, keys and secrets are never shown again.
func TestCallersAreManaged(t *testing.T) {
	var registry *callers.Registry
	pings := &pinger{}
	s := open(t, func(c *console.Config) { registry, c.Pinger = c.Callers, pings })
	b := s.enter()
	b.post("/console/callers", "name", "shop", "callback_url", "ftp://x").want(http.StatusUnprocessableEntity, "callback_url",
		`value="shop"`)
	added := b.post("/console/callers", "name", "shop", "callback_url", "http://shop.example/hook").want(200, "whsec_",
		"it is not shown again")
	b.post("/console/callers", "name", "shop").want(http.StatusUnprocessableEntity, "it is taken")
	version := func() string {
		t.Helper()
		_, rest, _ := strings.Cut(b.get("/console/callers/shop").want(200).body, `name="version" value="`)
		v, _, _ := strings.Cut(rest, `"`)
		return v
	}
	at := "/console/callers/shop"
	done := at + "?done=changed"
	stale := version()
	b.post(at+"/url", "callback_url", "http://shop.example/2", "headers", "X-Api-Key: sesame\nX-Two: two", "version", stale).
		to(done)
	b.post(at+"/url", "callback_url", "http://evil.example/", "version", stale).want(http.StatusConflict, "Nothing was done")
	b.post(at+"/url", "callback_url", "http://shop.example/2", "headers", "sesame").want(http.StatusUnprocessableEntity,
		"NAME: VALUE")
	page := b.get(at).want(200, "X-Api-Key, X-Two", "http://shop.example/2")
	if strings.Contains(page.body+s.log.String(), "sesame") {
		t.Error("the value of a header is shown, or logged")
	}
	b.get("/console/callers").want(200, "X-Api-Key, X-Two")
	b.post(at+"/limits", "id_prefix", "S-", "max_open", "5", "max_rate", "5/s", "version", version()).to(done)
	b.post(at+"/limits", "max_open", "many").want(http.StatusUnprocessableEntity, "max_open")
	b.get(at).want(200, "S-", "5/s")
	b.post(at+"/endpoints", "endpoint", "crm", "url", "http://crm.example/", "event_types[]", "topup.failed").to(done)
	folded(t, b.get(at).want(200, "Endpoint crm", "topup.failed").body, at+"/disable", at+"/endpoints/crm/disable",
		at+"/endpoints/crm/remove")
	b.post(at + "/endpoints/crm/disable").to(at + "?done=disabled")
	b.get(at).want(200, topup.DisabledByOperator)
	b.post(at + "/endpoints/crm/enable").to(at + "?done=enabled")
	b.post(at+"/endpoints/crm/ping").want(200, "Ping to crm", "HTTP 503")
	b.post(at + "/endpoints/none/enable").want(http.StatusNotFound)
	b.post(at + "/endpoints/crm/remove").to(at + "?done=removed")
	key := b.post(at+"/rotate-key", "overlap", "1h").want(200, "API key")
	b.post(at+"/rotate-secret", "overlap", "a day").want(http.StatusUnprocessableEntity, "overlap")
	b.post(at+"/rotate-secret", "overlap", "24h").want(200, "whsec_")
	if key.body == added.body {
		t.Error("the key is the same")
	}
	b.post(at + "/disable").to(at + "?done=disabled")
	all, err := registry.List(t.Context())
	must(t, err)
	if len(all) != 1 || all[0].DisabledAt == nil || len(all[0].Endpoints) != 0 || len(all[0].Keys) != 2 {
		t.Errorf("callers %+v", all)
	}
	b.get("/console/callers/none").want(http.StatusNotFound)
	if !slices.Equal(pings.sent, []string{"shop/crm"}) {
		t.Errorf("pinged %v", pings.sent)
	}
}

// TestPagesFollow: an open page hears of what it shows, and of nothing else; the stream ends with the server.
func TestPagesFollow(t *testing.T) {
	var page *console.Console
	s := open(t, func(c *console.Config) { page, _ = console.New(*c) })
	s.url = s.serve(page)
	b := s.enter()
	b.get("/console/orders").want(200, `data-follow="/console/follow?order="`)
	hear := func(path string) *bufio.Scanner {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+path, nil)
		must(t, err)
		response, err := b.client.Do(r)
		must(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		if kind := response.Header.Get("Content-Type"); kind != "text/event-stream" {
			t.Fatalf("%s is %s", path, kind)
		}
		lines := bufio.NewScanner(response.Body)
		lines.Scan()
		lines.Scan() // the first message is how to come back
		return lines
	}
	all, one := hear("/console/follow?order="), hear("/console/follow?order=ONE")
	page.Changed("OTHER")
	if all.Scan(); all.Text() != "event: changed" {
		t.Errorf("a list hears %q", all.Text())
	}
	page.Changed("ONE")
	if one.Scan(); one.Text() != "event: changed" {
		t.Errorf("an order's page hears %q", one.Text())
	}
	page.End()
	for _, stream := range []*bufio.Scanner{all, one} {
		messages := 0
		for stream.Scan() {
			if stream.Text() == "event: changed" {
				messages++
			}
		}
		if messages > 1 {
			t.Errorf("%d messages more", messages)
		}
	}
}

// farBook has what is looked for far back.
type farBook struct{ console.Journal }

func (farBook) Page(context.Context, search.Filter) (search.Page, error) {
	return search.Page{Older: "older", Newer: "newer"}, nil
}

func (farBook) Events(context.Context, topup.EventFilter) ([]topup.Event, string, error) {
	return nil, "older", nil
}

// TestNothingSoFar: a page that looked among some only says that there are more, and how to go on.
func TestNothingSoFar(t *testing.T) {
	s := open(t, func(c *console.Config) { c.Journal = farBook{c.Journal} })
	b := s.enter()
	b.get("/console/orders?product=MOVISTAR_PAQUETE_16").want(200, "None of the next 25,000 orders match",
		"?cursor=older&amp;product=MOVISTAR_PAQUETE_16", "?newer=newer&amp;product")
	b.get("/console/events?type=topup.failed").want(200, "None of the next 25,000 events match", "cursor=older")
}

// folded checks that the forms of these actions are on the page, each behind a click that says what it does: one that
// goes astray stops nobody's events.
func folded(t *testing.T, page string, actions ...string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	must(t, err)
	found := map[string]bool{}
	for n := range root.Descendants() {
		if n.Data == "form" {
			i := slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "action" })
			found[n.Attr[i].Val] = slices.ContainsFunc(slices.Collect(n.Ancestors()), func(a *html.Node) bool {
				return a.Data == "details"
			})
		}
	}
	for _, action := range actions {
		if !found[action] {
			t.Errorf("%s is not on the page, or one click does it", action)
		}
	}
}
