package journal

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"recarga/internal/archive"
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
	engine    *engine
	lane      *lane
	stats     stats
	grace     time.Duration
	limits    TimeLimits
	catalog   topup.Catalog
	orderByID *sql.Stmt // the one read that every purchase makes
	archive   archive.Folder
	doubtful  doubtful
}

// Option changes how a journal works.
type Option func(*Journal)

// WithFirstTryGrace sets how long after an order's end its event becomes due. Until then the event
// belongs to whoever ended the order, who may try it at once. Defaults to 30s.
func WithFirstTryGrace(d time.Duration) Option { return func(j *Journal) { j.grace = d } }

// WithCatalog sets what new orders may ask for. Without it they may ask for anything.
func WithCatalog(c topup.Catalog) Option { return func(j *Journal) { j.catalog = c } }

// Commit is one transaction of the journal, made or not.
type Commit struct {
	// Operations that shared it.
	Operations int
	// Took is the time from the first statement to the answer, with all that was tried again.
	Took time.Duration
	// Err is why it was not made, or may not have been.
	Err error
}

// WithObserver has every commit reported. observe must not block.
func WithObserver(observe func(Commit)) Option {
	return func(j *Journal) { j.stats.observe = observe }
}

// engine is a database and what sets it apart from the other one.
type engine struct {
	name  string
	write *sql.DB // for migrations, and for the archive
	read  *sql.DB
	// connect opens the lane's session.
	connect func(context.Context) (session, error)
	begin   string
	// beginAlone opens a transaction that reads first, and writes only if nobody has changed what it read.
	beginAlone string
	readTx     *sql.TxOptions // one snapshot for several reads
	// timeout bounds a transaction; 0 where the database cannot hang without the machine.
	timeout time.Duration
	// beginFor is how long a transaction waits for another process to end its own.
	beginFor time.Duration
	// busy tells that another process holds the database.
	busy func(error) bool
	// transient tells that another try may succeed.
	transient func(error) bool
	// refused tells that the database answered a COMMIT with an error that proves that it did not happen.
	refused func(error) bool
	// readOnly: the database refused a change because it takes none.
	readOnly func(error) bool
	// numbered: its commits are, in the table of commits.
	numbered bool
	// replaced counts the writer's sessions that failed; what was connected before it rose may be another server.
	replaced atomic.Int64
	// answered tells that the database answered a statement with an error, and so did not come to those after it.
	answered func(error) bool
}

// Open opens the database, "sqlite:PATH" or "postgres://…", creates what is missing in it, and starts
// the writers. A SQLite file is created, readable by its owner only; its folder is not. A pooler before
// PostgreSQL must pool sessions and let startup parameters through.
func Open(ctx context.Context, databaseURL string, opts ...Option) (*Journal, error) {
	e, err := openEngine(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	if err := e.migrate(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	if err := e.forgetCommits(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	j := &Journal{engine: e, grace: firstTryGrace, catalog: topup.AnyProduct()}
	j.stats.observe = func(Commit) {}
	if j.orderByID, err = e.read.PrepareContext(ctx, sqlOrder); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", e.name, err), e.close())
	}
	for _, opt := range opts {
		opt(j)
	}
	j.lane = newLane(e, &j.stats, j.grace, rand.Int32N(tallyWriters))
	go j.lane.work()
	return j, nil
}

func openEngine(ctx context.Context, databaseURL string) (*engine, error) {
	scheme, rest, _ := strings.Cut(databaseURL, ":")
	switch scheme {
	case "sqlite":
		return openSQLite(ctx, strings.TrimPrefix(rest, "//"))
	case "postgres", "postgresql":
		return openPostgres(ctx, databaseURL)
	default:
		return nil, fmt.Errorf("database URL begins with %q; must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE", scheme)
	}
}

// Close waits for the writes under way and closes the database. Writes that come later fail. Closing
// twice is no error.
func (j *Journal) Close() error {
	j.lane.stop()
	return j.engine.close()
}

func (e *engine) close() error {
	if e.read == e.write {
		return e.write.Close()
	}
	return errors.Join(e.read.Close(), e.write.Close())
}

var sqlPing = sqls.Get("ping")

// Ping asks the database for a sign of life.
func (j *Journal) Ping(ctx context.Context) error {
	var one int
	if err := j.engine.read.QueryRowContext(ctx, sqlPing).Scan(&one); err != nil {
		return fmt.Errorf("%s: %w", j.engine.name, err)
	}
	return nil
}

// Stats counts since the journal was opened.
type Stats struct {
	// Commits made, and the Operations that shared them.
	Commits, Operations int64
	// LargestBatch is the most operations one commit had.
	LargestBatch int64
}

type stats struct {
	commits, operations, largest atomic.Int64
	observe                      func(Commit)
}

func (s *stats) add(operations int64) {
	s.commits.Add(1)
	s.operations.Add(operations)
	for most := s.largest.Load(); operations > most && !s.largest.CompareAndSwap(most, operations); {
		most = s.largest.Load()
	}
}

// Stats tells how well writes share their commits.
func (j *Journal) Stats() Stats {
	return Stats{Commits: j.stats.commits.Load(), Operations: j.stats.operations.Load(), LargestBatch: j.stats.largest.Load()}
}

// write runs a change in a shared transaction. An error of its own that leaves nothing half done, such
// as topup.ErrLost, is returned once what it did write is durable; any other error undoes it.
//
// run may be called more than once, and must not keep anything from one call to the next.
func write[T any](ctx context.Context, j *Journal, key string, run func(*tx) (T, error)) (T, error) {
	var out T
	err := j.lane.do(ctx, &op{key: key, done: make(chan error, 1), run: func(t *tx) (err error) {
		out, err = run(t)
		return err
	}})
	return out, err
}

// Unavailable tells that a database which Open could not open may be there later by itself: its server does
// not answer yet, is starting, or has no connection left. Anything else, such as a wrong password or newer
// tables, somebody must fix.
func Unavailable(err error) bool {
	var certificate *tls.CertificateVerificationError
	var reply *pgconn.PgError
	var unconnected *pgconn.ConnectError
	var network *net.OpError // not net.Error, which any error of the operating system is
	switch {
	case errors.As(err, &certificate):
		return false
	case errors.As(err, &reply):
		return postgresTransient(reply)
	default:
		return errors.As(err, &unconnected) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || sqliteBusy(err)
	}
}
