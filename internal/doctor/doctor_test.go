package doctor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"recarga/internal/config"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
)

//go:generate go test -run TestDocument . -update

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A pool that was closed while it dialled a server that is gone finds out up to a second later.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"),
		// A login that nobody waits for any longer goes on for all who might; it ends with the program.
		goleak.IgnoreAnyFunction("recarga/distributor.(*tokens).renew"))
}

const patience = 20 * time.Second

// bad is a check that finds something wrong.
type bad struct {
	check  string
	status Status
	// found and fix are patterns.
	found, fix string
	// in is what the doctor finds.
	in func(t *testing.T) []Finding
}

// of is what a part of a configuration finds.
func of(newPart func(Config) part, change func(t *testing.T, cfg *Config)) func(*testing.T) []Finding {
	return func(t *testing.T) []Finding {
		cfg := Config{Timeout: patience, Settings: config.Settings{Migrate: true}}
		change(t, &cfg)
		return newPart(cfg).examine(t.Context(), cfg.Timeout)
	}
}

// judged is what a check makes of a finding that no real server here can be brought to.
func judged(check string, f Finding) func(*testing.T) []Finding {
	return func(t *testing.T) []Finding {
		c := checkNamed(t, check)
		c.run = func(context.Context) Finding { return f }
		return []Finding{c.bounded(t.Context(), patience)}
	}
}

func checkNamed(t *testing.T, name string) Check {
	t.Helper()
	all := Checks()
	i := slices.IndexFunc(all, func(c Check) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no check %q", name)
	}
	return all[i]
}

func findingOf(t *testing.T, found []Finding, check string) Finding {
	t.Helper()
	i := slices.IndexFunc(found, func(f Finding) bool { return f.Check == check })
	if i < 0 {
		t.Fatalf("%q found nothing among %v", check, found)
	}
	return found[i]
}

// TestBad: each check that there is finds what it is for, and says what to change.
func TestBad(t *testing.T) {
	cases := slices.Concat(badSettings(), badDatabases(), badRedis(), badDistributors(), badCallbacks(), badAuxiliaries())
	tried := map[string]bool{}
	for _, c := range cases {
		tried[c.check] = true
		t.Run(strings.ReplaceAll(c.check+" "+c.found, " ", "_"), func(t *testing.T) {
			t.Parallel()
			f := findingOf(t, c.in(t), c.check)
			if f.Status != c.status || !regexp.MustCompile(c.found).MatchString(f.Found) ||
				!regexp.MustCompile(c.fix).MatchString(f.Fix) {
				t.Errorf("%+v; want %s, found %q, fix %q", f, c.status, c.found, c.fix)
			}
		})
	}
	var names []string
	for _, c := range Checks() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(tried))); diff != "" {
		t.Errorf("checks without a case (-) and cases without a check (+):\n%s", diff)
	}
}

// TestDown: whatever does not answer is a failure, in time, and the other parts are checked.
func TestDown(t *testing.T) {
	vault := testkit.Redis(t)
	vault.Pause()
	silent := silence(t)
	const timeout = 300 * time.Millisecond
	began := time.Now()
	found := Examine(t.Context(), Config{Timeout: timeout, Settings: config.Settings{
		RedisURL: vault.URL(), DatabaseURL: "postgres://u:geheim@" + silent + "/x",
		DistributorURL: "http://" + silent + "/api/distributor", CallbackURL: "https://" + silent, WebhookAllowPrivate: true,
	}})
	if took := time.Since(began); took > testkit.Patience {
		t.Errorf("took %s", took)
	}
	for _, check := range []string{"redis reachable", "postgres reachable", "distributor credentials",
		"callback certificate"} {
		if f := findingOf(t, found, check); f.Status != Fail || f.Fix == "" {
			t.Errorf("%+v", f)
		}
	}
	if all := fmt.Sprint(found); strings.Contains(all, "geheim") {
		t.Errorf("a secret is shown: %s", all)
	}
}

func TestUnheeding(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	c := Check{Name: "stuck", Fix: "pull", run: func(context.Context) Finding { <-stuck; return ok("") }}
	want := Finding{Check: "stuck", Status: Fail, Found: "no answer within 1ms", Fix: "pull"}
	if diff := cmp.Diff(want, c.bounded(t.Context(), time.Millisecond)); diff != "" {
		t.Error(diff)
	}
}

// TestWell: where nothing is wrong, nothing is said to be, and nothing changes.
func TestWell(t *testing.T) {
	ca := testkit.NewAuthority(t)
	cfg := Config{Timeout: patience, RootCAs: ca.Pool, TraceCollector: silence(t), Settings: config.Settings{
		RedisURL: served(t), DistributorURL: vendor(t, nil), DistributorCustomerID: "demo", DistributorSecretKey: "demo",
		ArchiveDir: t.TempDir(), DistributorTimeout: 2 * time.Minute, ShutdownTimeout: 3 * time.Minute,
		APIKey: "hvQ2cP7sXk0mTz4bRw8yLd", AdminKey: "Jf5uNe1gYq9aVt3iKo6xCs",
		HTTPAddr: "127.0.0.1:8080", MetricsAddr: "10.0.0.1:9464",
		CallbackURL: secured(t, ca, 365*24*time.Hour), WebhookAllowPrivate: true,
		OperatorCallbackURL: secured(t, ca, time.Hour),
	}}
	for name, open := range map[string]func(*testing.T) string{"sqlite": usedSQLite, "postgres": usedPostgres} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			cfg.DatabaseURL = open(t)
			found := Examine(t.Context(), cfg)
			for _, f := range found {
				if meant := f.Check == "private webhooks"; f.Status != OK && !meant || f.Status == OK && f.Fix != "" {
					t.Errorf("%+v", f)
				}
			}
			var names, want []string
			for _, f := range found {
				names = append(names, f.Check)
			}
			for _, c := range Checks() {
				engine, _, _ := strings.Cut(c.Name, " ")
				if engine != "sqlite" && engine != "postgres" || engine == name {
					want = append(want, c.Name)
				}
			}
			// The sandbox speaks http.
			want = slices.DeleteFunc(want, func(name string) bool { return name == "distributor certificate" })
			if diff := cmp.Diff(want, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEmbedded(t *testing.T) {
	found := of(newRedis, func(_ *testing.T, cfg *Config) { cfg.RedisURL = "embedded" })(t)
	if len(found) != 1 || found[0].Status != OK || !strings.Contains(found[0].Found, "embedded") {
		t.Errorf("%+v", found)
	}
}

func TestDocument(t *testing.T) {
	testkit.Generated(t, "../../docs/doctor.md", document())
}

// introduction has ~ where Markdown has a backquote.
const introduction = `# The doctor

~recarga doctor~ checks every dependency and every setting that is allowed but unsafe. It prints one line for each, and
below it how to fix what is wrong. Run it as the same user, and give it the settings of the process that it must judge:
the same environment, flags or ~--config~.

    ok    redis version           7.0.15
    fail  redis eviction          maxmemory-policy is allkeys-lru
          → CONFIG SET maxmemory-policy noeviction, and the same in redis.conf

A **warning** may be intended. A **failure** loses orders, money or secrets, or keeps the program from starting. The
exit status is 0 when nothing failed, 1 when a check failed, 2 when the settings are wrong (then the doctor shows only
their mistakes). ~--strict~ counts warnings as failures. ~--json~ prints an array of
~{"check","status","found","fix"}~: the status is ~ok~, ~warn~ or ~fail~, and ~fix~ is empty when there is nothing to
fix. No check takes longer than ~--timeout~ (5s), and the dependencies are checked at the same time. When a check fails,
the doctor skips the checks that need it; the line says how many. A check that does not apply has no line.

It changes nothing: it reads the database, migrates nothing, writes nothing to Redis, posts no webhook and buys nothing.
You should know one thing: it logs in at the distributor, once. If the distributor allows a single session, the workers
then log in again by themselves.

`

const liveIntroduction = `
## At the real API

~recarga doctor --live~ runs the integration checklist of the distributor's document at the configured API, with the
client that the workers use, one check after the other. A failure ends the run. It buys nothing:

    $ recarga doctor --live
    ok    live reachable        vendor.example:443 is 203.0.113.7:443, 31.2ms away
    ok    live certificate      valid until 2027-03-01, 97 days
    ok    live shared token     accepted
    ok    live login            accepted in 212ms; its token is renewed after 59m0s
    ok    live token renewal    a refused token led to a new login, and that to an answer, in 655ms
    ok    live sessions         one: a login ends the older token. The running workers find the new one in Redis
    ok    live balance          1000.00 USD, 12s old
    ok    live errors           HTTP 401, as documented
    ok    live clock            as this machine's
    ok    live latency          7 answers, half of them within 208ms, the slowest took 240ms

It logs in twice, and puts the new token where the running workers find it (~RECARGA_REDIS_URL~). If the distributor
allows one session and the queue is embedded, the workers' token ends and they log in again by themselves. The
distributor refuses a purchase of that moment with 401 before it processes it, and the worker sends it again. Each check
may take ~--timeout~ (30s).

~recarga doctor --live --purchase 5537686660~ then buys one top-up **with real money**, if no check failed. It asks on
the terminal first (not with ~--yes~), and buys the smallest amount that the catalogue has (10 MXN of ~MOVISTAR_TAE~;
~--product~, ~--amount~ choose another). The top-up is an ordinary order, ~doctor-…~, placed at the ~recarga serve~ of
~RECARGA_API_URL~. It is in the book of record before any money moves, is never charged twice, and notifies the caller
whose key is used; ~recarga get~ finds it. It expires after ~--wait~ (5m), so nothing is bought later, when nobody
watches. That ~recarga serve~ must have the same distributor and customer. With ~--json~ the finding ~live purchase~ has
the ~order~.

`

// TestEveryCheckHasItsTexts: an operator must see why something is checked, and how to fix it.
func TestEveryCheckHasItsTexts(t *testing.T) {
	left := maps.Clone(texts)
	for _, c := range slices.Concat(Checks(), LiveChecks()) {
		if c.Why == "" || c.Fix == "" {
			t.Errorf("%s: why %q, fix %q", c.Name, c.Why, c.Fix)
		}
		delete(left, c.Name)
	}
	for name := range left {
		t.Errorf("%s: texts of no check", name)
	}
}

func document() string {
	var b strings.Builder
	b.WriteString("<!-- Generated from internal/doctor by `go generate ./internal/doctor`. Do not edit. -->\n\n" +
		strings.ReplaceAll(introduction, "~", "`"))
	table(&b, Checks())
	b.WriteString(strings.ReplaceAll(liveIntroduction, "~", "`"))
	table(&b, LiveChecks())
	return b.String()
}

func table(b *strings.Builder, checks []Check) {
	b.WriteString("| check | why | how to fix it |\n|---|---|---|\n")
	for _, c := range checks {
		fmt.Fprintf(b, "| %s | %s | %s |\n", c.Name, c.Why, c.Fix)
	}
}

// TestSessionPoolerIsFine: a pooler that keeps a session for each connection is one to the doctor as to a start.
func TestSessionPoolerIsFine(t *testing.T) {
	url := testkit.PgBouncer(t, journaltest.Postgres(t), "pool_mode = session")
	found := of(newPostgres, func(_ *testing.T, cfg *Config) { cfg.DatabaseURL = url })(t)
	i := slices.IndexFunc(found, func(f Finding) bool { return f.Check == "postgres pooler" })
	if i < 0 || found[i].Status != OK || !strings.Contains(found[i].Found, "a session for each") {
		t.Errorf("%+v", found)
	}
}

// TestImmutableIsProven: a file of SQLite is taken for immutable only while nobody uses it, whatever its log has.
func TestImmutableIsProven(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux knows")
	}
	url, path := closedSQLite(t)
	if !isImmutable(path) {
		t.Error("a file that nobody uses")
	}
	j, err := journal.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
		t.Errorf("its log has %d bytes: nothing is proven", log.Size())
	}
	if isImmutable(path) {
		t.Error("a file that is in use, whose log is empty")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if !isImmutable(path) {
		t.Error("a file that nobody uses any more")
	}
}
