// Package tables is what all parts of the journal stand on: its tables, how they are made and brought up to date, and
// how their rows are read and written. It knows no operation.
package tables

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"recarga/internal/audit"
	"recarga/internal/journal/commit"
	"recarga/internal/sqlfile"
	"recarga/topup"
)

// tallyWriters is how many rows a tally is spread over, so that all processes, each with one of them by chance, seldom
// wait for each other.
const tallyWriters = 1024

//go:embed sql
var sqlFiles embed.FS

var (
	sqls     = sqlfile.Load(sqlFiles, "sql")
	sqlOrder = sqls.Get("order")
)

// DB is the open database with its writer.
type DB struct {
	*commit.Engine
	committer *commit.Committer
	grace     time.Duration // until a new event is due
	orderByID *sql.Stmt     // the one read that every purchase makes
}

// Config is what a database is opened with.
type Config struct {
	// Grace is how long after an event is made it becomes due.
	Grace time.Duration
	// Observe has every commit reported. It must not block.
	Observe func(commit.Commit)
	// Unmigrated: tables that are older are left as they are, and not opened: see OutdatedError.
	Unmigrated bool
	// AtRisk gets each risk of what was confirmed: see commit.WithRisks. nil: nobody does.
	AtRisk func(commit.Risk)
	// Connections to PostgreSQL are at most so many: see commit.WithConnections.
	Connections int
}

// Open opens the database, creates what is missing in it, and starts its writer.
func Open(ctx context.Context, databaseURL string, cfg Config) (*DB, error) {
	e, err := commit.Open(ctx, databaseURL, commit.WithConnections(cfg.Connections),
		commit.WithRisks(cfg.AtRisk))
	if err != nil {
		return nil, err
	}
	db := &DB{Engine: e, grace: cfg.Grace}
	if cfg.Unmigrated {
		err = Judge(ctx, e.Read, e.Name)
	} else {
		err = migrate(ctx, e, func(Migration) {})
	}
	if err == nil {
		err = e.ForgetCommits(ctx)
	}
	if err == nil {
		db.orderByID, err = e.Read.PrepareContext(ctx, sqlOrder)
	}
	if err == nil {
		writer := rand.Int64N(tallyWriters)
		db.committer, err = commit.Start(ctx, e, commit.Config{
			Own: own, Observe: cfg.Observe,
			Notes: func() any { return map[topup.State]int64{} },
			Last:  func(notes any) []*commit.Statement { return tallies(notes.(map[topup.State]int64), writer) },
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", e.Name, err), e.Close())
	}
	return db, nil
}

// Close waits for the writes under way and closes the database. Writes that come later fail. Closing twice is no
// error.
func (db *DB) Close() error {
	db.committer.Stop()
	return db.Engine.Close()
}

// Ping asks the database for a sign of life: of PostgreSQL an answer to a read, and to a commit, since it may have one
// without the other.
func (db *DB) Ping(ctx context.Context) error {
	if !db.IsPostgres() {
		return db.Engine.Ping(ctx)
	}
	writes := make(chan error, 1)
	go func() { writes <- db.committer.Alive(ctx) }()
	return errors.Join(db.Engine.Ping(ctx), <-writes)
}

// own reports whether an error is an operation's own outcome, which leaves nothing half done.
func own(err error) bool {
	var refused *topup.TransitionError
	return err == nil || errors.Is(err, topup.ErrLost) || errors.Is(err, topup.ErrNotDisputed) ||
		errors.Is(err, topup.ErrConflict) || errors.Is(err, topup.ErrNotFound) || errors.Is(err, topup.ErrArchived) ||
		errors.As(err, &refused) || len(topup.FieldErrors(err)) > 0
}

// tallies write what was counted, once a commit.
func tallies(finished map[topup.State]int64, writer int64) (last []*commit.Statement) {
	for _, s := range slices.Sorted(maps.Keys(finished)) {
		last = append(last, commit.Change(sqls.Get("tally"), string(s), writer, finished[s]))
	}
	return last
}

// Tx is a transaction that operations share.
type Tx struct {
	*commit.Tx
	db *DB
}

// Tx is the transaction of a step.
func (db *DB) Tx(t *commit.Tx) *Tx { return &Tx{t, db} }

// Write runs a change in a shared transaction. Those of one key never run side by side. An error of its own that
// leaves nothing half done, such as topup.ErrLost, is returned once what it did write is durable; any other error
// undoes it.
//
// Where somebody acts (audit.Of), what they do is written beside what run has changed.
//
// run may run more than once, and must keep nothing from one run to the next.
func Write[T any](ctx context.Context, db *DB, key string, run func(*Tx) (T, error)) (T, error) {
	return WriteUsual(ctx, db, key, nil, run)
}

// WriteUsual is Write for what an order usually goes through. Its usual way on PostgreSQL leaves in out what run would
// return.
func WriteUsual[T any](ctx context.Context, db *DB, key string, usual func(out *T) *commit.Step,
	run func(*Tx) (T, error)) (out T, err error) {
	act, somebody := audit.Of(ctx)
	var first commit.Usual
	switch {
	case usual != nil && somebody:
		first = func() *commit.Step { return beside(usual(&out), act) }
	case usual != nil:
		first = func() *commit.Step { return usual(&out) }
	}
	err = db.committer.Do(ctx, key, first, func(t *commit.Tx) (err error) {
		if out, err = run(db.Tx(t)); err == nil && somebody && t.Changed() {
			err = db.Tx(t).Act(act)
		}
		return err
	})
	return out, err
}

// Change runs one statement as a Write. Where it changes nothing, it is refused; nil: that is no error.
func (db *DB) Change(ctx context.Context, key string, refused error, query string, args ...any) error {
	_, err := Write(ctx, db, key, func(t *Tx) (struct{}, error) { return struct{}{}, t.Change(refused, query, args...) })
	return err
}

// Confirm returns when all that can be read from the database is as durable as a write: after a commit in doubt,
// others may read what its standby has not got.
func (db *DB) Confirm(ctx context.Context) error {
	if !db.IsPostgres() {
		return nil
	}
	_, err := Write(ctx, db, "", func(*Tx) (struct{}, error) { return struct{}{}, nil })
	return err
}

// Change runs a statement that must change a row: refused is the error where it does not.
func (t *Tx) Change(refused error, query string, args ...any) error {
	n, err := t.Exec(query, args...)
	if err == nil && n == 0 {
		err = refused
	}
	return err
}

// Order runs a statement that returns an order's columns; found is false when it returns none.
func (t *Tx) Order(query string, args ...any) (r Record, found bool, err error) {
	found, err = t.Row(OrderInto(&r), query, args...)
	return r, found, err
}

// Known is an order's row, or topup.ErrNotFound.
func (t *Tx) Known(id topup.ID) (Record, error) {
	r, found, err := t.Order(sqlOrder, string(id))
	if err == nil && !found {
		err = topup.ErrNotFound
	}
	return r, err
}

// OrderInto reads an order's columns into r.
func OrderInto(r *Record) func(Scanner) error {
	return func(row Scanner) (err error) { *r, err = ScanOrder(row); return err }
}

// OrderByID is the statement that reads an order.
func OrderByID(r *Record, id topup.ID) *commit.Statement {
	return commit.Query(OrderInto(r), sqlOrder, string(id))
}

// Number runs a query whose one row is one number.
func (t *Tx) Number(query string, args ...any) (n int64, err error) {
	found, err := t.Row(func(row Scanner) error { return row.Scan(&n) }, query, args...)
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return n, err
}

// Finished counts the orders that reached each final state in this transaction.
func (t *Tx) Finished() map[topup.State]int64 { return t.Notes.(map[topup.State]int64) }
