package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"recarga/internal/testkit"
)

// TestPostgresTrials: under load, something happens to PostgreSQL, or before it, that an operator must expect. Purchases
// continue by themselves when it is over; every order that was accepted is bought, once, or held where its attempt had
// perhaps begun.
func TestPostgresTrials(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for what, run := range map[string]func(*postgresTrial){
		"max_connections too small, then raised by a restart":                (*postgresTrial).tooFewConnections,
		"the synchronous standby stopped, then started":                      (*postgresTrial).standbyAway,
		"the primary killed, the standby promoted, the former started again": (*postgresTrial).formerPrimary,
		"the primary silent, the standby promoted":                           (*postgresTrial).silentPrimary,
		"PgBouncer changed to pool_mode transaction, then back":              (*postgresTrial).poolerChanges,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
			p := &postgresTrial{t: t, w: w}
			run(p)
			p.trial.report(what)
		})
	}
}

// postgresTrial is an api and a worker on a database of their own.
type postgresTrial struct {
	t           *testing.T
	w           *world
	api, worker *process
	trial       *trial
}

// on starts everybody on a database, and places orders from then on.
func (p *postgresTrial) on(url string) {
	p.t.Helper()
	p.w.env["RECARGA_DATABASE_URL"] = url
	p.api, p.worker = p.w.start(p.t, "api"), p.w.start(p.t, "worker")
	p.trial = p.w.trial(p.t, p.api)
	p.trial.mayHold = true
}

func (p *postgresTrial) tooFewConnections() {
	server := testkit.PostgresOwn(p.t, "-c", "superuser_reserved_connections=0")
	p.on(server.URL())
	restart := func(connections int) {
		server.Stop()
		server.With("-c", fmt.Sprint("max_connections=", connections))
		server.Start()
	}
	restart(2)
	p.unready("") // two may be enough for both to write, and nobody is refused
	restart(100)
	p.trial.buysOn()
}

func (p *postgresTrial) standbyAway() {
	primary := testkit.PostgresOwn(p.t)
	standby := primary.Standby(primary.Addr())
	p.on(primary.URL())
	standby.Stop()
	p.unready("a commit has had no answer")
	p.trial.refuses()
	standby.Start()
	p.trial.buysOn()
}

func (p *postgresTrial) formerPrimary() {
	former := testkit.PostgresOwn(p.t)
	promoted := former.Standby(former.Addr())
	p.on(strings.Replace(former.URL(), former.Addr(), former.Addr()+","+promoted.Addr(), 1))
	former.Kill()
	promoted.Promote()
	p.trial.buysOn()
	former.Start()
	former.Administer("ALTER SYSTEM SET synchronous_standby_names = ''")
	former.Administer("SELECT pg_reload_conf()")
	promoted.Administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recarga'")
	p.trial.buysOn()
	another := p.w.start(p.t, "worker")
	for _, one := range []*process{p.api, p.worker, another} {
		one.says(p.t, former.Addr()+" is a former primary that takes writes")
	}
	p.trial.buysOn()
}

func (p *postgresTrial) silentPrimary() {
	primary := testkit.PostgresOwn(p.t)
	standby, link := primary.Standby(primary.Addr()), testkit.NewLink(p.t, primary.Addr())
	p.on(strings.Replace(primary.URL(), primary.Addr(), link.Addr()+","+standby.Addr(), 1))
	link.Stall()
	standby.Promote()
	p.trial.buysOn()
}

func (p *postgresTrial) poolerChanges() {
	pooler := testkit.Pooler(p.t, &testkit.PostgresOwn(p.t).PostgresServer, "pool_mode = session",
		"default_pool_size = 32")
	p.on(pooler.URL())
	pooler.SetMode("transaction")
	p.unready("pool_mode = session")
	p.trial.refuses()
	pooler.SetMode("session")
	p.trial.buysOn()
}

// unready waits until everybody says that it is not ready, and why.
func (p *postgresTrial) unready(why string) {
	p.t.Helper()
	for _, one := range []*process{p.api, p.worker} {
		testkit.Eventually(p.t, patience, func() bool {
			status, ready := one.probe(p.t, "/readyz")
			return status == http.StatusServiceUnavailable && len(ready.Dependencies) > 0 &&
				strings.Contains(ready.Dependencies[0].Error, why)
		}, "it is not ready: %s", why)
	}
}
