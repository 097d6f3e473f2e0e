package tables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3/database"

	"recarga/internal/journal/commit"
	"recarga/internal/testkit"
)

// databases are empty ones of both engines.
var databases = map[string]func(*testing.T) string{
	"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "recarga.db") },
	"postgres": func(t *testing.T) string { return testkit.Postgres(t).URL() },
}

// onEmpty runs a test on an empty database of each engine.
func onEmpty(t *testing.T, run func(t *testing.T, url string, e *commit.Engine)) {
	for name, empty := range databases {
		t.Run(name, func(t *testing.T) {
			url := empty(t)
			e, err := commit.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			}()
			run(t, url, e)
		})
	}
}

// upTo brings an empty database to a version, as the program of that time did.
func upTo(t *testing.T, e *commit.Engine, version int64) {
	t.Helper()
	p, err := provider(e)
	if err == nil {
		_, err = p.UpTo(t.Context(), version)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// madeBy writes down that a program of the future has migrated the tables.
func madeBy(t *testing.T, e *commit.Engine, version int64) {
	t.Helper()
	if _, err := e.Write.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, $2)",
		version, true); err != nil {
		t.Fatal(err)
	}
}

// versions are what is written down, 0 for a table without any.
func versions(t *testing.T, e *commit.Engine) []int64 {
	t.Helper()
	all, err := Query(t.Context(), e.Read, func(row Scanner) (v int64, err error) { err = row.Scan(&v); return v, err },
		sqlVersions)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// TestSameMigrations: both engines have migrations of the same numbers and names.
func TestSameMigrations(t *testing.T) {
	sqlite, postgres := Migrations("sqlite"), Migrations("postgres")
	if diff := cmp.Diff(sqlite, postgres); diff != "" || len(sqlite) == 0 {
		t.Errorf("the migrations differ (-sqlite +postgres):\n%s", diff)
	}
	if first := (Migration{Version: 1, Name: "00001_journal"}); sqlite[0] != first {
		t.Errorf("the first is %+v", sqlite[0])
	}
}

// TestJudge: tables are compared with the program's, and nothing is changed.
func TestJudge(t *testing.T) {
	onEmpty(t, func(t *testing.T, url string, e *commit.Engine) {
		all, newest := Migrations(e.Name), SchemaVersion()
		check := func(want *OutdatedError) {
			t.Helper()
			for _, err := range []error{Check(t.Context(), url), Judge(t.Context(), e.Read, e.Name)} {
				var got *OutdatedError
				if !errors.As(err, &got) && (want != nil || err != nil) {
					t.Errorf("%v; want %v", err, want)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
		}
		check(&OutdatedError{Needed: newest, None: true, Pending: all})
		var made int
		if err := e.Read.QueryRowContext(t.Context(), e.Words(sqlVersioned)).Scan(&made); made != 0 || err != nil {
			t.Errorf("to judge made %d tables, %v", made, err)
		}
		upTo(t, e, 14)
		before := versions(t, e)
		pending := slices.DeleteFunc(slices.Clone(all), func(m Migration) bool { return m.Version <= 14 })
		check(&OutdatedError{Version: 14, Needed: newest, Pending: pending})
		if got := versions(t, e); !slices.Equal(got, before) {
			t.Errorf("to judge did %v", got)
		}
		upTo(t, e, newest)
		check(nil)
		madeBy(t, e, 999)
		var newer *NewerError
		if err := Check(t.Context(), url); !errors.As(err, &newer) || newer.Version != 999 || newer.Known != newest {
			t.Errorf("newer tables: %v", err)
		}
	})
}

// TestMigrate: what is pending is done and reported in its order, once. Newer tables stay as they are.
func TestMigrate(t *testing.T) {
	onEmpty(t, func(t *testing.T, url string, e *commit.Engine) {
		var done []Migration
		migrate := func() error {
			done = nil
			return Migrate(t.Context(), url, func(m Migration) { done = append(done, m) })
		}
		upTo(t, e, 3)
		err := migrate()
		if diff := cmp.Diff(Migrations(e.Name)[3:], done); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		if err := migrate(); err != nil || done != nil {
			t.Errorf("did %v again: %v", done, err)
		}
		madeBy(t, e, 999)
		before := versions(t, e)
		if err := migrate(); !errors.As(err, new(*NewerError)) || done != nil {
			t.Errorf("newer tables: %v, did %v", err, done)
		}
		if got := versions(t, e); !slices.Equal(got, before) {
			t.Errorf("newer tables became %v", got)
		}
	})
}

// TestConcurrentMigrators: of many that begin at once, each migration is done by one.
func TestConcurrentMigrators(t *testing.T) {
	onEmpty(t, func(t *testing.T, url string, e *commit.Engine) {
		var mu sync.Mutex
		var done []Migration
		failed := make([]error, testkit.Times(3, 8))
		var all sync.WaitGroup
		for i := range failed {
			all.Go(func() {
				failed[i] = Migrate(t.Context(), url, func(m Migration) {
					mu.Lock()
					defer mu.Unlock()
					done = append(done, m)
				})
			})
		}
		all.Wait()
		if err := errors.Join(failed...); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(done, func(a, b Migration) int { return int(a.Version - b.Version) })
		if diff := cmp.Diff(Migrations(e.Name), done); diff != "" {
			t.Errorf("done (-once +really):\n%s", diff)
		}
		if all := versions(t, e); len(all) != len(slices.Compact(slices.Clone(all))) {
			t.Errorf("versions: %v", all)
		}
	})
}

// TestDoneMeanwhile: a migration that another process has done since this one began it cannot be written down, so that
// its transaction is undone.
func TestDoneMeanwhile(t *testing.T) {
	onEmpty(t, func(t *testing.T, _ string, e *commit.Engine) {
		upTo(t, e, 14)
		versions, err := store(e)
		if err != nil {
			t.Fatal(err)
		}
		for version, refused := range map[int64]bool{14: true, 15: false} {
			err := versions.Insert(t.Context(), e.Write, database.InsertRequest{Version: version})
			if (err != nil) != refused {
				t.Errorf("version %d: %v", version, err)
			}
		}
	})
}

// TestUnmigrated: tables that are older are not opened, and stay as they are, until somebody has migrated them.
func TestUnmigrated(t *testing.T) {
	onEmpty(t, func(t *testing.T, url string, e *commit.Engine) {
		open := func() error {
			db, err := Open(t.Context(), url, Config{Observe: func(commit.Commit) {}, Unmigrated: true})
			if err == nil {
				err = db.Close()
			}
			return err
		}
		upTo(t, e, 14)
		before := versions(t, e)
		err := open()
		for _, said := range []string{"version 14", fmt.Sprint("needs ", SchemaVersion()), "run recarga migrate"} {
			if !errors.As(err, new(*OutdatedError)) || !strings.Contains(err.Error(), said) {
				t.Errorf("older tables: %v; must say %q", err, said)
			}
		}
		if got := versions(t, e); !slices.Equal(got, before) {
			t.Errorf("older tables became %v", got)
		}
		if err := Migrate(t.Context(), url, func(Migration) {}); err != nil {
			t.Fatal(err)
		}
		if err := open(); err != nil {
			t.Errorf("migrated tables: %v", err)
		}
	})
}

// TestMigrationLetsOthersPass: a migration that waits for a long read's end does not stop those who only wait behind
// it.
func TestMigrationLetsOthersPass(t *testing.T) {
	url := testkit.Postgres(t).URL()
	e, err := commit.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	upTo(t, e, 22) // 24 changes the table of orders
	long, err := e.Read.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), testkit.Patience)
	defer stop()
	const count = "SELECT COUNT(*) FROM orders"
	var n int
	if err := long.QueryRowContext(ctx, count).Scan(&n); err != nil {
		t.Fatal(err)
	}
	migrated := make(chan error, 1)
	go func() { migrated <- Migrate(t.Context(), url, func(Migration) {}) }()
	const waiting = `SELECT COUNT(*) FROM pg_locks JOIN pg_database ON oid = database
WHERE NOT granted AND locktype = 'relation' AND datname = current_database()`
	testkit.Eventually(t, testkit.Patience, func() bool {
		return e.Read.QueryRowContext(ctx, waiting).Scan(&n) == nil && n > 0
	}, "the migration waits for the long read")
	if err := e.Read.QueryRowContext(ctx, count).Scan(&n); err != nil {
		t.Errorf("behind the migration: %v", err)
	}
	select {
	case err := <-migrated:
		t.Fatalf("the migration did not wait: %v", err)
	default:
	}
	if err := long.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-migrated; err != nil {
		t.Errorf("the migration: %v", err)
	}
}

// TestIndexIsBuiltBesideWrites: the index of a table that grows is built while others write to it, however long that
// takes; one whose build was interrupted is built anew, and the migration is done then.
func TestIndexIsBuiltBesideWrites(t *testing.T) {
	url := testkit.Postgres(t).URL()
	e, err := commit.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	upTo(t, e, 26)
	// A build waits for whoever has seen the tables before it.
	long, err := e.Read.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err == nil {
		_, err = long.ExecContext(t.Context(), "SELECT COUNT(*) FROM callers")
	}
	if err != nil {
		t.Fatal(err)
	}
	count := func(query string) (n int) {
		t.Helper()
		if err := e.Read.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	write := func(sequence int) {
		t.Helper()
		if _, err := e.Write.ExecContext(t.Context(), `INSERT INTO events (order_key, sequence, id, type, state, body,
created_at) VALUES (1, $1, $2, 'topup.failed', 'pending', '', 1)`, sequence, []byte{byte(sequence)}); err != nil {
			t.Errorf("event %d: %v", sequence, err)
		}
	}
	const broken = "SELECT COUNT(*) FROM pg_index WHERE indexrelid = to_regclass('events_feed') AND NOT indisvalid"
	ctx, interrupt := context.WithCancel(t.Context())
	migrated := make(chan error, 1)
	go func() { migrated <- Migrate(ctx, url, func(Migration) {}) }()
	testkit.Eventually(t, testkit.Patience, func() bool { return count(broken) == 1 }, "the index is being built")
	write(1)
	interrupt()
	if err := <-migrated; err == nil || count(broken) != 1 {
		t.Fatalf("interrupted: %v, %d indexes are broken", err, count(broken))
	}
	if err := long.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(t.Context(), url, func(Migration) {}); err != nil {
		t.Fatal(err)
	}
	write(2)
	if n := count("SELECT COUNT(*) FROM events WHERE feed_position IS NOT NULL"); n != 1 || count(broken) != 0 {
		t.Errorf("%d events have a place in the feed, and %d indexes are broken", n, count(broken))
	}
}

// TestUntilFree: what is refused because another holds what it needs is tried until that is free, and nothing else is.
func TestUntilFree(t *testing.T) {
	onEmpty(t, func(t *testing.T, url string, e *commit.Engine) {
		upTo(t, e, SchemaVersion())
		other, err := commit.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = other.Close() }()
		holder, err := e.Write.BeginTx(t.Context(), nil)
		if err == nil {
			_, err = holder.ExecContext(t.Context(), "UPDATE balance_watch SET low = low + 1")
		}
		if err != nil {
			t.Fatal(err)
		}
		write := "UPDATE balance_watch SET low = low + 1"
		if e.IsPostgres() {
			write = "SELECT * FROM balance_watch FOR UPDATE NOWAIT"
		}
		tries := 0
		err = untilFree(t.Context(), 0, func() error {
			if tries++; tries == 3 {
				if err := holder.Rollback(); err != nil {
					t.Error(err)
				}
			}
			_, err := other.Write.ExecContext(t.Context(), write)
			return err
		})
		if err != nil || tries != 3 {
			t.Errorf("after %d tries: %v", tries, err)
		}
		tries = 0
		err = untilFree(t.Context(), 0, func() error {
			tries++
			_, err := other.Write.ExecContext(t.Context(), "UPDATE nothing SET low = 1")
			return err
		})
		if err == nil || tries != 1 {
			t.Errorf("what cannot be done was tried %d times: %v", tries, err)
		}
	})
}
