package api_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/access"
	"recarga/internal/api"
	"recarga/internal/testkit"
)

//go:generate go test -run "TestAccessDocument|TestOpenAPIDocument" . -update

// asker is a column of docs/access.md.
type asker struct{ title, key string }

// variant is a form of a request.
type variant struct {
	name string
	send func(c call, s *server, at string, header ...string) answer
	// judges reports whether it is a mistake in a request of an operation; nil: it is none.
	judges func(c call) bool
}

func variants() []variant {
	all := func(call) bool { return true }
	object := func(c call) bool { return c.RequestBody != nil && c.RequestBody.Content[typeJSON] != nil }
	kind := func(c call) string {
		switch {
		case c.RequestBody == nil, object(c):
			return typeJSON
		case c.OperationID == "placeTopups":
			return typeND
		}
		return "text/csv"
	}
	with := func(body func(c call) string, kind func(c call) string, query string) func(call, *server, string,
		...string) answer {
		return func(c call, s *server, at string, header ...string) answer {
			return s.send(c.method, at+query, body(c), append([]string{"Content-Type", kind(c)}, header...)...)
		}
	}
	good := func(c call) string { return bodies()[c.OperationID] }
	text := func(s string) func(call) string { return func(call) string { return s } }
	return []variant{
		{"good", with(good, kind, ""), nil},
		{"not JSON", with(text("{"), kind, ""), object},
		{"another media type", with(good, text("image/png"), ""), func(c call) bool { return c.RequestBody != nil }},
		{"too large", with(text(strings.Repeat(" ", 70<<10)+"{}"), kind, ""), object},
		{"an unknown query", with(good, kind, "?no_such=1"), all},
		{"a broken query", with(good, kind, "?%zz"), all},
	}
}

// TestAccessDocument walks over the whole API with every kind of key and with good and broken requests. Who may not do
// something gets that answer, the same whatever is wrong with the request; who may learns what is wrong.
// docs/access.md is what the walk has found, and internal/access must say the same.
func TestAccessDocument(t *testing.T) {
	s := whole(t, sqliteIn(t))
	for _, path := range []string{"/v1/callers", "/v1/operators"} {
		body := map[string]string{"/v1/callers": `{"name":"gone"}`, "/v1/operators": `{"name":"temp","role":"viewer"}`}[path]
		s.post(adminKey, path, body).want(http.StatusCreated)
	}
	askers := []asker{{"no key", ""}, {"wrong key", "nobody"}, {"disabled caller", s.disabledCaller()}}
	askers = append(askers, asker{"caller", shopKey}, asker{"another caller", otherKey})
	for _, role := range access.Roles() {
		askers = append(askers, asker{role.String(), s.operator("the-"+role.String(), role)})
	}
	askers = append(askers, asker{"admin key", adminKey})
	s.post(shopKey, "/v1/topups/ORD-1/cancel", "").want(http.StatusOK)
	event := s.journalEvent("ORD-1")
	var table strings.Builder
	for _, c := range calls(t) {
		at := c.at("shop-1")
		switch {
		case strings.HasPrefix(c.path, "/v1/topups"):
			at = c.at("ORD-1")
		case strings.HasPrefix(c.path, "/v1/operators"):
			at = c.at("temp")
		case strings.HasPrefix(c.path, "/v1/events"):
			at = c.at(event)
		}
		fmt.Fprintf(&table, "| `%s` |", c)
		for _, who := range askers {
			fmt.Fprintf(&table, " %s |", s.may(c, at, who))
		}
		table.WriteString("\n")
	}
	head := "| operation |"
	for _, who := range askers {
		head += " " + who.title + " |"
	}
	head += "\n|---|" + strings.Repeat("---|", len(askers)) + "\n"
	testkit.Generated(t, "../../docs/access.md", accessText(head+table.String()))
}

// may is what somebody may do with an operation: "yes", or how they are refused.
func (s *server) may(c call, at string, who asker) string {
	s.tb.Helper()
	said := map[string]bool{}
	good := 0
	for _, v := range variants() {
		// Each request is another client's: the wrong keys of one would be slowed down.
		header := []string{"X-Forwarded-For", clients()}
		if who.key != "" {
			header = append(header, "Authorization", "Bearer "+who.key)
		}
		got := v.send(c, s, at, header...)
		refused := got.status == http.StatusUnauthorized || got.status == http.StatusForbidden
		said[fmt.Sprint(got.status)] = true
		if v.judges == nil {
			good = got.status
		}
		judged := v.judges != nil && v.judges(c)
		if judged && !refused && (got.status < 400 || got.status >= 500) {
			s.tb.Errorf("%s by %s with %s: %d %s", c, who.title, v.name, got.status, got.body)
		}
	}
	permission, _ := access.Of(c.OperationID)
	role, known := map[string]access.Role{
		"caller": access.Caller, "another caller": access.Caller, "viewer": access.Viewer,
		"operator": access.Operator, "admin": access.Admin, "admin key": access.Admin,
	}[who.title]
	switch {
	case len(said) == 1 && (said["401"] || said["403"]):
		if known && permission.Allows(role) {
			s.tb.Errorf("%s may do %s, and is refused", who.title, c)
		}
		return fmt.Sprint(good)
	case !known || !permission.Allows(role):
		s.tb.Errorf("%s by %s is answered in different ways: %v", c, who.title, said)
	case said["401"] || said["403"]:
		s.tb.Errorf("%s by %s is refused at times: %v", c, who.title, said)
	case who.title == "another caller" && good == http.StatusNotFound:
		return "404"
	}
	return "yes"
}

// clients counts addresses.
var clients = func() func() string {
	var mu sync.Mutex
	addr := netip.MustParseAddr("10.0.0.0")
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		addr = addr.Next()
		return addr.String()
	}
}()

func (s *server) disabledCaller() (key string) {
	s.tb.Helper()
	var added struct {
		Key string `json:"api_key"`
	}
	decode(s.tb, s.post(adminKey, "/v1/callers", `{"name":"off"}`).want(http.StatusCreated).body, &added)
	s.do(http.MethodPatch, adminKey, "/v1/callers/off", `{"disabled":true}`).want(http.StatusOK)
	return added.Key
}

// operator is the key of a new operator.
func (s *server) operator(name string, role access.Role) (key string) {
	s.tb.Helper()
	var added struct{ Key string }
	body := fmt.Sprintf(`{"name":%q,"role":%q}`, name, role)
	decode(s.tb, s.post(adminKey, "/v1/operators", body).want(http.StatusCreated).body, &added)
	return added.Key
}

func (s *server) journalEvent(order string) (id string) {
	s.tb.Helper()
	var details struct{ Events []struct{ ID string } }
	decode(s.tb, s.get(adminKey, "/v1/topups/"+order).want(http.StatusOK).body, &details)
	if len(details.Events) == 0 {
		s.tb.Fatal("no event")
	}
	return details.Events[0].ID
}

func accessText(table string) string {
	var pages strings.Builder
	for _, name := range access.Names() {
		p, _ := access.Of(name)
		if !strings.Contains(name, " ") {
			continue
		}
		who := p.Least.String()
		if p.Open {
			who = "anybody"
		}
		fmt.Fprintf(&pages, "| `%s` | %s |\n", name, who)
	}
	return "<!-- Generated by `go generate ./internal/api`. Do not edit. -->\n\n" +
		strings.NewReplacer("~", "`", "{{operations}}\n", table, "{{pages}}\n", pages.String()).Replace(accessProse)
}

const accessProse = `# Who may do what

Every request carries a key (~Authorization: Bearer KEY~), or a session of the console.

| key | whose | made by |
|---|---|---|
| caller's | places orders, and sees and acts on its own | ~RECARGA_API_KEY~, ~recarga caller add~ |
| ~viewer~ | sees every caller's orders, the console and ~/queues~, and changes nothing | ~recarga operator add ana --role viewer~ |
| ~operator~ | also acts: resolve, cancel, redeliver, pause, reconcile, end a dispute | ~recarga operator add ana --role operator~ |
| ~admin~ | also manages callers and keys, corrects final states, places orders as ~default~ | ~recarga operator add ana --role admin~ |
| admin key | an ~admin~ that needs no database, so that nobody can lock themselves out | ~RECARGA_ADMIN_KEY~ |

- What is done with a named key is kept under its name; a request that says another one (~by~) is refused. Behind the
  admin key there may be anybody: the console asks for a name, the API takes ~by~.
- ~recarga operator disable~, ~rotate-key~ and an expiry end a key, and the console's sessions that it began, within two
  seconds in every process. So does a logout with its session. Without ~RECARGA_ADMIN_KEY~ operators' keys are refused
  and the console is closed: that key seals the sessions.
- Who may not do something is answered 401 or 403 before anything of the request is judged, and before its body is read.

## Wrong keys

A wrong key is answered with 401. Of one address (an IPv4 address, or an IPv6 network of 64 bits) ten in a row are, and
then one a second; of all addresses 200 a second. Those above get 429 with ~Retry-After~. A right key is accepted at any
time, also from an address that is being slowed down: so this bounds what guessing costs, and not how often somebody may
guess. Keys that can be guessed must not be set; ~recarga key~ makes one that cannot.

Behind a proxy set ~RECARGA_TRUSTED_PROXIES~, or all clients are one address. Of ~X-Forwarded-For~ the rightmost address
that is no trusted proxy counts; from anybody else the header is ignored. Failures are logged, at most one line a second
of each address, and counted (~recarga_auth_failures_total~).

## The API

By a walk over every operation with good and broken requests. "404": what is another caller's is not found.

{{operations}}

## Pages

The least role that may.

| page | role |
|---|---|
{{pages}}
`

// TestGuesser: whoever tries keys is slowed down, and a right key from the same address is accepted each time.
func TestGuesser(t *testing.T) {
	s := serve(t)
	const guesses = 4000
	start := time.Now()
	var mu sync.Mutex
	answers := map[int]int{}
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range guesses / 8 {
				got := s.get(fmt.Sprintf("guess-%d-%d", g, i), "/v1/products")
				if got.status == http.StatusTooManyRequests && got.header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
				mu.Lock()
				answers[got.status]++
				mu.Unlock()
				if right := s.get(shopKey, "/v1/products"); right.status != http.StatusOK {
					t.Errorf("a right key is answered with %d", right.status)
				}
			}
		})
	}
	group.Wait()
	most := access.FailuresAtOnce + int(time.Since(start)/time.Second) + 1
	if got := answers[http.StatusUnauthorized]; got < access.FailuresAtOnce || got > most {
		t.Errorf("%d of %d guesses were answered with 401, want %d to %d", got, guesses, access.FailuresAtOnce, most)
	}
	if answers[401]+answers[429] != guesses {
		t.Errorf("answers %v", answers)
	}
}

// TestClientsBehindProxies: behind a trusted proxy clients are known one by one, and from anybody else X-Forwarded-For
// is ignored.
func TestClientsBehindProxies(t *testing.T) {
	guess := func(s *server, client string) int {
		return s.send(http.MethodGet, "/v1/products", "", "Authorization", "Bearer nobody", "X-Forwarded-For", client).status
	}
	proxied := serve(t, func(c *api.Config) { c.Proxies = access.Proxies{netip.MustParsePrefix("127.0.0.1/32")} })
	testkit.Eventually(t, time.Minute, func() bool { return guess(proxied, "6.6.6.6, 198.51.100.1") == 429 },
		"a guesser is slowed down")
	if got := guess(proxied, "198.51.100.2"); got != 401 {
		t.Errorf("another client is answered with %d", got)
	}
	plain := serve(t)
	n := 0
	testkit.Eventually(t, time.Minute, func() bool {
		n++
		return guess(plain,
			fmt.Sprintf("198.51.100.%d", n%200)) == 429
	},
		"a guesser who invents addresses is slowed down")
}

// TestNamedKeys: what is done with one is kept under its name, and it ends when it is rotated, disabled or expired.
func TestNamedKeys(t *testing.T) {
	var log safeBuffer
	s := whole(t, sqliteIn(t), func(c *api.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	ana := s.operator("ana", access.Admin)
	s.post(adminKey, "/v1/operators", `{"name":"ana","role":"viewer"}`).want(http.StatusConflict)
	s.post(adminKey, "/v1/operators", `{"name":"admin","role":"viewer"}`).want(http.StatusUnprocessableEntity)
	s.post(shopKey, "/v1/topups/ORD-1/cancel", "").want(http.StatusOK)
	correction := `{"outcome":"succeeded","reason":"why","by":%q}`
	got := s.post(ana, "/v1/topups/ORD-1/correct", fmt.Sprintf(correction, "luis")).want(http.StatusUnprocessableEntity)
	if !strings.Contains(string(got.body), "kept under ana") {
		t.Errorf("%s", got.body)
	}
	s.post(ana, "/v1/topups/ORD-1/correct", `{"outcome":"succeeded","reason":"why"}`).want(http.StatusOK)
	var d struct{ Corrections []struct{ By string } }
	decode(t, s.get(adminKey, "/v1/topups/ORD-1").want(http.StatusOK).body, &d)
	if len(d.Corrections) != 1 || d.Corrections[0].By != "ana" {
		t.Errorf("%+v", d)
	}
	s.post(ana, "/v1/callers", `{"name":"by-ana"}`).want(http.StatusCreated)
	if !strings.Contains(log.String(), "caller=by-ana by=ana") || strings.Contains(log.String(), ana) {
		t.Errorf("log %s", log.String())
	}

	var rotated struct{ Key string }
	decode(t, s.post(adminKey, "/v1/operators/ana/rotate-key?overlap=1h", "").want(http.StatusOK).body, &rotated)
	for _, key := range []string{ana, rotated.Key} {
		s.get(key, "/v1/operators").want(http.StatusOK)
	}
	decode(t, s.post(adminKey, "/v1/operators/ana/rotate-key", "").want(http.StatusOK).body, &rotated)
	for key, status := range map[string]int{ana: 401, rotated.Key: 200} {
		s.get(key, "/v1/operators").want(status)
	}
	s.do(http.MethodPatch, adminKey, "/v1/operators/ana", `{"role":"viewer","version":1}`).want(http.StatusConflict)
	s.do(http.MethodPatch, adminKey, "/v1/operators/ana", `{"role":"viewer"}`).want(http.StatusOK)
	s.get(rotated.Key, "/v1/operators").want(http.StatusForbidden)
	s.get(rotated.Key, "/v1/topups").want(http.StatusOK)
	s.do(http.MethodPatch, adminKey, "/v1/operators/ana", `{"disabled":true}`).want(http.StatusOK)
	s.get(rotated.Key, "/v1/topups").want(http.StatusForbidden)
	s.do(http.MethodPatch, adminKey, "/v1/operators/ana", `{"disabled":false}`).want(http.StatusOK)
	s.get(rotated.Key, "/v1/topups").want(http.StatusOK)
	soon := time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano)
	s.do(http.MethodPatch, adminKey, "/v1/operators/ana", `{"expires_at":"`+soon+`"}`).want(http.StatusOK)
	testkit.Eventually(t, time.Minute, func() bool { return s.get(rotated.Key, "/v1/topups").status == 403 },
		"the key expires")
	s.get(adminKey, "/v1/operators").want(http.StatusOK)
}

// TestEveryPermissionIsUsed: the table has no operation that the API lacks.
func TestEveryPermissionIsUsed(t *testing.T) {
	var served []string
	for _, c := range calls(t) {
		served = append(served, c.OperationID)
	}
	for _, name := range access.Names() {
		if !strings.Contains(name, " ") && !slices.Contains(served, name) {
			t.Errorf("no operation is called %s", name)
		}
		if p, _ := access.Of(name); !p.Open && p.Least == access.Caller {
			t.Errorf("no operator may do %s", name)
		}
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
