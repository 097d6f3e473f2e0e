package commit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"recarga/internal/sqlfile"
)

// session is a Committer's connection. Its statements are prepared once. Not for concurrent use.
type session interface {
	// do runs statements in their order, and leaves in each what came of it. After one that fails, all
	// others do.
	do(ctx context.Context, statements ...*Statement)
	// begin opens a transaction.
	begin(ctx context.Context, query string) error
	// discard closes the connection for good: nothing that was begun on it goes on in the next one.
	discard()
	// process is the number of the server's process that it was proven to have; 0 where the database has no server.
	process() int64
}

// Statement is one that an operation runs, and what came of it.
type Statement struct {
	// Query has the parameters $1, $2 …
	Query string
	// Batch is what PostgreSQL runs instead, once for all statements of a round trip that have the same; "": nothing. Its
	// parameters are arrays. The first argument is another one for each statement, and comes back, as the first column,
	// with each row that was changed.
	Batch string
	// Args are nil, texts, bytes, whole numbers and truth values.
	Args []any
	// Certain: there is no commit without the row that it changes.
	Certain bool

	// scan reads the one row of a query; nil for a statement that returns none.
	scan func(Scanner) error
	// rows is how many were changed.
	rows int64
	// err is sql.ErrNoRows for a query without a row.
	err error
}

// Change is a statement that returns no rows.
func Change(query string, args ...any) *Statement { return &Statement{Query: query, Args: args} }

// Batched is a statement that PostgreSQL runs over arrays. A scan of nil: it returns no rows.
func Batched(sql sqlfile.Engines, scan func(Scanner) error, args ...any) *Statement {
	return &Statement{Query: sql.SQLite, Batch: sql.Postgres, Args: args, scan: scan}
}

// Query is a statement that returns one row, or none.
func Query(scan func(Scanner) error, query string, args ...any) *Statement {
	return &Statement{Query: query, Args: args, scan: scan}
}

// hit reports whether it changed or found its row.
func (s *Statement) hit() bool { return s.err == nil && (s.scan != nil || s.rows > 0) }

// Scanner reads the columns of a row.
type Scanner interface{ Scan(dest ...any) error }

// failed reports whether the database, or the way to it, did.
func (s *Statement) failed() bool { return s.err != nil && !errors.Is(s.err, sql.ErrNoRows) }

// missing is the outcome of a statement that has changed or found no row.
func (s *Statement) missing() {
	if s.rows = 0; s.scan != nil {
		s.err = sql.ErrNoRows
	}
}

// first is the first argument, as the database writes it.
func (s *Statement) first() string {
	if key, ok := s.Args[0].([]byte); ok {
		return string(key)
	}
	return fmt.Sprint(s.Args[0])
}

// exec runs a statement that returns no rows.
func exec(ctx context.Context, s session, query string) error {
	statement := &Statement{Query: query}
	s.do(ctx, statement)
	return statement.err
}

// rested is after how long without a statement a connection may be dead without our knowing.
const rested = time.Second

// postgresSession is a session with PostgreSQL that sends many statements in one round trip.
type postgresSession struct {
	conn *pgx.Conn
	// hosts know whether its server, which is this one, has been succeeded by another.
	hosts  *hosts
	server identity
	// warning is the latest that the server sent.
	warning *pgconn.Notice
	// opening is a statement that waits to be sent with the next ones.
	opening string
	used    time.Time
	backend int64
}

// planned has a Committer's statements planned once, for tables of any size: while these are small and new, the
// server would plan each run anew, or remember a plan that reads whole tables. Each finds a few rows by a key.
var planned = sqls.Get("postgres/plan_once")

func newPostgresSession(ctx context.Context, h *hosts) (*postgresSession, error) {
	p := &postgresSession{hosts: h}
	r, err := h.connect(ctx, func(cfg *pgx.ConnConfig) {
		cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { p.noticed(n) }
	})
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	p.conn, p.server = r.conn, r.identity
	if _, err := p.conn.PgConn().Exec(ctx, planned).ReadAll(); err != nil {
		p.discard()
		return nil, fmt.Errorf("connection: %w", err)
	}
	h.entered(p.server)
	return p, nil
}

var errSucceeded = errors.New("another server of PostgreSQL has been promoted after the one of this connection")

// begin opens a transaction, together with its first statements: unless the connection may be dead, since then it
// would be in doubt what has become of them.
func (p *postgresSession) begin(ctx context.Context, query string) error {
	if p.hosts.outdated(p.server) {
		return errSucceeded // the committer drops it, and connects to the other one
	}
	if time.Since(p.used) > rested {
		return exec(ctx, p, query)
	}
	p.opening = query
	return nil
}

func (p *postgresSession) do(ctx context.Context, statements ...*Statement) {
	if p.opening != "" {
		statements = append([]*Statement{{Query: p.opening}}, statements...)
		p.opening = ""
	}
	together, all := &pgx.Batch{}, batches(statements)
	for _, b := range all {
		b.queue(together)
	}
	results := p.conn.SendBatch(ctx, together)
	for _, b := range all {
		p.warning = nil
		b.read(results)
		if c := b[0]; c.Query == "COMMIT" && c.err == nil && p.warning != nil {
			c.err = fmt.Errorf("committed with a warning: %s (SQLSTATE %s)", p.warning.Message, p.warning.Code)
		}
	}
	if err, last := results.Close(), statements[len(statements)-1]; err != nil && last.err == nil {
		last.err = err
	}
	p.used = time.Now()
}

// noticed keeps a warning. A COMMIT that has one has not waited for its standby to the end: somebody canceled it.
func (p *postgresSession) noticed(n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		p.warning = n
	}
}

func (s *Statement) read(results pgx.BatchResults) {
	if s.scan == nil {
		tag, err := results.Exec()
		s.rows, s.err = tag.RowsAffected(), err
		return
	}
	rows, err := results.Query()
	if err == nil {
		if s.missing(); rows.Next() {
			s.err = s.scan(rows)
		}
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		s.err = err
	}
}

func (p *postgresSession) process() int64 { return p.backend }

func (p *postgresSession) discard() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()              // it must not wait for a server that does not answer
	_ = p.conn.Close(ctx) // whatever it says, the connection is gone
}
