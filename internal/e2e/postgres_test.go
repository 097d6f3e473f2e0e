package e2e

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
)

// TestPostgresRoles leads a whole life with the rights of the running role of docs/postgresql.md, in tables that the
// other role has made.
func TestPostgresRoles(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	owner, runner := journaltest.Roles(t, testkit.PostgresOwn(t))
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DATABASE_URL"] = testkit.Redis(t).URL(), owner
	if out := w.run(t, "migrate"); out.status != 0 {
		t.Fatalf("recarga migrate: %+v", out)
	}
	w.env["RECARGA_DATABASE_URL"], w.env["RECARGA_MIGRATE"] = runner, "false"
	w.leadOnPostgres(t, "postgres rights", "may run, and not migrate")
}

// TestPgBouncer leads a whole life through a PgBouncer that pools sessions.
func TestPgBouncer(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	w.env["RECARGA_DATABASE_URL"] = testkit.PgBouncer(t, &testkit.PostgresOwn(t).PostgresServer, "pool_mode = session",
		"default_pool_size = 32")
	w.leadOnPostgres(t, "postgres pooler", "a session for each connection")
}

// TestPoolerRestarts: while orders flow through a PgBouncer that pools sessions, it is killed and started again.
func TestPoolerRestarts(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	pooler := testkit.Pooler(t, testkit.Postgres(t), "pool_mode = session", "default_pool_size = 32")
	w.env["RECARGA_DATABASE_URL"] = pooler.URL()
	api := w.start(t, "api")
	w.start(t, "worker")
	trial := w.trial(t, api)
	pooler.Kill()
	trial.refuses()
	pooler.Start()
	trial.report("PgBouncer that pools sessions, killed and started again")
}

// TestTransactionPoolerRefused: while orders flow, a worker and an API are started behind a PgBouncer that pools
// transactions. Both refuse it by its name, and end.
func TestTransactionPoolerRefused(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	database := testkit.Postgres(t)
	w.env["RECARGA_DATABASE_URL"] = testkit.PgBouncer(t, database, "pool_mode = session", "default_pool_size = 32")
	api := w.start(t, "api")
	w.start(t, "worker")
	trial := w.trial(t, api)
	w.env["RECARGA_DATABASE_URL"] = testkit.PgBouncer(t, database, "pool_mode = transaction")
	for _, command := range []string{"worker", "api"} {
		out := w.run(t, command)
		if out.status == 0 || !strings.Contains(out.stderr, "PgBouncer: pool_mode = session") {
			t.Errorf("%s behind a pooler of transactions: %+v", command, out)
		}
	}
	trial.report("PgBouncer that pools transactions, refused at each start")
}

// leadOnPostgres leads a whole life, of which the doctor says this about that check, and nothing of PostgreSQL that
// has failed.
func (w *world) leadOnPostgres(t *testing.T, check, text string) {
	t.Helper()
	said := false
	for _, line := range w.lead(t) {
		if strings.HasPrefix(line, "fail  postgres") {
			t.Errorf("doctor: %s", line)
		}
		said = said || strings.Contains(line, check) && strings.Contains(line, text)
	}
	if !said {
		t.Errorf("doctor does not say of %s: %s", check, text)
	}
}

// TestTooFewConnections: others have all connections of the server but two. Nobody is ready who cannot write. When
// there are enough, everybody continues without a restart: each order is accepted, and charged once.
func TestTooFewConnections(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	const connections = 12
	server := testkit.PostgresOwn(t, "-c", fmt.Sprint("max_connections=", connections),
		"-c", "superuser_reserved_connections=0")
	others, err := sql.Open("pgx", server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = others.Close() }() // they are closed before
	taken := make([]*sql.Conn, connections-2)
	for i := range taken {
		if taken[i], err = others.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DATABASE_URL"] = testkit.Redis(t).URL(), server.URL()
	api := w.start(t, "api") // it has the last two
	worker := w.launch(t, "worker")
	worker.await(worker.listening)
	testkit.Eventually(t, patience, func() bool {
		status, ready := worker.probe(t, "/readyz")
		return status == http.StatusServiceUnavailable && len(ready.Dependencies) > 0 &&
			strings.Contains(ready.Dependencies[0].Error, "too many clients")
	}, "the worker says what it waits for")
	const orders = 20
	for i := range orders {
		place(t, api.client(), order(fmt.Sprintf("FEW-%02d", i), phoneOf(i)))
	}
	for _, conn := range taken {
		_ = conn.Close()
	}
	if err := others.Close(); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	worker.await(worker.ready)
	t.Logf("the worker is ready %s after there are connections", time.Since(freed).Round(time.Millisecond))
	for i := range orders {
		o := settled(t, api.client(), order(fmt.Sprintf("FEW-%02d", i), phoneOf(i)).ID)
		judge(t, o, w.charges()[o.ID])
		w.notified(t, o)
	}
}

// TestPostgresFailover: while orders flow, the primary dies, or answers no more, and its synchronous standby is
// promoted. Purchases go on soon after that; every order that was accepted ends, and is charged once.
func TestPostgresFailover(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for _, how := range []string{"killed", "silent"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			primary := testkit.PostgresOwn(t)
			standby, link := primary.Standby(primary.Addr()), testkit.NewLink(t, primary.Addr())
			w := newWorld(t, nil)
			w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
			w.env["RECARGA_DATABASE_URL"] = strings.Replace(primary.URL(), primary.Addr(), link.Addr()+","+standby.Addr(), 1)
			api := w.start(t, "api")
			w.start(t, "worker")
			trial := w.trial(t, api)
			if how == "killed" {
				primary.Kill()
			} else {
				link.Stall()
			}
			standby.Promote()
			over := time.Now()
			place(t, trial.c, order("FIRST", "5537686660"))
			accepted := time.Since(over)
			trial.buysOn()
			t.Logf("after the promotion, the next order is accepted after %s and one is bought after %s",
				accepted.Round(time.Millisecond), time.Since(over).Round(time.Millisecond))
			trial.report("PostgreSQL, the primary " + how + ", its standby promoted")
			o := settled(t, trial.c, "FIRST")
			judge(t, o, w.charges()[o.ID])
		})
	}
}
