package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"recarga/internal/archive"
	"recarga/internal/journal/commit"
	"recarga/topup"
)

const (
	// firstTryGrace is longer than the first try of an event may take.
	firstTryGrace = 30 * time.Second
	// tallyWriters is how many rows a tally is spread over, so that all processes, each with one of them by
	// chance, seldom wait for each other.
	tallyWriters = 1024
)

// Journal is the open book of record.
type Journal struct {
	engine    *commit.Engine
	committer *commit.Committer
	observe   func(Commit)
	grace     time.Duration
	limits    TimeLimits
	catalog   topup.Catalog
	orderByID *sql.Stmt // the one read that every purchase makes
	archive   archive.Folder
	doubtful  doubtful
}

// Commit is one transaction of the journal, made or not.
type Commit = commit.Commit

// Stats counts since the journal was opened.
type Stats = commit.Stats

// ErrInDoubt: the database did not say whether the commit happened.
var ErrInDoubt = commit.ErrInDoubt

// Unavailable reports whether a database which Open could not open may be there later by itself: see
// commit.Unavailable.
func Unavailable(err error) bool { return commit.Unavailable(err) }

// Option changes how a journal works.
type Option func(*Journal)

// WithFirstTryGrace sets how long after an order's end its event becomes due. Until then the event
// belongs to whoever ended the order, who may try it at once. Defaults to 30s.
func WithFirstTryGrace(d time.Duration) Option { return func(j *Journal) { j.grace = d } }

// WithCatalog sets what new orders may ask for. Without it they may ask for anything.
func WithCatalog(c topup.Catalog) Option { return func(j *Journal) { j.catalog = c } }

// WithObserver has every commit reported. observe must not block.
func WithObserver(observe func(Commit)) Option {
	return func(j *Journal) { j.observe = observe }
}

// Open opens the database, "sqlite:PATH" or "postgres://…", creates what is missing in it, and starts
// the writers. A SQLite file is created, readable by its owner only; its folder is not. A pooler before
// PostgreSQL must pool sessions and let startup parameters through.
func Open(ctx context.Context, databaseURL string, opts ...Option) (*Journal, error) {
	e, err := commit.Open(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, e); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := e.ForgetCommits(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	j := &Journal{engine: e, grace: firstTryGrace, catalog: topup.AnyProduct(), observe: func(Commit) {}}
	if j.orderByID, err = e.Read.PrepareContext(ctx, sqlOrder); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", e.Name, err), e.Close())
	}
	for _, opt := range opts {
		opt(j)
	}
	writer := rand.Int32N(tallyWriters)
	j.committer = commit.Start(e, commit.Config{
		Bulk: bulks, Certain: sqlNewEvent.SQLite, Own: own, Observe: j.observe,
		Notes: func() any { return map[topup.State]int64{} },
		Last:  func(notes any) []*commit.Statement { return tallies(notes.(map[topup.State]int64), writer) },
	})
	return j, nil
}

// Close waits for the writes under way and closes the database. Writes that come later fail. Closing
// twice is no error.
func (j *Journal) Close() error {
	j.committer.Stop()
	return j.engine.Close()
}

// Ping asks the database for a sign of life.
func (j *Journal) Ping(ctx context.Context) error { return j.engine.Ping(ctx) }

// write runs a change in a shared transaction. An error of its own that leaves nothing half done, such
// as topup.ErrLost, is returned once what it did write is durable; any other error undoes it.
//
// run may run more than once, and must keep nothing from one run to the next.
func write[T any](ctx context.Context, j *Journal, key string, run func(*tx) (T, error)) (T, error) {
	return writeUsual(ctx, j, key, nil, run)
}

// writeUsual is write for what an order usually goes through. Its usual way on PostgreSQL leaves in out what run would
// return.
func writeUsual[T any](ctx context.Context, j *Journal, key string, usual func(out *T) *commit.Step,
	run func(*tx) (T, error)) (T, error) {
	var out T
	var first commit.Usual
	if usual != nil {
		first = func() *commit.Step { return usual(&out) }
	}
	err := j.committer.Do(ctx, key, first, func(t *commit.Tx) (err error) {
		out, err = run(&tx{Tx: t, grace: j.grace})
		return err
	})
	return out, err
}

// own reports whether an error is an operation's own outcome, which leaves nothing half done.
func own(err error) bool {
	var refused *topup.TransitionError
	return err == nil || errors.Is(err, topup.ErrLost) || errors.Is(err, topup.ErrNotDisputed) ||
		errors.Is(err, topup.ErrConflict) || errors.Is(err, topup.ErrNotFound) || errors.Is(err, errArchived) ||
		errors.As(err, &refused) || len(topup.FieldErrors(err)) > 0
}

// confirm returns when all that can be read from the database is as durable as a write: after a commit in doubt,
// others may read what its standby has not got.
func (j *Journal) confirm(ctx context.Context) error {
	if !j.engine.IsPostgres() {
		return nil
	}
	_, err := write(ctx, j, "", func(*tx) (struct{}, error) { return struct{}{}, nil })
	return err
}

// Stats reports how well writes share their commits.
func (j *Journal) Stats() Stats { return j.committer.Stats() }
