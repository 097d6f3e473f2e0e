package tables

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"

	"recarga/internal/audit"
	"recarga/internal/journal/commit"
	"recarga/topup"
)

//go:embed migrations
var migrations embed.FS

// Migration is a step that brings the tables to a version.
type Migration struct {
	Version int64  // the one that it brings them to
	Name    string // its file's, as in 00024_held
}

// Migrations are those that this program knows for an engine, sqlite or postgres, in their order.
func Migrations(engine string) (all []Migration) {
	files, _ := fs.ReadDir(migrations, folderOf(engine)) // it is in the program
	for _, file := range files {
		if number, err := goose.NumericComponent(file.Name()); err == nil {
			all = append(all, Migration{Version: number, Name: nameOf(file.Name())})
		}
	}
	return all
}

// Sources are the texts of all migrations: what the tables depend on.
func Sources() (texts []string) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, m := range Migrations(engine) {
			text, _ := fs.ReadFile(migrations, folderOf(engine)+"/"+m.Name+".sql") // it is in the program
			texts = append(texts, m.Name, string(text))
		}
	}
	return texts
}

func folderOf(engine string) string { return "migrations/" + engine }

func nameOf(file string) string { return strings.TrimSuffix(path.Base(file), ".sql") }

// SchemaVersion is the version of the tables that this program needs, the same for both databases.
func SchemaVersion() int64 { return lastOf(Migrations("sqlite")) }

func lastOf(all []Migration) (version int64) {
	for _, m := range all {
		version = max(version, m.Version)
	}
	return version
}

// OutdatedError: the tables are older than this program needs.
type OutdatedError struct {
	// Version is theirs, 0 where there are none; Needed is the program's.
	Version, Needed int64
	// None: there are no tables yet.
	None bool
	// Pending are the migrations that they lack.
	Pending []Migration
}

func (e *OutdatedError) Error() string {
	if e.None {
		return "the database has no tables yet; run recarga migrate"
	}
	return fmt.Sprintf("the database is of version %d, this program needs %d; run recarga migrate", e.Version, e.Needed)
}

// NewerError: the tables are newer than this program, which would write rows that lack what the newer one relies on.
type NewerError struct {
	// Version is the tables', Known the program's.
	Version, Known int64
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("the database is of version %d, this program knows %d; run the newer recarga", e.Version, e.Known)
}

var (
	sqlVersioned = sqls.Engines("versioned")
	sqlVersions  = sqls.Get("versions")
)

// Judge compares the tables of an engine, sqlite or postgres, with those that this program needs, and changes nothing.
// It is an *OutdatedError or a *NewerError where they differ.
func Judge(ctx context.Context, db *sql.DB, engine string) error {
	known := Migrations(engine)
	needed, versioned := lastOf(known), sqlVersioned.SQLite
	if engine == "postgres" {
		versioned = sqlVersioned.Postgres
	}
	var exists int
	if err := db.QueryRowContext(ctx, versioned).Scan(&exists); err != nil {
		return err
	}
	if exists == 0 {
		return &OutdatedError{Needed: needed, None: true, Pending: known}
	}
	made, err := Query(ctx, db, func(row Scanner) (v int64, err error) { err = row.Scan(&v); return v, err }, sqlVersions)
	if err != nil {
		return err
	}
	pending := slices.DeleteFunc(known, func(m Migration) bool { return slices.Contains(made, m.Version) })
	switch version := slices.Max(append(made, 0)); {
	case version > needed:
		return &NewerError{Version: version, Known: needed}
	case len(pending) > 0:
		return &OutdatedError{Version: version, Needed: needed, Pending: pending}
	}
	return nil
}

// Check is Judge of the database of a URL. A SQLite file is created where there is none.
func Check(ctx context.Context, databaseURL string) error {
	return with(ctx, databaseURL, func(e *commit.Engine) error { return Judge(ctx, e.Read, e.Name) })
}

// Migrate brings the tables of the database of a URL up to date, and reports each migration when it is done.
func Migrate(ctx context.Context, databaseURL string, done func(Migration)) error {
	return with(ctx, databaseURL, func(e *commit.Engine) error { return migrate(ctx, e, done) })
}

// with opens an engine for one task.
func with(ctx context.Context, databaseURL string, run func(*commit.Engine) error) error {
	e, err := commit.Open(ctx, databaseURL)
	if err != nil {
		return err
	}
	if err = run(e); err != nil {
		err = fmt.Errorf("%s: %w", e.Name, err)
	}
	return errors.Join(err, e.Close())
}

// provider runs the migrations of the engine.
func provider(e *commit.Engine) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, folderOf(e.Name))
	if err != nil {
		return nil, err
	}
	versions, err := store(e)
	if err != nil {
		return nil, err
	}
	opts := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithStore(versions)}
	if e.IsPostgres() {
		// Who waits for another process's migration waits as long as that takes: the context says how long it may.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, math.MaxInt64))
		if err != nil {
			return nil, err
		}
		opts = append(opts, goose.WithSessionLocker(considerate{locker}))
	}
	return goose.NewProvider(goose.DialectCustom, e.Write, files, opts...)
}

// store is where goose writes down what has been done.
func store(e *commit.Engine) (database.Store, error) {
	dialect := database.DialectSQLite3
	if e.IsPostgres() {
		dialect = database.DialectPostgres
	}
	versions, err := database.NewStore(dialect, goose.DefaultTablename)
	return once{versions, Migrations(e.Name)}, err
}

// once refuses a migration that another process has done meanwhile, in its own transaction, which then undoes it. In
// SQLite no lock keeps two processes from beginning the same one.
type once struct {
	database.Store
	known []Migration
}

// audited is the migration that makes the audit: what was done before it is not there.
const audited = 29

// Insert writes down that a migration has been done, and who did it where somebody acts (audit.Of).
func (o once) Insert(ctx context.Context, tx database.DBTxConn, made database.InsertRequest) error {
	switch _, err := o.GetMigration(ctx, tx, made.Version); {
	case err == nil:
		return fmt.Errorf("another process has done migration %d at this moment", made.Version)
	case !errors.Is(err, database.ErrVersionNotFound):
		return err
	}
	err := o.Store.Insert(ctx, tx, made)
	act, somebody := audit.Of(ctx)
	if err != nil || !somebody || made.Version < audited {
		return err
	}
	for _, m := range o.known {
		if m.Version == made.Version {
			act.On = topup.NullString(m.Name)
		}
	}
	s := written(act)
	_, err = tx.ExecContext(ctx, s.Query, s.Args...)
	return err
}

// considerate bounds how long a migration waits for a table that a long read holds: purchases wait behind it.
type considerate struct{ lock.SessionLocker }

var (
	sqlBoundLocks   = sqls.Get("postgres/bound_locks")
	sqlUnboundLocks = sqls.Get("postgres/unbound_locks")
)

// SessionLock makes the session the only one that migrates.
func (c considerate) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if err := c.SessionLocker.SessionLock(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, sqlBoundLocks); err != nil {
		return errors.Join(err, c.SessionLocker.SessionUnlock(context.WithoutCancel(ctx), conn))
	}
	return nil
}

// SessionUnlock lets others migrate, and leaves the session as it was.
func (c considerate) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, sqlUnboundLocks)
	return errors.Join(err, c.SessionLocker.SessionUnlock(ctx, conn))
}

// lockPause is how long the others have what a migration waits for to themselves before it does so again.
const lockPause = 3 * time.Second

// migrate brings the database's tables up to date, and reports each migration when it is done. Several processes may
// do so at once. Newer tables stay as they are.
func migrate(ctx context.Context, e *commit.Engine, done func(Migration)) error {
	p, err := provider(e)
	if err != nil {
		return err
	}
	err = untilFree(ctx, lockPause, func() error {
		return commit.RetryOpening(ctx, func() error {
			err := up(ctx, e, p, done)
			if e.IsPostgres() && commit.Locked(err) {
				return backoff.Permanent(err) // purchases have waited behind it
			}
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	return Judge(ctx, e.Read, e.Name)
}

// untilFree repeats what ends because others hold what it needs, after a pause.
func untilFree(ctx context.Context, pause time.Duration, try func() error) error {
	return backoff.Retry(func() error {
		err := try()
		if commit.Locked(err) {
			return err
		}
		return backoff.Permanent(err)
	}, backoff.WithContext(backoff.NewConstantBackOff(pause), ctx))
}

// up does the pending migrations, one by one. One that fails because another process has done it meanwhile is done.
func up(ctx context.Context, e *commit.Engine, p *goose.Provider, done func(Migration)) error {
	for {
		made, err := p.UpByOne(ctx)
		var partial *goose.PartialError
		switch {
		case errors.Is(err, goose.ErrNoNextVersion):
			return nil
		case errors.As(err, &partial) && isDone(ctx, e, partial.Failed.Source.Version):
		case err != nil:
			return err
		default:
			done(Migration{Version: made.Source.Version, Name: nameOf(made.Source.Path)})
		}
	}
}

// isDone reports whether a migration is written down.
func isDone(ctx context.Context, e *commit.Engine, version int64) bool {
	versions, err := store(e)
	if err == nil {
		_, err = versions.GetMigration(ctx, e.Write, version)
	}
	return err == nil
}
