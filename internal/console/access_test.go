package console_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"recarga/internal/access"
	"recarga/internal/console"
	"recarga/internal/testkit"
	"recarga/topup"
)

// named is a browser that has logged in with a new operator's key.
func (s *site) named(name string, role access.Role) (b *browser, key string) {
	s.tb.Helper()
	_, key, err := s.config.Operators.Add(s.tb.Context(), name, role, nil)
	must(s.tb, err)
	b = newBrowser(s.tb, s.url)
	b.post("/console/login", "name", "somebody else", "key", key).to("/console/")
	return b, key
}

// TestRolesInTheConsole: every route, for a session of every role. Who may not gets that answer, is offered no button,
// and nothing changes.
func TestRolesInTheConsole(t *testing.T) {
	s := busy(t)
	page, err := console.New(s.config)
	must(t, err)
	before := s.book()
	names := access.Names()
	for _, role := range access.Roles() {
		b, _ := s.named("the-"+role.String(), role)
		refused := 0
		for _, route := range page.Routes() {
			p, known := access.Of(route.Pattern)
			if !known || p.Allows(role) {
				continue
			}
			refused++
			method, path, _ := strings.Cut(route.Pattern, " ")
			path = strings.NewReplacer("{id}", "HELD", "{queue}", "topups", "{action}", "pause").Replace(path)
			b.send(method, path, "reason=x&outcome=failed&was=succeeded").want(http.StatusForbidden, "role "+role.String())
			b.send(method, path+"?%zz", "%zz").want(http.StatusForbidden)
		}
		if want := map[access.Role]int{access.Viewer: 39, access.Operator: 13, access.Admin: 0}[role]; refused != want {
			t.Errorf("%s: %d routes are refused, want %d", role, refused, want)
		}
		for at, offers := range map[string]string{
			"/console/orders/HELD": "Resolve…", "/console/": "Pause…", "/console/orders?state=unknown": "Resolve all",
		} {
			if shown := strings.Contains(b.get(at).want(200).body, offers); shown != (role >= access.Operator) {
				t.Errorf("%s offers %s to a %s: %v", at, offers, role, shown)
			}
		}
		act := map[bool]int{true: http.StatusForbidden, false: http.StatusMethodNotAllowed}[role == access.Viewer]
		if got := b.post("/queues/api/queues/topups:pause").status; (got == http.StatusForbidden) != (act == http.StatusForbidden) {
			t.Errorf("%s at /queues: %d", role, got)
		}
		b.get("/queues/").want(200)
	}
	for _, name := range names {
		if strings.Contains(name, "/console") && !routed(page, name) {
			t.Errorf("no page is %s", name)
		}
	}
	if len(before) != len(s.book()) {
		t.Error("orders have come or gone")
	}
	s.wantState("HELD", topup.StateUnknown)
}

func routed(page *console.Console, pattern string) bool {
	for _, r := range page.Routes() {
		if r.Pattern == pattern {
			return true
		}
	}
	return false
}

// TestNamedKeyActsUnderItsName: whatever name was typed.
func TestNamedKeyActsUnderItsName(t *testing.T) {
	s := busy(t)
	b, _ := s.named("ana.ops", access.Operator)
	b.post("/console/orders/HELD/resolve", "outcome", "succeeded", "reason", "seen").want(http.StatusSeeOther)
	if by := s.order("HELD").Resolutions[0].By; by != "ana.ops" {
		t.Errorf("resolved by %s", by)
	}
}

// TestLogoutEndsTheSession: in every process, for whoever has the cookie, and no other session.
func TestLogoutEndsTheSession(t *testing.T) {
	s := open(t)
	other := s.listen(s.config)
	b, bystander := s.enter(), s.enter()
	at, err := url.Parse(s.url)
	must(t, err)
	cookie := b.client.Jar.Cookies(at)[0]
	status := func(url string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/console/", nil)
		must(t, err)
		r.AddCookie(cookie)
		res, err := b.client.Transport.RoundTrip(r)
		must(t, err)
		must(t, res.Body.Close())
		return res.StatusCode
	}
	if here, there := status(s.url), status(other); here != 200 || there != 200 {
		t.Fatalf("before: %d, %d", here, there)
	}
	b.post("/console/logout").to("/console/login")
	if got := status(s.url); got != http.StatusSeeOther {
		t.Errorf("after the logout: %d", got)
	}
	began := time.Now()
	testkit.Eventually(t, time.Minute, func() bool { return status(other) == http.StatusSeeOther },
		"ended in the other process")
	t.Logf("ended elsewhere after %s", time.Since(began))
	bystander.get("/console/").want(200)
}

// TestKeysEndTheirSessions: a key that is disabled, rotated or expired ends those that it began, and no others.
func TestKeysEndTheirSessions(t *testing.T) {
	yes := true
	for name, end := range map[string]func(context.Context, *access.Operators, string) error{
		"disabled": func(ctx context.Context, o *access.Operators, who string) error {
			_, err := o.Change(ctx, who, access.AccountChange{Disabled: &yes})
			return err
		},
		"rotated": func(ctx context.Context, o *access.Operators, who string) error {
			_, _, err := o.RotateKey(ctx, who, 0)
			return err
		},
		"expired": func(ctx context.Context, o *access.Operators, who string) error {
			soon := time.Now().Add(500 * time.Millisecond)
			_, err := o.Change(ctx, who, access.AccountChange{ExpiresAt: &soon})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			b, key := s.named("ana", access.Admin)
			bystander, _ := s.named("luis", access.Viewer)
			must(t, end(t.Context(), access.NewOperators(s.journal), "ana")) // in another process
			testkit.Eventually(t, time.Minute, func() bool { return b.get("/console/").status == http.StatusSeeOther },
				"the session ends")
			testkit.Eventually(t, time.Minute, func() bool {
				got := b.login(key).status
				return got == http.StatusForbidden || got == http.StatusUnauthorized
			}, "the key is refused")
			bystander.get("/console/").want(200)
			s.enter().get("/console/").want(200)
		})
	}
}

// TestForgedSessionsAreSlowed: and a session of ours is served meanwhile.
func TestForgedSessionsAreSlowed(t *testing.T) {
	s := open(t)
	b := s.enter()
	answers := map[int]int{}
	for range 3 * access.FailuresAtOnce {
		for _, path := range []string{"/console/", "/queues/"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
			must(t, err)
			r.AddCookie(&http.Cookie{Name: "recarga_console", Value: "Zm9yZ2Vk.Zm9yZ2Vk"})
			res, err := b.client.Transport.RoundTrip(r)
			must(t, err)
			must(t, res.Body.Close())
			answers[res.StatusCode]++
		}
		b.get("/console/").want(200)
	}
	if answers[http.StatusTooManyRequests] < access.FailuresAtOnce || answers[200] > 0 {
		t.Errorf("answers %v", answers)
	}
}
