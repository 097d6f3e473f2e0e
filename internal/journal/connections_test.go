package journal_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestStarvation: one process has taken the server's last connections, and another one finds none. When the first has
// no use for them any more, it gives them back, and the other one continues by itself. A process without a connection
// to write says that it is not ready.
func TestStarvation(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	const connections = 16
	server := testkit.PostgresOwn(t, "-c", fmt.Sprint("max_connections=", connections),
		"-c", "superuser_reserved_connections=0")
	j := open(t, server.URL(), journal.WithConnections(connections-1))
	_, _, err := j.Accept(t.Context(), request("A"), noon)
	must(t, err)
	admin, err := sql.Open("pgx", server.URL())
	must(t, err)
	defer func() { must(t, admin.Close()) }()
	admin.SetMaxOpenConns(1)
	lock, err := admin.BeginTx(t.Context(), nil)
	must(t, err)
	_, err = lock.ExecContext(t.Context(), "LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
	must(t, err)
	used := func() (n int) {
		_, err := lock.ExecContext(t.Context(), "SELECT pg_stat_clear_snapshot()")
		must(t, err)
		must(t, lock.QueryRowContext(t.Context(),
			"SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend'").Scan(&n))
		return n
	}
	done := make(chan error)
	const reads = 4 * connections
	for range reads {
		go func() { _, err := j.Order(t.Context(), "A"); done <- err }()
	}
	eventually(t, "no connection is left", func() bool { return used() == connections })

	if _, err := journal.Open(t.Context(), server.URL()); err == nil || !journal.Unavailable(err) {
		t.Errorf("without a connection left: %v; it may work later", err)
	}
	must(t, lock.Commit())
	for range reads {
		must(t, <-done)
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		other, err := journal.Open(t.Context(), server.URL())
		if err != nil {
			return false
		}
		_, _, acceptErr := other.Accept(t.Context(), request("B"), noon)
		return errors.Join(acceptErr, other.Ping(t.Context()), other.Close()) == nil
	}, "another process has its connections")
}

// TestReadyIsTrue: a database that answers reads, and no commit, is not ready; and it is again when it answers commits.
func TestReadyIsTrue(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	ping := func(j *journal.Journal) error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return j.Ping(ctx)
	}
	t.Run("the standby is away", func(t *testing.T) {
		t.Parallel()
		c := newPair(t)
		must(t, c.journal.Ping(t.Context()))
		c.replication.cut()
		eventually(t, "it is not ready", func() bool { return ping(c.journal) != nil })
		_, err := c.journal.Order(t.Context(), "none")
		if !errors.Is(err, topup.ErrNotFound) {
			t.Errorf("a read: %v", err)
		}
		for _, q := range []string{"ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()"} {
			_, err := c.admin.ExecContext(t.Context(), q)
			must(t, err)
		}
		eventually(t, "it is ready", func() bool { return ping(c.journal) == nil })
	})
	t.Run("read only", func(t *testing.T) {
		t.Parallel()
		server := testkit.PostgresOwn(t)
		j := open(t, server.URL())
		must(t, j.Ping(t.Context()))
		server.ReadOnly(true)
		eventually(t, "it is not ready", func() bool { return ping(j) != nil })
		server.ReadOnly(false)
		eventually(t, "it is ready", func() bool { return ping(j) == nil })
	})
}

// TestSessionPooler: orders live through a PgBouncer that pools sessions, with the lines of docs/postgresql.md alone.
func TestSessionPooler(t *testing.T) {
	t.Parallel()
	url := testkit.PgBouncer(t, journaltest.Postgres(t), "pool_mode = session", "default_pool_size = 32")
	j := open(t, url)
	const orders = 60
	lifecycles(t, j, orders, 16, new(noLock))
	counts, err := j.CountByState(t.Context())
	must(t, err)
	if counts[topup.StateSucceeded] != orders {
		t.Errorf("%d of %d succeeded", counts[topup.StateSucceeded], orders)
	}
	must(t, j.Ping(t.Context()))
}

// TestTransactionPooler: a pooler that shares sessions is refused, whatever it is asked and however it chooses.
func TestTransactionPooler(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for _, settings := range [][]string{
		{"pool_mode = transaction"}, {"pool_mode = transaction", "server_round_robin = 1"},
		{"pool_mode = transaction", "min_pool_size = 5", "server_round_robin = 1"}, {"pool_mode = statement"},
	} {
		t.Run(strings.Join(settings, ", "), func(t *testing.T) {
			t.Parallel()
			url := testkit.PgBouncer(t, journaltest.Postgres(t), settings...)
			j, err := journal.Open(t.Context(), url)
			if err == nil {
				must(t, j.Close())
			}
			if !errors.Is(err, journal.ErrTransactionPooler) || journal.Unavailable(err) {
				t.Errorf("%v; it must be refused for good", err)
			}
		})
	}
}

// TestUnknownParameter: PgBouncer refuses a parameter that it does not know, and no waiting helps.
func TestUnknownParameter(t *testing.T) {
	t.Parallel()
	url := testkit.PgBouncer(t, journaltest.Postgres(t), "pool_mode = session")
	j, err := journal.Open(t.Context(), url+"&lock_timeout=5s")
	must(t, err)
	must(t, j.Close())
	_, err = journal.Open(t.Context(), url+"&options=-c%20lock_timeout%3D5s")
	if err == nil || journal.Unavailable(err) || !strings.Contains(err.Error(), "options") {
		t.Errorf("%v; must be refused for good, by its name", err)
	}
}

// TestRisks: what a server is set to is asked at the start, and again with each new connection to write, whatever a
// connection asks for. Each risk is said once.
func TestRisks(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresOwn(t, "-c", "synchronous_commit=off")
	said := make(chan journal.Risk, 100)
	j := open(t, server.URL()+"&synchronous_commit=local", journal.WithRisks(func(r journal.Risk) { said <- r }))
	if risks := j.Risks(); len(risks) > 0 || len(said) > 0 {
		t.Errorf("a durable server: %+v", risks)
	}
	restart := func(settings ...string) {
		server.Stop()
		server.With(settings...)
		server.Start()
		eventually(t, "it writes again", func() bool {
			_, _, err := j.Accept(t.Context(), request("A"), noon)
			return err == nil
		})
	}
	restart("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_standby_names=nobody")
	restart()
	want := map[string]bool{"fsync is off": true, "full_page_writes is off": false, "synchronous_commit is local": false}
	for _, risks := range [][]journal.Risk{j.Risks(), received(said)} {
		if len(risks) != len(want) {
			t.Errorf("%+v; want one each of %v", risks, want)
		}
		for _, r := range risks {
			name, _, _ := strings.Cut(r.Text, ":")
			if grave, known := want[name]; !known || grave != r.Grave {
				t.Errorf("%+v; want one each of %v", r, want)
			}
		}
	}
	server.With("-c", "fsync=on", "-c", "full_page_writes=on", "-c", "synchronous_standby_names=")
	restart()
	if risks := j.Risks(); len(risks) > 0 {
		t.Errorf("durable again: %+v", risks)
	}
}

func received[T any](from chan T) (all []T) {
	for {
		select {
		case one := <-from:
			all = append(all, one)
		default:
			return all
		}
	}
}

// TestPoolerChanges: while orders live through a PgBouncer that pools sessions, somebody has it share them. Then nothing
// is written, which is said, and nothing is confirmed that is not there. When it pools sessions again, orders live on.
func TestPoolerChanges(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for _, mode := range []string{"transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			server := journaltest.Postgres(t)
			pooler := testkit.Pooler(t, server, "pool_mode = session", "default_pool_size = 32")
			j := open(t, pooler.URL())
			book := &confirmations{journal: j}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var all sync.WaitGroup
			for worker := range 8 {
				all.Go(func() {
					for i := 0; ctx.Err() == nil; i++ {
						id := fmt.Sprintf("ORD-%d-%d", worker, i)
						book.life(ctx, id)
						_, _ = j.Order(ctx, topup.ID(id)) // it takes a session, which the writer may get
					}
				})
			}
			more := func() {
				ended := book.ended.Load()
				eventually(t, "orders end", func() bool { return book.ended.Load() > ended+50 })
			}
			more()
			pooler.SetMode(mode)
			eventually(t, "it refuses to write", func() bool {
				_, _, err := j.Accept(t.Context(), request("REFUSED"), noon)
				return errors.Is(err, journal.ErrTransactionPooler)
			})
			ended := book.ended.Load()
			if err := j.Ping(t.Context()); !errors.Is(err, journal.ErrTransactionPooler) {
				t.Errorf("ready: %v", err)
			}
			if n := book.ended.Load(); n != ended {
				t.Errorf("%d orders have ended meanwhile", n-ended)
			}
			pooler.SetMode("session")
			more()
			stop()
			all.Wait()
			if missing := book.missing(t, open(t, server.URL())); len(missing) > 0 {
				t.Errorf("%d of %d confirmations are gone, such as %s", len(missing), len(book.facts), missing[0])
			}
		})
	}
}
