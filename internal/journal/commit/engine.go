// Package commit is the writer of a database: operations that come at the same time share a transaction, and each has
// its answer when that is durable. It knows nothing of what they write.
//
// What an operation wrote is durable when it ends without an error, or with one of its own (Config.Own). After
// ErrInDoubt it may be recorded or not. After any other error nothing of it is recorded. An operation that breaks a
// transaction fails alone: those that shared the transaction run again.
package commit

import (
	"cmp"
	"context"
	"crypto/tls"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/jackc/pgx/v5/pgconn"

	"recarga/internal/sqlfile"
)

//go:embed sql
var sqlFiles embed.FS

var sqls = sqlfile.Load(sqlFiles, "sql")

// Engine is an open database, and what sets it apart from the other one.
type Engine struct {
	// Name is sqlite or postgres.
	Name string
	// Write is for migrations, and for what moves whole days of orders.
	Write *sql.DB
	// Read is for reads: never what a transaction that is not committed has changed.
	Read *sql.DB
	// connect opens a committer's session.
	connect func(ctx context.Context) (session, error)
	// begin opens a transaction.
	begin string
	// beginAlone opens a transaction that reads first, and writes only if nobody has changed what it read.
	beginAlone string
	// ReadTx is one snapshot for several reads.
	ReadTx *sql.TxOptions
	// timeout bounds a transaction; 0 where the database cannot hang without the machine.
	timeout time.Duration
	// beginFor is how long a transaction waits for another process to end its own.
	beginFor time.Duration
	// busy reports whether another process holds the database.
	busy func(error) bool
	// Transient reports whether another try may succeed after an error.
	Transient func(error) bool
	// refused reports whether the database answered a COMMIT with an error that proves that it did not happen.
	refused func(error) bool
	// lost reports whether a session is of no more use after an error: another one may be.
	lost func(error) bool
	// numbered: its commits are, in the table of commits.
	numbered bool
	// replaced counts the writer's sessions that failed; what was connected before it rose may be another server.
	replaced atomic.Int64
	// answered reports whether the database answered a statement with an error, and so did not come to those after it.
	answered func(error) bool
	// hosts are PostgreSQL's; nil for SQLite.
	hosts *hosts
	// stop ends what runs in the background; nil: nothing does.
	stop func()
	// atRisk gets each of the risks when it is found.
	atRisk func(Risk)
	mu     sync.Mutex
	// risks are those of the settings of the writer's server.
	risks []Risk
}

// Option changes how a database is opened.
type Option func(*options)

type options struct {
	// connections to PostgreSQL, at most.
	connections int
	// atRisk gets each risk.
	atRisk func(Risk)
	// lookoutEvery is how often somebody looks for another primary.
	lookoutEvery time.Duration
}

// Risk is how a database may lose what was confirmed.
type Risk struct {
	// Text says how, and what to do.
	Text string
	// Grave: it needs no second fault, but a crash of the machine.
	Grave bool
}

// WithRisks has each risk given to observe when it is found. It must not block.
func WithRisks(observe func(Risk)) Option {
	return func(o *options) {
		if observe != nil {
			o.atRisk = observe
		}
	}
}

// WithConnections sets how many connections to PostgreSQL are open at most, at least 4: one is the writer's, and a
// task may need two for reading. 0 is DefaultConnections. SQLite has its own number.
func WithConnections(n int) Option {
	return func(o *options) { o.connections = cmp.Or(n, DefaultConnections) }
}

// Open opens a database, "sqlite:PATH" or "postgres://…". A SQLite file is created, readable by its owner only; its
// folder is not.
func Open(ctx context.Context, databaseURL string, opts ...Option) (*Engine, error) {
	o := options{connections: DefaultConnections, atRisk: func(Risk) {}, lookoutEvery: lookoutEvery}
	for _, opt := range opts {
		opt(&o)
	}
	scheme, rest, _ := strings.Cut(databaseURL, ":")
	switch scheme {
	case "sqlite":
		return openSQLite(ctx, strings.TrimPrefix(rest, "//"))
	case "postgres", "postgresql":
		return openPostgres(ctx, databaseURL, o)
	default:
		return nil, fmt.Errorf("database URL begins with %q; must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE",
			scheme)
	}
}

// Risks are how the settings of the writer's server may lose what was confirmed, as they were when the writer
// connected.
func (e *Engine) Risks() []Risk {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.risks
}

// noteRisks notes those of the writer's server, and says those that are new.
func (e *Engine) noteRisks(risks []Risk) {
	e.mu.Lock()
	former := e.risks
	e.risks = risks
	e.mu.Unlock()
	for _, r := range risks {
		if !slices.Contains(former, r) {
			e.atRisk(r)
		}
	}
}

// background runs something until the engine is closed.
func (e *Engine) background(run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); run(ctx) }()
	e.stop = func() { cancel(); <-done }
}

// Close closes its connections.
func (e *Engine) Close() error {
	if e.stop != nil {
		e.stop()
	}
	if e.Read == e.Write {
		return e.Write.Close()
	}
	return errors.Join(e.Read.Close(), e.Write.Close())
}

// Words is a statement as the engine has it.
func (e *Engine) Words(s sqlfile.Engines) string {
	if e.IsPostgres() {
		return s.Postgres
	}
	return s.SQLite
}

// IsPostgres reports whether it is not SQLite.
func (e *Engine) IsPostgres() bool { return e.Name == "postgres" }

var sqlPing = sqls.Get("ping")

// Ping asks the database for an answer to a read.
func (e *Engine) Ping(ctx context.Context) error {
	var one int
	if err := e.Read.QueryRowContext(ctx, sqlPing).Scan(&one); err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	return nil
}

// Unavailable reports whether a database which Open could not open may be there later by itself: its server does
// not answer yet, is starting, or has no connection left. Anything else, such as a wrong password or newer
// tables, somebody must fix.
func Unavailable(err error) bool {
	var certificate *tls.CertificateVerificationError
	var reply *pgconn.PgError
	var unconnected *pgconn.ConnectError
	var network *net.OpError // not net.Error, which any error of the operating system is
	switch {
	case errors.As(err, &certificate) || unsupported(err):
		return false
	case errors.As(err, new(*FormerPrimaryError)):
		return true
	case errors.As(err, &reply):
		return postgresTransient(reply)
	default:
		return errors.As(err, &unconnected) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) ||
			sqliteBusy(err)
	}
}

// Locked reports whether a statement ended because others held what it needs for longer than it waits.
func Locked(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "55P03" || sqliteBusy(err)
}

// RetryOpening repeats, for up to 3 s, what may fail because another process opens the same database at this moment.
func RetryOpening(ctx context.Context, f func() error) error {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(10*time.Millisecond),
		backoff.WithMaxElapsedTime(3*time.Second))
	return backoff.Retry(f, backoff.WithContext(wait, ctx))
}

// Alter runs a change in a transaction on a connection of database/sql. In PostgreSQL it sees one moment, and fails
// where another one has changed what it changes.
func (e *Engine) Alter(ctx context.Context, conn *sql.Conn, change func() (int, error)) (n int, err error) {
	for until := time.Now().Add(e.beginFor); ; {
		_, err = conn.ExecContext(ctx, e.beginAlone)
		if err == nil || !e.busy(err) || time.Now().After(until) {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	end := "COMMIT"
	if n, err = change(); err != nil || n == 0 {
		end = "ROLLBACK"
	}
	_, endErr := conn.ExecContext(context.WithoutCancel(ctx), end)
	return n, errors.Join(err, endErr)
}
