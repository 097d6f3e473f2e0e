package commit

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
}

// Statement is one that an operation runs, and what came of it.
type Statement struct {
	// Query has the parameters $1, $2 …
	Query string
	// Args are nil, texts, bytes, whole numbers and truth values.
	Args []any

	// scan reads the one row of a query; nil for a statement that returns none.
	scan func(Scanner) error
	// rows is how many were changed.
	rows int64
	// err is sql.ErrNoRows for a query without a row.
	err error
	// last: its operation is over with it if it changes a row, and otherwise has changed nothing at all.
	last bool
}

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
	// warning is the latest that the server sent.
	warning *pgconn.Notice
	// opening is a statement that waits to be sent with the next ones.
	opening string
	bulk    map[string]string // Config.Bulk
	used    time.Time
}

// planned has a Committer's statements planned once, for tables of any size: while these are small and new, the
// server would plan each run anew, or remember a plan that reads whole tables. Each finds a few rows by a key.
var planned = sqls.Get("postgres/plan_once")

func newPostgresSession(ctx context.Context, cfg *pgx.ConnConfig, bulk map[string]string) (session, error) {
	p := &postgresSession{bulk: bulk}
	cfg = cfg.Copy()
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { p.noticed(n) }
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	p.conn = conn
	if _, err := conn.PgConn().Exec(ctx, planned).ReadAll(); err != nil {
		p.discard()
		return nil, fmt.Errorf("connection: %w", err)
	}
	return p, nil
}

// begin opens a transaction, together with its first statements: unless the connection may be dead, since then it
// would be in doubt what has become of them.
func (p *postgresSession) begin(ctx context.Context, query string) error {
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
	batch, all := &pgx.Batch{}, bulkBatches(statements, p.bulk)
	for _, v := range all {
		v.queue(batch)
	}
	results := p.conn.SendBatch(ctx, batch)
	for _, v := range all {
		p.warning = nil
		v.read(results)
		if c := v.statements[0]; c.Query == "COMMIT" && c.err == nil && p.warning != nil {
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

func (p *postgresSession) discard() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()              // it must not wait for a server that does not answer
	_ = p.conn.Close(ctx) // whatever it says, the connection is gone
}

// inTurn runs operations one after the other. guilty: one of them broke the transaction.
func (c *Committer) inTurn(t *Tx, batch []*operation) (over []*operation, guilty bool, err error) {
	for _, o := range batch {
		o.err = o.run(t)
		if err := t.fault(o); err != nil {
			c.undo(t.ctx)
			return nil, true, err
		}
	}
	guilty, err = c.end(t)
	return batch, guilty, err
}

// together runs operations side by side: the next statements of all of them are one round trip. Those of
// one key are run one after the other, since they must see each other's work whole. The last round trip commits
// as well; operations that find then that they have changed nothing and have more to do are not over.
func (c *Committer) together(t *Tx, batch []*operation) (over []*operation, guilty bool, err error) {
	// One order of locking for all processes: they wait for each other, seldom in a circle, which the server breaks.
	slices.SortStableFunc(batch, func(a, b *operation) int { return cmp.Compare(a.key, b.key) })
	steppers := make([]*stepper, len(batch))
	for i, o := range batch {
		steppers[i] = newStepper(t, o)
		defer steppers[i].stop()
	}
	for {
		var statements []*Statement
		busy := map[string]bool{}
		last := true
		steppers = slices.DeleteFunc(steppers, func(s *stepper) bool {
			if err != nil || busy[s.op.key] {
				last = false
				return false
			}
			var statement *Statement
			if statement, err = s.advance(t); statement == nil {
				return true
			}
			busy[s.op.key] = true
			statements = append(statements, statement)
			last = last && statement.last && !s.op.separate
			return false
		})
		switch {
		case err != nil:
			c.undo(t.ctx)
			return nil, true, err
		case last:
			if guilty, err = c.end(t, statements...); err == nil {
				over = t.over(batch, steppers, statements)
			}
			return over, guilty, err
		}
		t.session.do(t.ctx, statements...)
	}
}

// over are the operations of the batch without those of the steppers that have more to do, or whose last statement
// has lost its answer.
func (t *Tx) over(batch []*operation, steppers []*stepper, last []*Statement) []*operation {
	over := slices.Clone(batch)
	for i, s := range steppers {
		s.op.again = s.op.again || last[i].failed()
		if !last[i].failed() {
			if next, err := s.advance(t); next == nil && err == nil {
				continue
			}
		}
		s.op.separate = true
		over = slices.DeleteFunc(over, func(o *operation) bool { return o == s.op })
	}
	return over
}

// stepper is an operation that stops at each of its statements.
type stepper struct {
	op   *operation
	next func() (*Statement, bool)
	stop func()
}

func newStepper(t *Tx, o *operation) *stepper {
	s := &stepper{op: o}
	s.next, s.stop = iter.Pull(func(yield func(*Statement) bool) {
		own := *t
		own.session, own.again = handedSession(yield), o.again
		o.err = o.run(&own)
	})
	return s
}

// advance runs the operation up to its next statement, or to its end: then there is none, and guilty is why
// the transaction must be undone, if it must.
func (s *stepper) advance(t *Tx) (next *Statement, guilty error) {
	if next, more := s.next(); more {
		return next, nil
	}
	return nil, t.fault(s.op)
}

var errAbandoned = errors.New("another operation broke the transaction")

// handedSession is the session of a stepper: it hands each statement over to who runs them all.
type handedSession func(*Statement) bool

func (yield handedSession) do(_ context.Context, statements ...*Statement) {
	for _, c := range statements {
		if !yield(c) {
			c.err = errAbandoned
		}
	}
}

func (handedSession) begin(context.Context, string) error { return nil }
func (handedSession) discard()                            {}
