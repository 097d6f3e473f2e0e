package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"recarga/internal/access"
	"recarga/internal/console"
	"recarga/internal/controls"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

const (
	ana  topup.Phone = "5537686660"
	luis topup.Phone = "8112345678"
)

// pagesOf are all pages that need a login.
var pagesOf = []string{
	"/console/", "/console/orders", "/console/orders/HELD", "/console/orders/HELD/resolve",
	"/console/orders/WAITS/cancel",
	"/console/orders/GOOD/correct", "/console/orders/DENIED/uphold", "/console/orders?disputed=true",
	"/console/events", "/console/callers", "/console/audit", "/console/controls",
	"/console/controls/pause?kind=purchases", "/console/queues/topups/pause", "/console/bulk/redeliver?state=delivered",
	"/console/bulk/resolve?state=unknown", "/queues/",
}

// busy is a site with an order of each kind.
func busy(t *testing.T, change ...func(*console.Config)) *site {
	t.Helper()
	s := open(t, change...)
	now := time.Now()
	s.held("HELD", ana, now.Add(-2*time.Hour), time.Minute)
	s.held("EARLY", ana, now, time.Hour)
	s.placed("WAITS", luis, now)
	s.bought("GOOD", luis, now.Add(-10*time.Minute), 2*time.Second)
	s.bought("DENIED", luis, now.Add(-20*time.Minute), 2*time.Second)
	s.disputed("DENIED", "statement of 23 November: not in it")
	return s
}

func TestLogin(t *testing.T) {
	s := busy(t)
	b := newBrowser(t, s.url)
	for _, page := range pagesOf {
		got := b.get(page).want(http.StatusSeeOther)
		if !strings.HasPrefix(got.header.Get("Location"), "/console/login?next=%2F") {
			t.Errorf("%s leads to %s", page, got.header.Get("Location"))
		}
	}
	b.get("/console/login").want(200, "Admin key")
	b.login("another key").want(http.StatusUnauthorized, "not the admin key")
	b.post("/console/login", "name", "", "key", adminKey).want(http.StatusUnprocessableEntity)
	b.login(adminKey).to("/console/")
	for _, page := range pagesOf {
		b.get(page).want(200, "<html")
	}
	b.post("/console/logout").to("/console/login")
	b.get("/console/").want(http.StatusSeeOther)
	if strings.Contains(s.log.String(), adminKey) || strings.Contains(s.log.String(), "another key") {
		t.Error("a key is logged")
	}
}

func TestLoginGoesBack(t *testing.T) {
	s := open(t)
	for next, want := range map[string]string{
		"/console/orders?state=unknown": "/console/orders?state=unknown", "/queues/queues/topups": "/queues/queues/topups",
		"https://evil.example/": "/console/", "//evil.example/console/": "/console/", "/queues.evil": "/console/",
		"": "/console/",
	} {
		b := newBrowser(t, s.listen(s.config)) // nobody has guessed there yet
		b.post("/console/login", "name", "ana", "key", adminKey, "next", next).to(want)
	}
}

func TestSessionCookie(t *testing.T) {
	s := open(t)
	cookie := newBrowser(t, s.url).login(adminKey).want(http.StatusSeeOther).header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/", "Expires="} {
		if !strings.Contains(cookie, part) {
			t.Errorf("no %s in %s", part, cookie)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Errorf("over plain HTTP the browser would drop %s", cookie)
	}
}

func TestSessionsOfSeveralProcesses(t *testing.T) {
	s := open(t)
	b := s.enter()
	cookie := func(url string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
		must(t, err)
		return url + "|" + b.client.Jar.Cookies(r.URL)[0].Value
	}(s.url)
	other := s.config
	at := func(url, value string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/console/", nil)
		must(t, err)
		r.AddCookie(&http.Cookie{Name: "recarga_console", Value: value})
		res, err := b.client.Transport.RoundTrip(r)
		must(t, err)
		must(t, res.Body.Close())
		return res.StatusCode
	}
	_, value, _ := strings.Cut(cookie, "|")
	if got := at(s.listen(other), value); got != http.StatusOK {
		t.Errorf("another process answers %d", got)
	}
	if got := at(s.url, value+"0000"); got != http.StatusSeeOther {
		t.Errorf("a longer session than was given is answered with %d", got)
	}
	other.AdminKey = "a new key"
	if got := at(s.listen(other), value); got != http.StatusSeeOther {
		t.Errorf("after a change of the key the session is answered with %d", got)
	}
}

func TestClosedWithoutAdminKey(t *testing.T) {
	s := open(t, func(c *console.Config) { c.AdminKey = "" })
	b := newBrowser(t, s.url)
	b.get("/console/login").want(200, "RECARGA_ADMIN_KEY", "closed")
	b.login("").want(http.StatusUnauthorized)
	b.get("/console/").want(http.StatusSeeOther)
}

// TestWrongKeysAreSlowed: those of one address, and never the right one.
func TestWrongKeysAreSlowed(t *testing.T) {
	s := open(t)
	b := newBrowser(t, s.url)
	answers := map[int]int{}
	for range 4 * access.FailuresAtOnce {
		got := b.login("a guess")
		if answers[got.status]++; got.status == http.StatusTooManyRequests {
			if got.want(http.StatusTooManyRequests, "Too many").header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
		newBrowser(t, s.url).login(adminKey).to("/console/")
	}
	if answers[http.StatusUnauthorized] < access.FailuresAtOnce || answers[http.StatusTooManyRequests] == 0 {
		t.Errorf("answers %v", answers)
	}
}

func TestOtherSitesCanDoNothing(t *testing.T) {
	s := busy(t)
	b := s.enter()
	b.site = "cross-site"
	for _, path := range []string{"/console/login", "/console/logout", "/console/orders/GOOD/correct",
		"/console/orders/DENIED/uphold", "/console/orders/HELD/resolve", "/console/orders/WAITS/cancel",
		"/console/queues/topups/pause", "/console/bulk/resolve"} {
		b.post(path, "outcome", "succeeded", "reason", "x", "name", "ana", "key", adminKey).want(http.StatusForbidden)
	}
	s.wantState("HELD", topup.StateUnknown)
	s.wantState("WAITS", topup.StateQueued)
	stranger := newBrowser(t, s.url)
	stranger.site = "cross-site"
	stranger.get("/console/orders/HELD").want(200, `http-equiv="refresh"`, "/console/orders/HELD")
}

func TestHeaders(t *testing.T) {
	s := busy(t)
	b := s.enter()
	for _, page := range append(pagesOf, "/console/login", "/console/orders/NONE") {
		if strings.HasPrefix(page, "/queues") {
			continue
		}
		got := b.get(page)
		policy := got.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
			strings.Contains(policy, "//") {
			t.Errorf("%s: policy %q", page, policy)
		}
		if got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept", page)
		}
		for _, bad := range []string{"<script>", "style=", "onclick", "http://", "https://"} {
			if strings.Contains(got.body, bad) {
				t.Errorf("%s has %s", page, bad)
			}
		}
	}
	for _, file := range []string{"console.css", "console.js", "icon.svg"} {
		b.get("/console/assets/" + file).want(200)
	}
	b.get("/console/assets/none.js").want(http.StatusNotFound)
}

func TestSearch(t *testing.T) {
	s := busy(t)
	b := s.enter()
	for _, q := range []string{"GOOD", "TXN-GOOD", "RRN-GOOD"} {
		b.get("/console/orders?q=" + q).to("/console/orders/GOOD")
	}
	b.get("/console/orders?q=%2B52+55+3768+6660").want(200, "HELD", "EARLY", "5537686660")
	b.get("/console/orders?q=%3Cscript%3E").want(200, "&lt;script&gt;")
	if strings.Contains(s.log.String(), string(ana)) {
		t.Error("a phone number is logged")
	}
}

func TestFilters(t *testing.T) {
	s := busy(t)
	b := s.enter()
	tests := []struct {
		query     string
		has, hasN string
	}{
		{"state=unknown", ">HELD<", ">GOOD<"},
		{"state=succeeded&caller=shop&product=MOVISTAR_TAE", ">GOOD<", ">HELD<"},
		{"phone=8112345678", ">WAITS<", ">HELD<"},
		{"disputed=true", ">DENIED<", ">GOOD<"},
		{"disputed=false", ">GOOD<", ">none<"},
		{"until=" + time.Now().Add(-time.Hour).Format("2006-01-02T15:04"), ">HELD<", ">GOOD<"},
	}
	for _, tt := range tests {
		got := b.get("/console/orders?"+tt.query).want(200, tt.has)
		if strings.Contains(got.body, tt.hasN) {
			t.Errorf("%s shows %s", tt.query, tt.hasN)
		}
	}
	for _, wrong := range []string{"state=none", "phone=1", "product=none", "since=x", "cursor=x", "disputed=maybe"} {
		b.get("/console/orders?" + wrong).want(http.StatusUnprocessableEntity)
	}
}

func TestPages(t *testing.T) {
	s := open(t)
	for i := range 120 {
		s.placed(name(i), ana, time.Now())
	}
	b := s.enter()
	seen := map[string]bool{}
	path := "/console/orders?state=queued"
	for n := 0; path != "" && n < 9; n++ {
		body := b.get(path).want(200).body
		for i := range 120 {
			if strings.Contains(body, ">"+name(i)+"<") {
				seen[name(i)] = true
			}
		}
		path = ""
		if _, rest, ok := strings.Cut(body, `href="/console/orders?cursor=`); ok {
			rest, _, _ = strings.Cut(rest, `"`)
			path = "/console/orders?cursor=" + strings.ReplaceAll(rest, "&amp;", "&")
		}
	}
	if len(seen) != 120 {
		t.Errorf("%d orders on all pages, want 120", len(seen))
	}
}

func TestOrderPage(t *testing.T) {
	b := busy(t).enter()
	b.get("/console/orders/HELD").want(200, "Money may have moved", "Attempt 1", "HTTP 502", "request written",
		"&lt;b&gt;502 Bad Gateway", "Resolve…", "topup.unknown")
	b.get("/console/orders/GOOD").want(200, "Money moved", "TXN-GOOD", "Webhook try 1", "12 ms")
	b.get("/console/orders/WAITS").want(200, "Money not moved", "Cancel…")
	b.get("/console/orders/NONE").want(http.StatusNotFound)
}

// TestRestoredOrderPage: of an order that only a statement knows, the pages say what is not known, and why.
func TestRestoredOrderPage(t *testing.T) {
	s := busy(t)
	at := time.Now()
	_, err := s.journal.Restore(t.Context(), topup.LostCharge{
		ID: "LOST", Phone: "5537686660", Amount: topup.Pesos(10), From: at.Add(-time.Minute), Until: at,
		Evidence: "november.csv, line 7: charged", By: "ana",
	}, at)
	if err != nil {
		t.Fatal(err)
	}
	b := s.enter()
	b.get("/console/orders/LOST").want(200, "not known until its caller places the order again",
		"nobody, until a caller places it again", "its product is not known until its caller places it again")
	b.get("/console/orders/LOST/correct").want(200, "product not known")
	b.get("/console/orders").want(200, `<td data-label="Product">not known</td>`)
}

func TestResolve(t *testing.T) {
	s := busy(t)
	b := s.enter()
	b.get("/console/orders/GOOD/resolve").want(http.StatusConflict, "only an order that is held")
	b.post("/console/orders/HELD/resolve", "outcome", "succeeded", "reason", " ").want(http.StatusUnprocessableEntity,
		"reason")
	s.wantState("HELD", topup.StateUnknown)
	b.post("/console/orders/HELD/resolve", "outcome", "succeeded", "reason", "line 12", "transaction_id",
		"TXN-9").to("/console/orders/HELD?done=resolved")
	d := s.order("HELD")
	if d.State != topup.StateSucceeded || d.TransactionID != "TXN-9" || d.Resolutions[0].By != "ana" ||
		d.Resolutions[0].Reason != "line 12" {
		t.Errorf("%+v", d)
	}
	b.get("/console/orders/HELD?done=resolved").want(200, "Resolved as succeeded", "by ana: line 12", "Resolved.")
	b.post("/console/orders/EARLY/resolve", "outcome", "failed", "reason", "x").want(http.StatusConflict, "Too early",
		"Force it")
	s.wantState("EARLY", topup.StateUnknown)
	b.post("/console/orders/EARLY/resolve", "outcome", "resend", "reason", "x", "force",
		"yes").to("/console/orders/EARLY?done=resolved")
	s.wantState("EARLY", topup.StateRetrying)
}

// TestCorrect: the wrong word of a person is put right, and all other orders stay as they are.
func TestCorrect(t *testing.T) {
	s := busy(t)
	b := s.enter()
	b.post("/console/orders/HELD/resolve", "outcome", "failed", "reason",
		"not in the statement").to("/console/orders/HELD?done=resolved")
	bystanders := s.bystanders("HELD")
	page := "/console/orders/HELD/correct"
	b.get("/console/orders/HELD").want(200, "Correct…")
	b.get(page).want(200, `value="succeeded"`, `name="was" value="failed"`)
	b.post(page, "was", "failed", "outcome", "succeeded", "reason", " ").want(http.StatusUnprocessableEntity, "reason")
	b.post(page, "was", "failed", "outcome", "resend", "reason", "x").want(http.StatusUnprocessableEntity, "outcome")
	b.post(page, "was", "unknown", "outcome", "succeeded", "reason", "x").want(http.StatusConflict,
		"is failed, not unknown as it was shown")
	b.post(page, "outcome", "succeeded", "reason", "x").want(http.StatusConflict, "Nothing was done")
	s.wantState("HELD", topup.StateFailed)
	b.post(page, "was", "failed", "outcome", "succeeded", "reason", "line 9", "auth_code",
		"77").to("/console/orders/HELD?done=corrected")
	d := s.order("HELD")
	if d.State != topup.StateSucceeded || d.AuthCode != "77" || d.Corrections[0].By != "ana" ||
		d.Corrections[0].Reason != "line 9" {
		t.Errorf("%+v", d)
	}
	if last := d.Events[len(d.Events)-1].Type; last != topup.EventCorrected {
		t.Errorf("the last event is %s", last)
	}
	b.get("/console/orders/HELD?done=corrected").want(200, "Corrected to succeeded", "by ana: line 9", "Corrected.")
	b.get("/console/orders/WAITS/correct").want(http.StatusConflict, "only a final state")
	b.post("/console/orders/WAITS/correct", "was", "queued", "outcome", "failed", "reason", "x").want(http.StatusConflict)
	bystanders.wantUntouched()
}

// TestDisputes: a disputed order is seen, and either of a person's judgements ends its dispute and no other.
func TestDisputes(t *testing.T) {
	s := busy(t)
	b := s.enter()
	for _, id := range []string{"RIGHT", "WRONG"} {
		s.bought(id, luis, time.Now().Add(-time.Minute), time.Second)
		s.disputed(id, "not in the statement")
	}
	b.get("/console/").want(200, "3 disputed")
	b.get("/console/orders/RIGHT").want(200, "Disputed", "not in the statement", "Uphold…", "Correct…")
	bystanders := s.bystanders("RIGHT")
	b.post("/console/orders/RIGHT/uphold", "was", "succeeded", "reason", " ").want(http.StatusUnprocessableEntity,
		"Say why")
	b.post("/console/orders/RIGHT/uphold", "was", "failed", "reason", "x").want(http.StatusConflict, "Review it again")
	b.post("/console/orders/RIGHT/uphold", "was", "succeeded", "reason",
		"the vendor confirms").to("/console/orders/RIGHT?done=upheld")
	bystanders.wantUntouched()
	if d := s.order("RIGHT"); d.State != topup.StateSucceeded || d.DisputedAt != nil || d.Disputes[0].EndedBy != "ana" ||
		d.Disputes[0].Reason != "the vendor confirms" {
		t.Errorf("%+v", d)
	}
	b.get("/console/orders/RIGHT?done=upheld").want(200, "The dispute has ended", "Dispute ended: upheld")
	b.get("/console/orders/RIGHT/uphold").want(http.StatusConflict)
	b.post("/console/orders/RIGHT/uphold", "was", "succeeded", "reason", "again").want(http.StatusConflict)

	bystanders = s.bystanders("WRONG")
	b.post("/console/orders/WRONG/correct", "was", "succeeded", "outcome", "failed", "reason",
		"refunded").to("/console/orders/WRONG?done=corrected")
	bystanders.wantUntouched()
	if d := s.order("WRONG"); d.State != topup.StateFailed || d.DisputedAt != nil ||
		d.Disputes[0].Outcome != topup.DisputeCorrected {
		t.Errorf("%+v", d)
	}
	found := b.get("/console/orders?disputed=true").want(200, ">DENIED<").body
	if strings.Contains(found, ">RIGHT<") || strings.Contains(found, ">WRONG<") {
		t.Error("the list of the disputed has one that is not")
	}
}

func TestCancel(t *testing.T) {
	s := busy(t)
	b := s.enter()
	b.post("/console/orders/WAITS/cancel").want(http.StatusUnprocessableEntity, "Say why")
	b.post("/console/orders/WAITS/cancel", "reason", "asked by phone").to("/console/orders/WAITS?done=canceled")
	s.wantState("WAITS", topup.StateCanceled)
	b.post("/console/orders/HELD/cancel", "reason", "x").want(http.StatusConflict)
	s.wantState("HELD", topup.StateUnknown)
	if log := s.log.String(); !strings.Contains(log, "by=ana") || !strings.Contains(log, "asked by phone") {
		t.Errorf("who canceled is not logged: %s", log)
	}
}

func TestRedeliver(t *testing.T) {
	s := busy(t)
	b := s.enter()
	ev := s.order("GOOD").Events[0]
	b.get("/console/events/"+ev.ID+"/redeliver").want(200, "Send topup.succeeded again", "GOOD")
	b.post("/console/events/" + ev.ID + "/redeliver").want(http.StatusUnprocessableEntity)
	b.post("/console/events/"+ev.ID+"/redeliver", "reason",
		"lost by the shop").to("/console/orders/GOOD?done=redelivered")
	if got := s.order("GOOD").Events[0]; got.State != topup.EventPending || len(got.Tries) != 1 {
		t.Errorf("event %+v", got)
	}
	b.get("/console/events/none/redeliver").want(http.StatusNotFound)
}

func TestPauseAndResume(t *testing.T) {
	s := open(t)
	b := s.enter()
	paused := func() bool {
		all, err := s.queue.Glance(t.Context())
		must(t, err)
		return all[tasks.QueueTopups].Paused
	}
	b.post("/console/queues/topups/pause").want(http.StatusUnprocessableEntity)
	b.post("/console/queues/topups/pause", "reason", "the vendor is down").to("/console/")
	if !paused() {
		t.Error("not paused")
	}
	b.get("/console/").want(200, "All purchases paused", "the vendor is down")
	b.post("/console/queues/topups/pause", "reason", "again").to("/console/")
	b.post("/console/queues/topups/resume", "reason", "it is back").to("/console/")
	if paused() {
		t.Error("still paused")
	}
	b.post("/console/queues/others/pause", "reason", "x").want(http.StatusNotFound)
	b.get("/console/queues/topups/delete").want(http.StatusNotFound)
}

func TestCallers(t *testing.T) {
	s := open(t)
	keys := func(hash string) []topup.CallerKey {
		return []topup.CallerKey{{Hash: []byte(hash), CreatedAt: time.Now()}}
	}
	must(t, s.journal.AddCaller(t.Context(), topup.Caller{
		Name: "kiosk", CallbackURL: "https://kiosk.example/hook", Keys: keys("1"), Secrets: []byte("s"),
		CreatedAt: time.Now(),
		Endpoints: []topup.CallerEndpoint{{Name: "crm", URL: "https://crm.example/"}},
	}))
	mute := topup.Caller{Name: "mute", Keys: keys("2"), Secrets: []byte("sealed"), CreatedAt: time.Now()}
	must(t, s.journal.AddCaller(t.Context(), mute))
	_, err := s.journal.EndpointFailed(t.Context(), "kiosk", "https://crm.example/", time.Now())
	must(t, err)
	s.enter().get("/console/callers").want(200, "kiosk.example", "good", "crm.example", "failing", "notified nowhere")
}

func TestQueuesOpenWithTheConsolesSession(t *testing.T) {
	s := busy(t)
	b := s.enter()
	b.get("/queues/").want(200, "<html")
	must(t, s.queue.Announce(t.Context()))
	b.get("/queues/api/queues").want(200, `"topups"`)
	b.site = "cross-site"
	b.post("/queues/api/queues/topups:pause").want(http.StatusForbidden)
	stranger := newBrowser(t, s.url)
	stranger.get("/queues/").to("/console/login?next=%2Fqueues%2F")
}

// TestRedisIsGone: what the journal knows is shown all the same.
func TestRedisIsGone(t *testing.T) {
	redis := testkit.Redis(t)
	s := busy(t)
	other := s.openQueue(redis.URL(), s.config.Log)
	cfg := s.config
	cfg.Queue = other
	desk := cfg.Controls.(controls.Desk)
	desk.Queue = other
	cfg.Controls = desk
	at := s.listen(cfg)
	redis.Kill()
	b := newBrowser(t, at)
	b.login(adminKey)
	page := b.get("/console/").want(200, "Redis does not answer", "2 unknown", "Queues <span class=\"badge plain\">not known")
	if strings.Contains(page.body, "Queue topups") {
		t.Error("queues are shown that nobody can see")
	}
	b.post("/console/queues/topups/pause", "reason", "x").to("/console/") // the book has it
	b.get("/console/controls").want(200, "all purchases")
	b.post("/console/queues/topups/resume", "reason", "x").want(http.StatusServiceUnavailable, "still paused in Redis")
}
