package journal

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"recarga/internal/archive"
	"recarga/internal/audit"
	"recarga/internal/journal/accounts"
	"recarga/internal/journal/actions"
	"recarga/internal/journal/archived"
	"recarga/internal/journal/balances"
	"recarga/internal/journal/commit"
	"recarga/internal/journal/desk"
	"recarga/internal/journal/search"
	"recarga/internal/journal/tables"
	"recarga/internal/sqlfile"
	"recarga/topup"
)

//go:embed sql
var sqlFiles embed.FS

var sqls = sqlfile.Load(sqlFiles, "sql")

// firstTryGrace is longer than the first try of an event may take.
const firstTryGrace = 30 * time.Second

// Journal is the open book of record: the operations of orders, and beside them its other parts.
type Journal struct {
	*search.Reader
	*accounts.Store
	*actions.Log
	*archived.Mover
	*balances.Book
	*desk.Desk

	db       *tables.DB
	archived *archived.Orders
	limits   TimeLimits
	catalog  topup.Catalog
	doubtful doubtful
	changed  func(Change)
}

// Change is what was written of an order, or may have been: also where nothing was, after all.
type Change struct {
	// Order has changed.
	Order topup.ID
	// Caller has a new event; empty: nobody has.
	Caller string
}

// Commit is one transaction of the journal, made or not.
type Commit = commit.Commit

// ErrInDoubt: the database did not say whether the commit happened.
var ErrInDoubt = commit.ErrInDoubt

// ErrTransactionPooler: a pooler before PostgreSQL shares sessions.
var ErrTransactionPooler = commit.ErrTransactionPooler

// Unavailable reports whether a database which Open could not open may be there later without a change here: see
// commit.Unavailable. Its tables may also be older, and somebody else is to migrate them.
func Unavailable(err error) bool {
	return commit.Unavailable(err) || errors.As(err, new(*OutdatedError))
}

// Migration is a step that brings the tables to a version.
type Migration = tables.Migration

// SchemaVersion is the version of the tables that this program needs, the same for both databases.
func SchemaVersion() int64 { return tables.SchemaVersion() }

// OutdatedError: the tables are older than this program needs.
type OutdatedError = tables.OutdatedError

// Migrate brings the tables of a database up to date, and reports each migration when it is done.
func Migrate(ctx context.Context, databaseURL string, done func(Migration)) error {
	return tables.Migrate(ctx, databaseURL, done)
}

// Migrations are those that this program knows for an engine, sqlite or postgres, in their order.
func Migrations(engine string) []Migration { return tables.Migrations(engine) }

// CheckTables compares the tables of a database with those that this program needs, and changes nothing: an
// *OutdatedError names what they lack. A SQLite file is created where there is none.
func CheckTables(ctx context.Context, databaseURL string) error {
	return tables.Check(ctx, databaseURL)
}

// settings are what options change.
type settings struct {
	grace   time.Duration
	observe func(Commit)
	changed func(Change)
	catalog topup.Catalog
	archive archive.Folder
	limits  TimeLimits
	// unmigrated leaves older tables as they are
	unmigrated bool
	// connections to PostgreSQL, at most.
	connections int
	atRisk      func(Risk)
}

// Option changes how a journal works.
type Option func(*settings)

// WithFirstTryGrace sets how long after an order's end its event becomes due. Until then the event
// belongs to whoever ended the order, who may try it at once. Defaults to 30s.
func WithFirstTryGrace(d time.Duration) Option { return func(s *settings) { s.grace = d } }

// WithCatalog sets what new orders may ask for. Without it they may ask for anything.
func WithCatalog(c topup.Catalog) Option { return func(s *settings) { s.catalog = c } }

// WithObserver has every commit reported. observe must not block.
func WithObserver(observe func(Commit)) Option { return func(s *settings) { s.observe = observe } }

// WithChanges has every change of an order reported once it is durable, or may be. changed must not block.
func WithChanges(changed func(Change)) Option { return func(s *settings) { s.changed = changed } }

// WithArchive sets where old orders are kept.
func WithArchive(folder archive.Folder) Option { return func(s *settings) { s.archive = folder } }

// WithTimeLimits sets how long orders may wait. Without it they end by their expires_at alone.
func WithTimeLimits(l TimeLimits) Option { return func(s *settings) { s.limits = l } }

// WithConnections sets how many connections to PostgreSQL are open at most: see commit.WithConnections.
func WithConnections(n int) Option { return func(s *settings) { s.connections = n } }

// Risk is how the database may lose what was confirmed.
type Risk = commit.Risk

// WithRisks has each risk given to observe when it is found, at Open or later. It must not block.
func WithRisks(observe func(Risk)) Option { return func(s *settings) { s.atRisk = observe } }

// WithoutMigration has Open fail with an *OutdatedError where the tables are older, instead of bringing them up to
// date.
func WithoutMigration() Option { return func(s *settings) { s.unmigrated = true } }

// Open opens the database, "sqlite:PATH" or "postgres://…", creates what is missing in it, and starts
// the writers. A SQLite file is created, readable by its owner only; its folder is not. A pooler before
// PostgreSQL must pool sessions: any other is refused.
func Open(ctx context.Context, databaseURL string, opts ...Option) (*Journal, error) {
	s := settings{grace: firstTryGrace, catalog: topup.AnyProduct(), observe: func(Commit) {}, changed: func(Change) {}}
	for _, opt := range opts {
		opt(&s)
	}
	db, err := tables.Open(ctx, databaseURL, tables.Config{Grace: s.grace, Observe: s.observe,
		Unmigrated: s.unmigrated, Connections: s.connections, AtRisk: s.atRisk})
	if err != nil {
		return nil, err
	}
	left := archived.In(db, s.archive)
	return &Journal{
		Reader: search.New(db, left), Store: accounts.In(db), Log: actions.In(db), Book: balances.In(db),
		Mover: left.Mover(), Desk: desk.In(db),
		db: db, archived: left, limits: s.limits, catalog: s.catalog, changed: s.changed,
	}, nil
}

// Close waits for the writes under way and closes the database. Writes that come later fail. Closing
// twice is no error.
func (j *Journal) Close() error { return j.db.Close() }

// Ping asks the database for a sign of life, PostgreSQL for a commit as well.
func (j *Journal) Ping(ctx context.Context) error { return j.db.Ping(ctx) }

// Risks are how the database's settings may lose what was confirmed, as they were when the writer connected last.
func (j *Journal) Risks() []Risk { return j.db.Risks() }

// tx is a transaction that operations on orders share.
type tx struct{ *tables.Tx }

// write is tables.Write.
func write[T any](ctx context.Context, j *Journal, id topup.ID, run func(tx) (T, error)) (T, error) {
	return writeUsual(ctx, j, id, nil, run)
}

// writeUsual is tables.WriteUsual. Every write of an order passes here, so that none is missing among the changes:
// also those of an error of its own, which may have left evidence.
func writeUsual[T any](ctx context.Context, j *Journal, id topup.ID, usual func(out *T) *commit.Step,
	run func(tx) (T, error)) (T, error) {
	ctx = audit.OfOrder(ctx, id)
	out, err := tables.WriteUsual(ctx, j.db, string(id), usual, func(t *tables.Tx) (T, error) { return run(tx{t}) })
	j.changed(Change{Order: id, Caller: notified(out)})
	return out, err
}

// notified is the caller of the event that a write made; empty where it made none.
func notified(out any) string {
	event, _ := out.(*topup.Event)
	if s, ok := out.(settled); ok {
		event = s.event
	}
	if event == nil {
		return ""
	}
	return event.Caller
}

// settled is an order after a change, and the event for the caller, if there is one.
type settled struct {
	order topup.Order
	event *topup.Event
}

// change is a write that a person, a statement or a clock asks for. Of an order that has left for the archive it comes
// to what left says of its row.
func (j *Journal) change(ctx context.Context, what string, id topup.ID, left func(tables.Record) error,
	run func(tx) (settled, error)) (topup.Order, *topup.Event, error) {
	done, err := write(ctx, j, id, run)
	if errors.Is(err, topup.ErrNotFound) {
		var r tables.Record
		if r, err = j.archived.Order(ctx, id); err == nil {
			done, err = settled{order: r.Order}, left(r)
		}
	}
	if err != nil {
		return topup.Order{}, nil, fmt.Errorf("%s %s: %w", what, id, err)
	}
	return done.order, done.event, nil
}

// unchangeable is what a change of an archived order comes to.
func unchangeable(tables.Record) error { return topup.ErrArchived }

// lost is what a step comes to that finds nothing to change.
func lost(*commit.Tx) (*commit.Step, error) { return nil, topup.ErrLost }

// lostUnless is topup.ErrLost for what found nothing to change, and had no error of its own.
func lostUnless(found bool, err error) error {
	if err == nil && !found {
		err = topup.ErrLost
	}
	return err
}
