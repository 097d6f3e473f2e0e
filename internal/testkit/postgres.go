//go:build unix

package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"recarga/internal/servers"
)

// PostgresServer is one database of a PostgreSQL server.
type PostgresServer struct {
	cluster *servers.Server
	// database is its name.
	database string
}

// PostgresCluster is a PostgreSQL server of one test, which the test may end and start.
type PostgresCluster struct {
	PostgresServer
	server
}

// Postgres makes an empty database and drops it with the test. Its server is shared by the tests of a
// binary and has fsync off: it may not be killed, and says nothing about speed.
func Postgres(tb testing.TB) *PostgresServer { return postgres(tb, "template1") }

// PostgresPrepared makes a database as Postgres does, with what prepare has put into a first one, once for all test
// binaries of the same parts: what that depends on. prepare leaves no connection open.
func PostgresPrepared(tb testing.TB, parts []string, prepare func(url string) error) *PostgresServer {
	tb.Helper()
	needPostgres(tb)
	shared.start.Do(func() { shared.err = startPrepared(parts, prepare) })
	shared.prepare.Do(func() {
		if shared.err == nil && !shared.prepared { // the first test has asked for an empty one
			shared.err = prepareIn(shared.cluster, prepare)
		}
	})
	return postgres(tb, preparedDatabase)
}

// preparedDatabase is the one that others are made from.
const preparedDatabase = "prepared"

func prepareIn(cluster *servers.Server, prepare func(url string) error) error {
	p := &PostgresServer{cluster, preparedDatabase}
	return errors.Join(p.administer("CREATE DATABASE "+preparedDatabase), prepare(p.URL()))
}

// startPrepared starts the shared server with the prepared database.
func startPrepared(parts []string, prepare func(url string) error) error {
	version, err := servers.PostgresVersion()
	if err != nil {
		return err
	}
	path, err := Kept("postgres", append(parts, version), func(f *os.File) error {
		cluster, err := servers.NewPostgres(hasty...)
		if err != nil {
			return err
		}
		return errors.Join(cluster.StartAnywhere(), prepareIn(cluster, prepare), cluster.End(syscall.SIGINT),
			cluster.Archive(f), cluster.Remove())
	})
	if err != nil {
		return err
	}
	archive, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }() // it was only read
	shared.prepared = true
	return startShared(servers.NewPostgresFrom(archive, hasty...))
}

func startShared(cluster *servers.Server, err error) error {
	if err != nil {
		return err
	}
	shared.cluster = cluster
	if err := cluster.StartAnywhere(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	shared.admin, err = pgx.Connect(ctx, (&PostgresServer{cluster: cluster}).url("postgres"))
	return err
}

// hasty settings are for a server that nobody kills.
var hasty = []string{"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
	"-c", "max_connections=400"}

// shared is the server of all tests of a binary; the janitor ends it.
var shared struct {
	start, prepare sync.Once
	cluster        *servers.Server
	// prepared: it was started with the prepared database.
	prepared bool
	err      error

	mu sync.Mutex
	// admin makes and drops databases: to connect costs as much as many statements.
	admin *pgx.Conn
}

// administerShared runs one statement in the shared server's own database.
func administerShared(sql string) error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	_, err := shared.admin.Exec(ctx, sql)
	return err
}

func postgres(tb testing.TB, template string) *PostgresServer {
	tb.Helper()
	needPostgres(tb)
	shared.start.Do(func() { shared.err = startShared(servers.NewPostgres(hasty...)) })
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	p := &PostgresServer{shared.cluster, "test_" + strings.ToLower(rand.Text())}
	if err := administerShared("CREATE DATABASE " + p.database + " TEMPLATE " + template); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := administerShared("DROP DATABASE " + p.database + " WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	return p
}

// PgBouncer starts a PgBouncer before a database, and returns a URL that leads through it. The settings are lines of
// its file: "pool_mode = session".
func PgBouncer(tb testing.TB, behind *PostgresServer, settings ...string) (url string) {
	tb.Helper()
	return Pooler(tb, behind, settings...).URL()
}

// PoolerServer is a PgBouncer of one test.
type PoolerServer struct {
	server
	behind *PostgresServer
}

// Pooler is PgBouncer for a test that does something to it.
func Pooler(tb testing.TB, behind *PostgresServer, settings ...string) *PoolerServer {
	tb.Helper()
	if !servers.HasPgBouncer() {
		missing(tb, "pgbouncer not found: apt-get install pgbouncer, or run make test")
	}
	host, port, err := net.SplitHostPort(behind.cluster.Addr())
	if err != nil {
		tb.Fatal(err)
	}
	pooler, err := servers.NewPgBouncer(host, port, settings...)
	if err != nil {
		tb.Fatal(err)
	}
	return &PoolerServer{newServer(tb, pooler), behind}
}

// URL leads through it to the database.
func (p *PoolerServer) URL() string {
	return strings.Replace(p.behind.URL(), p.behind.cluster.Addr(), p.Addr(), 1)
}

// SetMode changes its pool_mode while it runs.
func (p *PoolerServer) SetMode(mode string) {
	p.tb.Helper()
	p.With("pool_mode = " + mode)
	p.must(p.Reread())
	console := fmt.Sprintf("postgres://recarga@%s/pgbouncer?sslmode=disable", p.Addr())
	Eventually(p.tb, Patience, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn, err := pgconn.Connect(ctx, console)
		p.must(err)
		results, err := conn.Exec(ctx, "SHOW CONFIG").ReadAll()
		p.must(errors.Join(err, conn.Close(ctx)))
		return slices.ContainsFunc(results[0].Rows, func(row [][]byte) bool {
			return string(row[0]) == "pool_mode" && string(row[1]) == mode
		})
	}, "PgBouncer pools by %s", mode)
}

// PostgresOwn starts a server for this test alone, as durable as PostgreSQL is by default. extraArgs come last and
// win: "-c", "fsync=off".
func PostgresOwn(tb testing.TB, extraArgs ...string) *PostgresCluster {
	tb.Helper()
	needPostgres(tb)
	cluster, err := servers.NewPostgres(extraArgs...)
	if err != nil {
		tb.Fatal(err)
	}
	return &PostgresCluster{PostgresServer{cluster, "postgres"}, newServer(tb, cluster)}
}

// Standby starts a synchronous standby of the server, which follows it through address, and returns when every commit
// waits for it.
func (p *PostgresCluster) Standby(address string) *PostgresCluster {
	p.tb.Helper()
	standby, err := servers.NewStandby(p.Server, address)
	if errors.Is(err, fs.ErrNotExist) {
		missing(p.tb, "pg_basebackup not found: apt-get install postgresql, or run make test")
	}
	p.must(err)
	s := &PostgresCluster{PostgresServer{standby, p.database}, newServer(p.tb, standby)}
	p.must(p.administer("ALTER SYSTEM SET synchronous_standby_names = 'standby'"))
	p.must(p.administer("SELECT pg_reload_conf()"))
	Eventually(p.tb, time.Minute, func() bool {
		return p.administer("SELECT 1 / COUNT(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == nil
	}, "the standby is synchronous")
	return s
}

// Promote makes a standby the primary, and returns when it takes writes.
func (p *PostgresCluster) Promote() {
	p.tb.Helper()
	p.must(p.administer("SELECT pg_promote()"))
}

// ReadOnly makes the server refuse writes, or ends that.
func (p *PostgresCluster) ReadOnly(on bool) {
	p.tb.Helper()
	p.must(p.administer(fmt.Sprintf("ALTER SYSTEM SET default_transaction_read_only = %t", on)))
	p.must(p.administer("SELECT pg_reload_conf()"))
}

// KeepIn has tables and indexes that are made from now on in a folder, which the server can write to.
func (p *PostgresCluster) KeepIn(folder string) {
	p.tb.Helper()
	p.must(p.administer(fmt.Sprintf("CREATE TABLESPACE apart LOCATION '%s'", folder)))
	p.must(p.administer("ALTER SYSTEM SET default_tablespace = apart"))
	p.must(p.administer("SELECT pg_reload_conf()"))
}

// Copy is a database of the same server with all that this one has, dropped with the test. Nobody may be connected to
// this one.
func (p *PostgresServer) Copy(tb testing.TB) *PostgresServer { return postgres(tb, p.database) }

// URL names the database, as RECARGA_DATABASE_URL does.
func (p *PostgresServer) URL() string { return p.url(p.database) }

func (p *PostgresServer) url(database string) string {
	return fmt.Sprintf("postgres://recarga@%s/%s?sslmode=disable", p.cluster.Addr(), database)
}

// Administer runs one statement in the server's own database, as its superuser.
func (p *PostgresCluster) Administer(sql string) { p.tb.Helper(); p.must(p.administer(sql)) }

// administer runs one statement in the server's own database.
func (p *PostgresServer) administer(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.url("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func needPostgres(tb testing.TB) {
	tb.Helper()
	if !servers.HasPostgres() {
		missing(tb, "initdb not found: apt-get install postgresql, or run make test")
	}
}
