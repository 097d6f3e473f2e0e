package journal

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

	"recarga/topup"
)

// session is a lane's connection. Its statements are prepared once. Not for concurrent use.
type session interface {
	// do runs statements in their order, and leaves what came of each in its call. After one that fails, all
	// others do.
	do(ctx context.Context, calls ...*call)
	// begin opens a transaction.
	begin(ctx context.Context, query string) error
	// discard closes the connection for good: nothing that was begun on it goes on in the next one.
	discard()
}

// call is a statement and what came of it.
type call struct {
	query string
	args  []any
	// scan reads the one row of a query; nil for a statement that returns none.
	scan func(scanner) error
	// rows is how many were changed.
	rows int64
	// err is sql.ErrNoRows for a query without a row.
	err error
	// ends tells that its operation is over with it if it changes a row, and otherwise has changed nothing at all.
	ends bool
}

// failed tells that the database, or the way to it, did.
func (c *call) failed() bool { return c.err != nil && !errors.Is(c.err, sql.ErrNoRows) }

// missing is the outcome of a call that has changed or found no row.
func (c *call) missing() {
	if c.rows = 0; c.scan != nil {
		c.err = sql.ErrNoRows
	}
}

// first is the first argument, as the database writes it.
func (c *call) first() string {
	if key, ok := c.args[0].([]byte); ok {
		return string(key)
	}
	return fmt.Sprint(c.args[0])
}

// exec runs a statement that returns no rows.
func exec(ctx context.Context, s session, query string) error {
	c := &call{query: query}
	s.do(ctx, c)
	return c.err
}

// rested is after how long without a statement a connection may be dead without our knowing.
const rested = time.Second

// pipelined is a session with PostgreSQL that sends many statements in one round trip.
type pipelined struct {
	conn *pgx.Conn
	// warning is the latest that the server sent.
	warning *pgconn.Notice
	// opening is a statement that waits to be sent with the next ones.
	opening string
	used    time.Time
}

// planned has a lane's statements planned once, for tables of any size: while these are small and new, the
// server would plan each run anew, or remember a plan that reads whole tables. Each finds a few rows by a key.
var planned = sqls.Get("postgres/plan_once")

func newPipelined(ctx context.Context, cfg *pgx.ConnConfig) (session, error) {
	p := &pipelined{}
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
func (p *pipelined) begin(ctx context.Context, query string) error {
	if time.Since(p.used) > rested {
		return exec(ctx, p, query)
	}
	p.opening = query
	return nil
}

func (p *pipelined) do(ctx context.Context, calls ...*call) {
	if p.opening != "" {
		calls = append([]*call{{query: p.opening}}, calls...)
		p.opening = ""
	}
	batch, all := &pgx.Batch{}, volleys(calls)
	for _, v := range all {
		v.queue(batch)
	}
	results := p.conn.SendBatch(ctx, batch)
	for _, v := range all {
		p.warning = nil
		v.read(results)
		if c := v.calls[0]; c.query == "COMMIT" && c.err == nil && p.warning != nil {
			c.err = fmt.Errorf("committed with a warning: %s (SQLSTATE %s)", p.warning.Message, p.warning.Code)
		}
	}
	if err, last := results.Close(), calls[len(calls)-1]; err != nil && last.err == nil {
		last.err = err
	}
	p.used = time.Now()
}

// noticed keeps a warning. A COMMIT that has one has not waited for its standby to the end: somebody canceled it.
func (p *pipelined) noticed(n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		p.warning = n
	}
}

func (c *call) read(results pgx.BatchResults) {
	if c.scan == nil {
		tag, err := results.Exec()
		c.rows, c.err = tag.RowsAffected(), err
		return
	}
	rows, err := results.Query()
	if err == nil {
		if c.missing(); rows.Next() {
			c.err = c.scan(rows)
		}
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		c.err = err
	}
}

func (p *pipelined) discard() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()              // it must not wait for a server that does not answer
	_ = p.conn.Close(ctx) // whatever it says, the connection is gone
}

// inTurn runs operations one after the other. guilty tells that one of them broke the transaction.
func (l *lane) inTurn(t *tx, batch []*op) (over []*op, guilty bool, err error) {
	for _, o := range batch {
		o.err = o.run(t)
		if err := t.verdict(o); err != nil {
			l.undo(t.ctx)
			return nil, true, err
		}
	}
	guilty, err = l.end(t)
	return batch, guilty, err
}

// together runs operations side by side: the next statements of all of them are one round trip. Those of
// one key are run one after the other, since they must see each other's work whole. The last round trip commits
// as well; operations that find then that they have changed nothing and have more to do are not over.
func (l *lane) together(t *tx, batch []*op) (over []*op, guilty bool, err error) {
	// One order of locking for all processes: they wait for each other, seldom in a circle, which the server breaks.
	slices.SortStableFunc(batch, func(a, b *op) int { return cmp.Compare(a.key, b.key) })
	strands := make([]*strand, len(batch))
	for i, o := range batch {
		strands[i] = newStrand(t, o)
		defer strands[i].stop()
	}
	for {
		var calls []*call
		busy := map[string]bool{}
		last := true
		strands = slices.DeleteFunc(strands, func(s *strand) bool {
			if err != nil || busy[s.op.key] {
				last = false
				return false
			}
			var call *call
			if call, err = s.advance(t); call == nil {
				return true
			}
			busy[s.op.key] = true
			calls = append(calls, call)
			last = last && call.ends && !s.op.patient
			return false
		})
		switch {
		case err != nil:
			l.undo(t.ctx)
			return nil, true, err
		case last:
			if guilty, err = l.end(t, calls...); err == nil {
				over = t.over(batch, strands, calls)
			}
			return over, guilty, err
		}
		t.session.do(t.ctx, calls...)
	}
}

// over are the operations of the batch without those of the strands that have more to do, or whose last call has lost
// its answer.
func (t *tx) over(batch []*op, strands []*strand, last []*call) []*op {
	over := slices.Clone(batch)
	for i, s := range strands {
		s.op.again = s.op.again || last[i].failed()
		if !last[i].failed() {
			if next, err := s.advance(t); next == nil && err == nil {
				continue
			}
		}
		s.op.patient = true
		over = slices.DeleteFunc(over, func(o *op) bool { return o == s.op })
	}
	return over
}

// strand is an operation that stops at each of its statements.
type strand struct {
	op   *op
	next func() (*call, bool)
	stop func()
}

func newStrand(t *tx, o *op) *strand {
	s := &strand{op: o}
	s.next, s.stop = iter.Pull(func(yield func(*call) bool) {
		own := *t
		own.session, own.again = handOver(yield), o.again
		o.err = o.run(&own)
	})
	return s
}

// advance runs the operation up to its next statement, or to its end: then there is none, and guilty is why
// the transaction must be undone, if it must.
func (s *strand) advance(t *tx) (next *call, guilty error) {
	if next, more := s.next(); more {
		return next, nil
	}
	return nil, t.verdict(s.op)
}

var errAbandoned = errors.New("another operation broke the transaction")

// handOver is the session of a strand: it hands each statement over to who runs them all.
type handOver func(*call) bool

func (yield handOver) do(_ context.Context, calls ...*call) {
	for _, c := range calls {
		if !yield(c) {
			c.err = errAbandoned
		}
	}
}

func (handOver) begin(context.Context, string) error { return nil }
func (handOver) discard()                            {}

// verdict is why the transaction must be undone after an operation, if it must.
func (t *tx) verdict(o *op) error {
	if *t.broken != nil {
		return *t.broken
	}
	return notOwn(o.err)
}

// notOwn is err unless it is an operation's own verdict, which leaves nothing half done.
func notOwn(err error) error {
	var refused *topup.TransitionError
	own := errors.Is(err, topup.ErrLost) || errors.Is(err, topup.ErrNotDisputed) || errors.Is(err, topup.ErrConflict) || errors.Is(err, topup.ErrNotFound) ||
		errors.Is(err, errArchived) || errors.As(err, &refused) || len(topup.FieldErrors(err)) > 0
	if own {
		return nil
	}
	return err
}
