package console_test

import (
	"encoding/csv"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/access"
	"recarga/internal/bulk"
	"recarga/internal/console"
	"recarga/topup"
	"recarga/topup/desk"
)

// TestControlsPages: each form asks, with what it will do, and does that for its reason alone.
func TestControlsPages(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.enter()
	set := func() (all []string) {
		controls, err := s.journal.Controls(t.Context())
		must(t, err)
		for _, c := range controls {
			all = append(all, strings.Join([]string{c.String(), string(c.Value), c.By, string(c.Reason)}, ", "))
		}
		return all
	}
	b.get("/console/controls").want(200, "Nothing is paused", "Pause all purchases…")
	b.get("/console/controls/pause?kind=operator&name=MOVISTAR").want(200, "Pause operator MOVISTAR",
		"button class=\"primary danger\"")
	b.get("/console/controls/limit?kind=rate&value=100%2Fm").want(200, "Limit the rate to 100/m")
	const pause, limit = "/console/controls/pause", "/console/controls/limit"
	b.post(pause, "kind", "operator", "name", "MOVISTAR").want(http.StatusUnprocessableEntity, "reason is empty")
	b.post(pause, "kind", "operator", "name", "movistar", "reason", "x").want(http.StatusUnprocessableEntity, "one of ")
	b.post(pause, "kind", "rate", "value", "5/s", "reason", "x").want(http.StatusUnprocessableEntity)
	b.get(limit+"?kind=rate&value=fast").want(http.StatusUnprocessableEntity, "COUNT/s")
	b.get("/console/controls/delete?kind=purchases").want(http.StatusNotFound)
	if got := set(); got != nil {
		t.Errorf("set: %q", got)
	}
	s.held("DOUBT", luis, time.Now(), time.Second)
	b.post(pause, "kind", "operator", "name", "MOVISTAR", "reason", "maintenance").to("/console/controls")
	b.post(limit, "kind", "rate", "value", "100/m", "reason", "asked").to("/console/controls")
	want := []string{"operator MOVISTAR, , ana, maintenance", "rate, 100/m, ana, asked"}
	if diff := cmp.Diff(want, set()); diff != "" {
		t.Error(diff)
	}
	o := s.placed("WAITS", ana, time.Now())
	must(t, s.journal.Defer(t.Context(), o.ID, 0, topup.WaitPaused, time.Now()))
	b.get("/console/controls").want(200, "operator MOVISTAR", `data-label="Orders that wait">1</td>`, "rate 100/m")
	b.get("/console/").want(200, "Operator MOVISTAR paused", "1 order waits", "The rate is limited to 100/m",
		`Purchases <span class="badge bad">deferred<`)
	// Each asks with what it touches: what waits now, whatever it waits for.
	s.placed("QUEUED", luis, time.Now())
	for question, touches := range map[string]string{
		"resume?kind=operator&name=MOVISTAR": ">2 <small>orders are bought then, of 100 MXN",
		"pause?kind=operator&name=TELCEL":    ">0 <small>orders wait now", "pause?kind=caller&name=shop": ">2 <small>orders",
		"pause?kind=caller&name=kiosk": ">0 <small>orders", "pause?kind=purchases": ">2 <small>orders",
		"limit?kind=rate&value=5/s": ">2 <small>orders wait now", "pause?kind=webhooks": ">1 <small>event waits to be delivered now",
	} {
		b.get("/console/controls/"+question).want(200, touches)
	}
	b.get("/console/queues/topups/pause").want(200, ">2 <small>orders wait now, of 100 MXN")
	b.post(pause, "kind", "purchases", "reason", "an alarm").to("/console/controls")
	paused := b.get("/console/").want(200, "All purchases paused", `Purchases <span class="badge bad">paused<`)
	if strings.Contains(paused.body, "Queue topups is paused") {
		t.Error("one pause is two alarms")
	}
	b.post("/console/controls/resume", "kind", "purchases", "reason", "over").to("/console/controls")
	b.post("/console/controls/resume", "kind", "operator", "name", "MOVISTAR", "reason", "over").to("/console/controls")
	b.post(limit, "kind", "rate", "value", "default", "reason", "over").to("/console/controls")
	if got := set(); got != nil {
		t.Errorf("set: %q", got)
	}
}

// TestResumeSaysWhatIsBought: of the orders that a pause keeps, those count that nothing else keeps as well.
func TestResumeSaysWhatIsBought(t *testing.T) {
	t.Parallel()
	out := restricted{}
	s := open(t, func(c *console.Config) { c.Purchases = &out })
	b := s.enter()
	now := time.Now()
	for _, c := range []desk.Control{{Kind: desk.PauseOperator, Name: "MOVISTAR"}, {Kind: desk.PauseCaller, Name: "kiosk"}} {
		c.Since, c.By, c.Reason = now, "ana", "maintenance"
		must(t, s.journal.SetControl(t.Context(), c))
	}
	for _, id := range []string{"PAUSED", "QUEUED", "HELD", "OUTAGE"} {
		s.placed(id, ana, now)
	}
	s.placedBy("kiosk", "OTHER-PAUSE", ana, now)
	_, _, err := s.journal.Accept(t.Context(), topup.Request{ID: "LATER", Caller: "shop", Phone: ana, Product: "MOVISTAR_TAE",
		Amount: topup.Pesos(50), ProcessAt: new(now.Add(time.Hour))}, now)
	must(t, err)
	must(t, s.journal.Defer(t.Context(), "PAUSED", 0, topup.WaitPaused, now))
	must(t, s.journal.Defer(t.Context(), "OUTAGE", 0, topup.WaitOutage, now))
	_, err = s.journal.HoldBack(t.Context(), "HELD", now)
	must(t, err)
	const resume = "/console/controls/resume?kind=operator&name=MOVISTAR"
	b.get(resume).want(200, ">2 <small>orders are bought then, of 100 MXN", "4 other orders go on waiting")
	out.now.Outages = map[string]topup.Outage{"MOVISTAR": {Since: now}}
	b.get(resume).want(200, ">0 <small>orders are bought then, of 0 MXN", "6 other orders go on waiting")
	out.err = errors.New("no answer")
	b.get(resume).want(200, "How many wait now is not known")
	b.get("/console/controls/pause?kind=operator&name=MOVISTAR").want(200, ">6 <small>orders wait now, of 300 MXN")
}

// TestResumePastTheBook: a queue that was paused with asynq's own tools is resumed here, and that is in the audit.
func TestResumePastTheBook(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.enter()
	must(t, s.queue.Pause(t.Context(), "topups"))
	b.get("/console/").want(200, "Queue topups is paused", `Purchases <span class="badge bad">paused<`)
	b.post("/console/queues/topups/resume", "reason", "it was forgotten").to("/console/")
	all, err := s.queue.Glance(t.Context())
	must(t, err)
	acts, _, err := s.journal.Acts(t.Context(), desk.ActFilter{Action: "resume"})
	must(t, err)
	if all["topups"].Paused || len(acts) != 1 || acts[0].By != "ana" || acts[0].Reason != "it was forgotten" {
		t.Errorf("paused %v, %+v", all["topups"].Paused, acts)
	}
}

// TestEveryFormIsAudited: each form that changes something adds one action, of the name that the API has for it, by
// who is logged in; a refused one adds none. A form that is new must have a name in internal/access, and be here.
func TestEveryFormIsAudited(t *testing.T) {
	t.Parallel()
	s := busy(t, func(c *console.Config) { c.Pinger = &pinger{} })
	s.held("LATE", ana, time.Now().Add(-2*time.Hour), time.Minute)
	stopped, err := s.bulk.Start(t.Context(), topup.BulkAction{Action: topup.BulkCancel, Reason: "why", By: "eva"}, bulk.Set{})
	must(t, err)
	event := s.order("GOOD").Events[0].ID
	b := newBrowser(t, s.url)
	acts := func() []desk.Act {
		all, _, err := s.journal.Acts(t.Context(), desk.ActFilter{Limit: 1000})
		must(t, err)
		return all
	}
	done := map[string]bool{}
	const caller, endpoint = "/console/callers/kiosk", "/console/callers/kiosk/endpoints/crm"
	const ofCaller, ofEndpoint = "POST /console/callers/{name}", "POST /console/callers/{name}/endpoints/{endpoint}"
	forms := []struct {
		pattern, path, action, on string
		fields                    []string
	}{
		{"POST /console/login", "/console/login", "login", "", []string{"name", "ana", "key", adminKey}},
		{"POST /console/orders/{id}/resolve", "/console/orders/HELD/resolve", "resolveTopup", "HELD",
			[]string{"outcome", "failed", "reason", "why"}},
		{"POST /console/orders/{id}/correct", "/console/orders/GOOD/correct", "correctTopup", "GOOD",
			[]string{"was", "succeeded", "outcome", "failed", "reason", "why"}},
		{"POST /console/orders/{id}/uphold", "/console/orders/DENIED/uphold", "endDispute", "DENIED",
			[]string{"was", "succeeded", "reason", "why"}},
		{"POST /console/orders/{id}/cancel", "/console/orders/WAITS/cancel", "cancelTopup", "WAITS",
			[]string{"reason", "why"}},
		{"POST /console/orders/{id}/hold", "/console/orders/MORE/hold", "holdTopup", "MORE", []string{"reason", "why"}},
		{"POST /console/orders/{id}/release", "/console/orders/MORE/release", "releaseTopup", "MORE",
			[]string{"reason", "why"}},
		{"POST /console/events/{id}/redeliver", "/console/events/" + event + "/redeliver", "redeliverEvent", event,
			[]string{"reason", "why"}},
		{"POST /console/queues/{queue}/{action}", "/console/queues/topups/pause", "pause", "purchases",
			[]string{"reason", "why"}},
		{"POST /console/controls/{action}", "/console/controls/resume", "resume", "purchases",
			[]string{"kind", "purchases", "reason", "why"}},
		{"POST /console/bulk/resolve", "/console/bulk/resolve?state=unknown", "startBulk", "",
			[]string{"outcome", "failed", "reason", "why", "force", "yes"}},
		{"POST /console/bulk/cancel", "/console/bulk/cancel?state=queued", "startBulk", "", []string{"reason", "why"}},
		{"POST /console/bulk/redeliver", "/console/bulk/redeliver?state=pending", "startBulk", "",
			[]string{"reason", "why"}},
		{"POST /console/bulk/{id}/stop", "/console/bulk/" + stopped.ID + "/stop", "stopBulk", stopped.ID, nil},
		{"POST /console/callers", "/console/callers", "addCaller", "kiosk",
			[]string{"name", "kiosk", "callback_url", "http://kiosk.example/hook"}},
		{ofCaller + "/url", caller + "/url", "changeCaller", "kiosk", []string{"callback_url", "http://kiosk.example/2"}},
		{ofCaller + "/limits", caller + "/limits", "changeCaller", "kiosk",
			[]string{"id_prefix", "K-", "max_open", "5", "max_rate", "5/s"}},
		{ofCaller + "/disable", caller + "/disable", "changeCaller", "kiosk", nil},
		{ofCaller + "/enable", caller + "/enable", "changeCaller", "kiosk", nil},
		{ofCaller + "/rotate-key", caller + "/rotate-key", "rotateKey", "kiosk", nil},
		{ofCaller + "/rotate-secret", caller + "/rotate-secret", "rotateSecret", "kiosk", []string{"overlap", "24h"}},
		{ofCaller + "/endpoints", caller + "/endpoints", "setCallerEndpoint", "kiosk/crm",
			[]string{"endpoint", "crm", "url", "http://crm.example/hook"}},
		{ofEndpoint + "/disable", endpoint + "/disable", "disableCallerEndpoint", "kiosk/crm", nil},
		{ofEndpoint + "/enable", endpoint + "/enable", "enableCallerEndpoint", "kiosk/crm", nil},
		{ofEndpoint + "/ping", endpoint + "/ping", "pingEndpoint", "kiosk/crm", nil},
		{ofEndpoint + "/remove", endpoint + "/remove", "removeCallerEndpoint", "kiosk/crm", nil},
		{"POST /queues", "/queues/api/queues/topups:pause", "queues", "POST queues/topups:pause", nil},
		{"POST /console/logout", "/console/logout", "logout", "", nil},
	}
	s.placed("MORE", luis, time.Now())
	for _, f := range forms {
		done[f.pattern] = true
		fields := f.fields
		if strings.Contains(f.path, "/bulk/") && f.action == "startBulk" {
			asked := b.get(f.path).want(200).body
			_, seal, _ := strings.Cut(asked, `name="seal" value="`)
			seal, _, _ = strings.Cut(seal, `"`)
			fields = append(fields, "seal", strings.NewReplacer("&#43;", "+").Replace(seal))
		}
		before := len(acts())
		path, _, _ := strings.Cut(f.path, "?")
		got := b.post(path, fields...)
		all := acts()
		if got.status >= http.StatusBadRequest || len(all) != before+1 {
			t.Errorf("%s: %d, and %d actions; want one: %s", f.pattern, got.status, len(all)-before, got.body)
			continue
		}
		a := all[0]
		if a.Action != f.action || a.By != "ana" || a.Role != "admin" || a.Via != desk.ViaConsole || a.Address == "" ||
			f.on != "" && string(a.On) != f.on || slices.Contains(fields, "reason") && a.Reason != "why" {
			t.Errorf("%s: %+v", f.pattern, a)
		}
	}
	page, err := console.New(s.config)
	must(t, err)
	for _, route := range page.Routes() {
		named := access.ActOf(route.Pattern) != route.Pattern
		if route.Pattern == "POST /console/zone" { // it changes what one browser shows, and nothing else
			continue
		}
		if strings.HasPrefix(route.Pattern, "POST ") && (!done[route.Pattern] || !named) {
			t.Errorf("%s has no name in the audit, or is not among the forms", route.Pattern)
		}
	}
}

// TestAuditPage: operators see what was done, viewers do not; filters choose, and the file has it all.
func TestAuditPage(t *testing.T) {
	t.Parallel()
	s := busy(t)
	b := s.enter()
	viewer, _ := s.named("vera", access.Viewer)
	viewer.get("/console/audit").want(http.StatusForbidden)
	viewer.get("/console/").want(200)
	b.get("/console/audit?by=nobody").want(200, "No actions match")
	b.post("/console/orders/HELD/resolve", "outcome", "failed", "reason", "=cmd()").want(http.StatusSeeOther)
	b.get("/console/audit").want(200, "resolveTopup", "=cmd()", "/console/orders/HELD", "console", "127.0.0.1")
	b.get("/console/audit?on=HELD").want(200, "resolveTopup")
	b.get("/console/audit?via=mail").want(http.StatusUnprocessableEntity, "via")
	file := b.get("/console/audit.csv?action=resolveTopup").want(200)
	rows, err := csv.NewReader(strings.NewReader(file.body)).ReadAll()
	must(t, err)
	if len(rows) != 2 || len(rows[0]) != len(desk.ActColumns()) || rows[1][9] != "'=cmd()" || rows[1][6] != "HELD" {
		t.Errorf("%q", rows)
	}
}
