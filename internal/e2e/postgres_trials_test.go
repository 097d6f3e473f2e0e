package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// TestPostgresTrials: under load, something happens to PostgreSQL, or before it, that an operator must expect. Purchases
// continue by themselves when it is over; every order that was accepted is bought, once, or held where its attempt had
// perhaps begun.
func TestPostgresTrials(t *testing.T) {
	testkit.Deep(t)
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
			p.load.end(what)
		})
	}
}

// postgresTrial is an api and a worker on a database of their own.
type postgresTrial struct {
	t           *testing.T
	w           *world
	api, worker *process
	load        *load
}

// on starts everybody on a database, and places orders from then on.
func (p *postgresTrial) on(url string) {
	p.t.Helper()
	p.w.env["RECARGA_DATABASE_URL"] = url
	p.api, p.worker = p.w.start(p.t, "api"), p.w.start(p.t, "worker")
	p.load = p.w.load(p.t, p.api)
	p.load.continues()
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
	p.unready("")
	p.load.stops()
	restart(100)
	p.load.continues()
}

func (p *postgresTrial) standbyAway() {
	primary := testkit.PostgresOwn(p.t)
	standby := primary.Standby(primary.Addr())
	p.on(primary.URL())
	standby.Stop()
	p.unready("a commit has had no answer")
	p.load.stops()
	standby.Start()
	p.load.continues()
}

func (p *postgresTrial) formerPrimary() {
	former := testkit.PostgresOwn(p.t)
	promoted := former.Standby(former.Addr())
	p.on(strings.Replace(former.URL(), former.Addr(), former.Addr()+","+promoted.Addr(), 1))
	former.Kill()
	promoted.Promote()
	p.load.continues()
	former.Start()
	former.Administer("ALTER SYSTEM SET synchronous_standby_names = ''")
	former.Administer("SELECT pg_reload_conf()")
	promoted.Administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recarga'")
	p.load.continues()
	another := p.w.start(p.t, "worker")
	for _, one := range []*process{p.api, p.worker, another} {
		one.says(p.t, former.Addr()+" is a former primary that takes writes")
	}
	p.load.continues()
}

func (p *postgresTrial) silentPrimary() {
	primary := testkit.PostgresOwn(p.t)
	standby, link := primary.Standby(primary.Addr()), testkit.NewLink(p.t, primary.Addr())
	p.on(strings.Replace(primary.URL(), primary.Addr(), link.Addr()+","+standby.Addr(), 1))
	link.Stall()
	standby.Promote()
	p.load.continues()
}

func (p *postgresTrial) poolerChanges() {
	pooler := testkit.Pooler(p.t, &testkit.PostgresOwn(p.t).PostgresServer, "pool_mode = session",
		"default_pool_size = 32")
	p.on(pooler.URL())
	pooler.SetMode("transaction")
	p.unready("pool_mode = session")
	p.load.stops()
	pooler.SetMode("session")
	p.load.continues()
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

// load places orders all the while, each until it is accepted.
type load struct {
	t    *testing.T
	w    *world
	c    *producer.Client
	stop func()
	all  sync.WaitGroup

	mu       sync.Mutex
	accepted []topup.ID
	refused  int
}

func (w *world) load(t *testing.T, api *process) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &load{t: t, w: w, c: api.client(), stop: stop}
	t.Cleanup(func() { stop(); l.all.Wait() })
	const clients = 4
	for client := range clients {
		l.all.Go(func() { l.place(ctx, api.apiURL, client) })
	}
	return l
}

// place is one client. It asks at most 50 times a second.
func (l *load) place(ctx context.Context, url string, client int) {
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for i := 0; ctx.Err() == nil; <-pace.C {
		r := order(fmt.Sprintf("LOAD-%d-%05d", client, i), phoneOf(client*10_000+i))
		body, err := json.Marshal(r)
		if err != nil {
			l.t.Error(err)
			return
		}
		status, _, err := try(ctx, http.DefaultClient, http.MethodPost, url+"/v1/topups", string(body),
			"Content-Type", "application/json", "Authorization", "Bearer "+apiKey)
		l.mu.Lock()
		switch {
		case status == http.StatusAccepted || status == http.StatusOK:
			l.accepted = append(l.accepted, r.ID)
			i++
		case ctx.Err() == nil:
			l.refused++
		}
		l.mu.Unlock()
		if err == nil && status < 500 && status != http.StatusAccepted && status != http.StatusOK {
			l.t.Errorf("%s is answered %d", r.ID, status)
			return
		}
	}
}

func (l *load) counts() (accepted []topup.ID, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.accepted), l.refused
}

// continues waits until orders are accepted that come now, and bought.
func (l *load) continues() {
	l.t.Helper()
	before, _ := l.counts()
	testkit.Eventually(l.t, patience, func() bool {
		now, _ := l.counts()
		charges := l.w.charges()
		return len(now) > len(before)+8 &&
			slices.ContainsFunc(now[len(before)+8:], func(id topup.ID) bool { return charges[id] > 0 })
	}, "orders are accepted and bought")
}

// stops waits until requests are refused.
func (l *load) stops() {
	l.t.Helper()
	_, before := l.counts()
	testkit.Eventually(l.t, patience, func() bool { _, now := l.counts(); return now > before+4 }, "requests are refused")
}

// end places no more, and logs what the trial came to when every order has ended.
func (l *load) end(what string) {
	l.t.Helper()
	l.stop()
	l.all.Wait()
	accepted, refused := l.counts()
	held, doubles, losses := 0, 0, 0
	for _, id := range accepted {
		o := settled(l.t, l.c, id)
		l.w.notified(l.t, o)
		switch charged := l.w.charges()[id]; {
		case charged > 1:
			doubles++
		case o.State == topup.StateUnknown:
			held++
		case o.State != topup.StateSucceeded || charged == 0:
			losses++
			l.t.Errorf("%s is %s, and was charged %d times: %s", id, o.State, charged, o.Reason)
		}
	}
	testkit.Trial(l.t, what, l.pause(), refused, doubles, losses)
	l.t.Logf("%d orders were accepted, of which %d are held", len(accepted), held)
}

// pause is the longest time between two purchases.
func (l *load) pause() (longest time.Duration) {
	purchases := l.w.vendor.Purchases()
	for i := range purchases[:len(purchases)-1] {
		longest = max(longest, purchases[i+1].ChargedAt.Sub(purchases[i].ChargedAt))
	}
	return longest
}
