package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/internal/access"
	"recarga/internal/bulk"
	"recarga/internal/queue"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
)

// noQueue is a Redis in which nothing is paused.
type noQueue struct{}

func (noQueue) Glance(context.Context) (map[string]queue.Info, error) { return nil, nil }
func (noQueue) Pause(context.Context, string) error                   { return nil }
func (noQueue) Resume(context.Context, string) error                  { return nil }

// actPage is a page of the audit.
type actPage struct {
	Data       []desk.Act
	NextCursor *string `json:"next_cursor"`
}

func (s *server) acts(query string) (page actPage) {
	s.tb.Helper()
	decode(s.tb, s.get(adminKey, "/v1/audit"+query).want(http.StatusOK).body, &page)
	return page
}

// deed is an operation that changes something, and what of.
type deed struct {
	operation, path, body, media string
	on                           string
	count                        int
}

// deeds are one of each operation, each of which can be done after those before it.
func (s *server) deeds() []deed {
	s.held("HELD", -time.Minute)
	s.post(shopKey, "/v1/topups", strings.Replace(order("CHARGED"), ":10", ":35", 1)).want(http.StatusAccepted)
	s.holds("CHARGED", -time.Minute)
	event := s.canceled(shopKey, "GONE")
	s.canceled(shopKey, "WRONG")
	s.canceled(shopKey, "DENIED")
	_, err := s.journal.Dispute(s.tb.Context(), "DENIED", topup.Dispute{Evidence: "line 7", RaisedBy: "x"}, time.Now())
	if err != nil {
		s.tb.Fatal(err)
	}
	many := `{"action":"cancel","filter":"state=queued&caller=shop","reason":"why"`
	var asked producer.BulkAnswer
	decode(s.tb, s.post(adminKey, "/v1/bulk", many+"}").want(http.StatusOK).body, &asked)
	stopped, err := s.bulk.Start(s.tb.Context(), topup.BulkAction{Action: topup.BulkCancel, Reason: "why", By: "eva"}, bulk.Set{})
	if err != nil {
		s.tb.Fatal(err)
	}
	const endpoint = "/v1/callers/shop-1/endpoints/crm"
	b := bodies()
	return []deed{
		{"startBulk", "/v1/bulk", many + fmt.Sprintf(`,"confirm":%q}`, asked.Confirm), typeJSON, "", 1},
		{"stopBulk", "/v1/bulk/" + stopped.ID + "/stop", "{}", typeJSON, stopped.ID, 1},
		{"placeTopup", "/v1/topups", order("ADMINS"), typeJSON, "ADMINS", 1},
		{"placeTopups", "/v1/topups/batch", order("MANY-1") + "\n" + order("MANY-2"), typeND, "", 2},
		{"cancelTopup", "/v1/topups/ADMINS/cancel", "", "", "ADMINS", 1},
		{"resolveTopup", "/v1/topups/HELD/resolve", b["resolveTopup"], typeJSON, "HELD", 1},
		{"correctTopup", "/v1/topups/HELD/correct", `{"outcome":"succeeded","reason":"why"}`, typeJSON, "HELD", 1},
		{"endDispute", "/v1/topups/DENIED/dispute", b["endDispute"], typeJSON, "DENIED", 1},
		{"redeliverEvent", "/v1/events/" + event + "/redeliver", "", "", event, 1},
		{"redeliverEvents", "/v1/events/redeliver", `{"caller":"shop","type":"topup.canceled"}`, typeJSON, "", 3},
		{"reconcile", reconciliations, "order_id,amount,status\nCHARGED,35,charged\n", "text/csv", "CHARGED", 1},
		{"addCaller", "/v1/callers", `{"name":"kiosk"}`, typeJSON, "kiosk", 1},
		{"changeCaller", "/v1/callers/kiosk", `{"max_open":7}`, typeJSON, "kiosk", 1},
		{"rotateKey", "/v1/callers/kiosk/rotate-key", "", "", "kiosk", 1},
		{"rotateSecret", "/v1/callers/kiosk/rotate-secret", "", "", "kiosk", 1},
		{"setCallerEndpoint", endpoint, b["setCallerEndpoint"], typeJSON, "shop-1/crm", 1},
		{"disableCallerEndpoint", endpoint + "/disable", "", "", "shop-1/crm", 1},
		{"enableCallerEndpoint", endpoint + "/enable", "", "", "shop-1/crm", 1},
		{"pingEndpoint", "/v1/endpoints/crm/ping?caller=shop-1", "", "", "shop-1/crm", 1},
		{"removeCallerEndpoint", endpoint, "", "", "shop-1/crm", 1},
		{"addOperator", "/v1/operators", `{"name":"luz","role":"viewer"}`, typeJSON, "luz", 1},
		{"changeOperator", "/v1/operators/luz", `{"role":"operator"}`, typeJSON, "luz", 1},
		{"rotateOperatorKey", "/v1/operators/luz/rotate-key", "", "", "luz", 1},
		{"pause", "/v1/controls/pause", b["pause"], typeJSON, "operator MOVISTAR", 1},
		{"resume", "/v1/controls/resume", b["resume"], typeJSON, "operator MOVISTAR", 1},
		{"limit", "/v1/controls/limit", b["limit"], typeJSON, "rate", 1},
		{"placeTopup", "/v1/topups", order("LATER"), typeJSON, "LATER", 1},
		{"holdTopup", "/v1/topups/LATER/hold", `{"reason":"why"}`, typeJSON, "LATER", 1},
		{"releaseTopup", "/v1/topups/LATER/release", `{"reason":"why"}`, typeJSON, "LATER", 1},
	}
}

// TestEveryOperationIsAudited walks over all operations that change something: each adds one action, with who, from
// where, on what and on how many; a refused one adds none. An operation that is new must be among the deeds.
func TestEveryOperationIsAudited(t *testing.T) {
	t.Parallel()
	s := whole(t, sqliteIn(t))
	deeds := s.deeds()
	for _, c := range calls(t) {
		known := slices.ContainsFunc(deeds, func(d deed) bool { return d.operation == c.OperationID })
		if c.method != http.MethodGet && !known {
			t.Errorf("%s is no deed", c.OperationID)
		}
	}
	methods := map[string]string{"changeCaller": "PATCH", "changeOperator": "PATCH", "setCallerEndpoint": "PUT",
		"removeCallerEndpoint": "DELETE"}
	seen := len(s.acts("?limit=200").Data)
	for _, d := range deeds {
		method := methods[d.operation]
		if method == "" {
			method = http.MethodPost
		}
		header := []string{"X-Forwarded-For", "198.51.100.7", "User-Agent", "recarga-cli/v1"}
		if d.media != "" {
			header = append(header, "Content-Type", d.media)
		}
		stranger := append(slices.Clone(header), "Authorization", "Bearer nobody", "X-Forwarded-For", clients())
		s.send(method, d.path, d.body, stranger...).want(http.StatusUnauthorized)
		got := s.send(method, d.path, d.body, append(header, "Authorization", "Bearer "+adminKey)...)
		acts := s.acts("?limit=200").Data
		if got.status >= http.StatusBadRequest || len(acts) != seen+1 {
			t.Errorf("%s: %d, and %d actions; want one: %s", d.operation, got.status, len(acts)-seen, got.body)
			seen = len(acts)
			continue
		}
		seen++
		a := acts[0]
		if a.Action != d.operation || a.By != access.AdminName || a.Role != "admin" || a.Via != desk.ViaCLI ||
			a.Address != "198.51.100.7" || d.on != "" && string(a.On) != d.on || a.Count != d.count {
			t.Errorf("%s on %s, %d of them: %+v", d.operation, d.on, d.count, a)
		}
	}
}

// TestAudit: what changes nothing is no action, a caller's order is its own record, and filters and pages choose.
func TestAudit(t *testing.T) {
	t.Parallel()
	s := whole(t, sqliteIn(t))
	before := len(s.acts("?limit=200").Data)
	resolve := s.held("HELD", -time.Minute)
	const asked = `{"outcome":"failed","reason":"not in the statement","by":"ana"}`
	s.post(adminKey, resolve, asked).want(http.StatusOK)
	s.post(adminKey, resolve, asked).want(http.StatusOK) // its repeat
	s.post(adminKey, resolve, `{"outcome":"succeeded","reason":"no"}`).want(http.StatusConflict)
	s.post(adminKey, "/v1/callers/none/rotate-key", "").want(http.StatusNotFound)
	s.canceled(shopKey, "BACK")
	acts := s.acts("?limit=200").Data
	if len(acts) != before+2 {
		t.Fatalf("%d actions, want 2: %+v", len(acts)-before, acts)
	}
	canceled, resolved := acts[0], acts[1]
	if resolved.By != "ana" || resolved.Reason != "not in the statement" || resolved.Detail != "failed" ||
		resolved.OrderID != "HELD" || resolved.Via != desk.ViaAPI {
		t.Errorf("%+v", resolved)
	}
	if canceled.By != "shop" || canceled.Role != "caller" || canceled.On != "BACK" {
		t.Errorf("%+v", canceled)
	}
	s.post(adminKey, "/v1/events/redeliver", `{"caller":"shop"}`).want(http.StatusOK)
	many := s.acts("?action=redeliverEvents").Data
	if len(many) != 1 || many[0].Count < 3 || len(s.acts("?act="+many[0].ID).Data) != many[0].Count {
		t.Errorf("%+v", many)
	}
	for query, want := range map[string]int{
		"?on=HELD": 3, "?by=ana": 1, "?by=nobody": 0, "?via=console": 0, "?on=HELD&action=resolveTopup": 1,
		"?until=2020-01-01T00:00:00Z": 0, "?since=2020-01-01T00:00:00Z&by=ana": 1, "?on=shop-1": 1,
	} {
		if got := s.acts(query).Data; len(got) != want {
			t.Errorf("%s: %d actions, want %d: %+v", query, len(got), want, got)
		}
	}
	var paged []string
	for query := "?limit=2"; ; {
		page := s.acts(query)
		for _, a := range page.Data {
			paged = append(paged, a.ID)
		}
		if page.NextCursor == nil {
			break
		}
		query = "?limit=2&cursor=" + *page.NextCursor
	}
	if slices.Sort(paged); len(slices.Compact(paged)) != len(s.acts("?limit=200").Data) {
		t.Errorf("%d actions by pages", len(paged))
	}
	for query, named := range map[string]string{"?via=mail": "query.via", "?since=x": "query.since",
		"?cursor=x": "query.cursor"} {
		got := s.get(adminKey, "/v1/audit"+query).want(http.StatusUnprocessableEntity).problem().named()
		if !slices.Equal(got, []string{named}) {
			t.Errorf("%s: %v", query, got)
		}
	}
}

// TestControls: what is wrong is named, and what is set is shown until it is ended.
func TestControls(t *testing.T) {
	t.Parallel()
	s := whole(t, sqliteIn(t))
	list := func() (shown []string) {
		var page struct{ Data []desk.ControlStanding }
		decode(t, s.get(adminKey, "/v1/controls").want(http.StatusOK).body, &page)
		for _, c := range page.Data {
			shown = append(shown, strings.TrimSpace(c.String()+" "+string(c.Value)))
		}
		return shown
	}
	for _, c := range []struct{ action, body, wrong string }{
		{"pause", `{"kind":"caller","name":"shop-1","reason":"floods","by":"ana"}`, ""},
		{"pause", `{"kind":"caller","name":"shop-1","reason":"again"}`, ""},
		{"pause", `{"kind":"purchases","reason":"maintenance"}`, ""},
		{"pause", `{"kind":"caller","name":"nobody","reason":"x"}`, "body.name"},
		{"pause", `{"kind":"caller","reason":"x"}`, "body.name"},
		{"pause", `{"kind":"operator","name":"telcel","reason":"x"}`, "body.name"},
		{"pause", `{"kind":"product","name":"NONE","reason":"x"}`, "body.name"},
		{"pause", `{"kind":"webhooks","name":"shop","reason":"x"}`, "body.name"},
		{"pause", `{"kind":"everything","reason":"x"}`, "body.kind"},
		{"pause", `{"kind":"purchases","reason":" "}`, "body.reason"},
		{"limit", `{"kind":"rate","value":"100/m","reason":"asked"}`, ""},
		{"limit", `{"kind":"rate","value":"fast","reason":"x"}`, "body.rate"},
		{"limit", `{"kind":"concurrency","value":"0","reason":"x"}`, "body.concurrency"},
		{"limit", `{"kind":"concurrency","value":"default","reason":"x"}`, ""},
		{"resume", `{"kind":"purchases","reason":"over"}`, ""},
		{"resume", `{"kind":"webhooks","reason":"was not"}`, ""},
	} {
		got := s.post(adminKey, "/v1/controls/"+c.action, c.body)
		if c.wrong == "" {
			got.want(http.StatusOK)
			continue
		}
		if named := got.want(http.StatusUnprocessableEntity).problem().named(); !slices.Equal(named, []string{c.wrong}) {
			t.Errorf("%s %s: %v", c.action, c.body, named)
		}
	}
	if got := list(); !slices.Equal(got, []string{"caller shop-1", "rate 100/m"}) {
		t.Errorf("set: %q", got)
	}
	var page struct{ Data []desk.ControlStanding }
	decode(t, s.get(adminKey, "/v1/controls").body, &page)
	if first := page.Data[0]; first.By != "ana" || first.Reason != "floods" {
		t.Errorf("who paused it first is not kept: %+v", first)
	}
}
