package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"

	"recarga/topup"
)

// session is a lane's connection. Its statements are prepared once. Not for concurrent use.
type session interface {
	// do runs a statement, and leaves what came of it in the call.
	do(ctx context.Context, c *call)
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
}

// exec runs a statement that returns no rows.
func exec(ctx context.Context, s session, query string, args ...any) (rows int64, err error) {
	c := &call{query: query, args: args}
	s.do(ctx, c)
	return c.rows, c.err
}

// pipelined is a session with PostgreSQL that sends many statements in one round trip.
type pipelined struct{ conn *pgx.Conn }

func newPipelined(ctx context.Context, cfg *pgx.ConnConfig) (session, error) {
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	return &pipelined{conn}, nil
}

func (p *pipelined) do(ctx context.Context, c *call) { p.all(ctx, []*call{c}) }

// all runs the statements in their order. After one that fails, all others do.
func (p *pipelined) all(ctx context.Context, calls []*call) {
	batch := &pgx.Batch{}
	for _, c := range calls {
		batch.Queue(c.query, c.args...)
	}
	results := p.conn.SendBatch(ctx, batch)
	for _, c := range calls {
		if c.scan == nil {
			tag, err := results.Exec()
			c.rows, c.err = tag.RowsAffected(), err
			continue
		}
		rows, err := results.Query()
		if err == nil {
			if rows.Next() {
				err = c.scan(rows)
			} else {
				err = sql.ErrNoRows
			}
			rows.Close()
			err = errors.Join(rows.Err(), err)
		}
		c.err = err
	}
	if err := results.Close(); err != nil && len(calls) > 0 && calls[len(calls)-1].err == nil {
		calls[len(calls)-1].err = err
	}
}

func (p *pipelined) discard() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()              // it must not wait for a server that does not answer
	_ = p.conn.Close(ctx) // whatever it says, the connection is gone
}

// inTurn runs operations one after the other. guilty tells that one of them broke the transaction.
func inTurn(t *tx, batch []*op) (guilty error) {
	for _, o := range batch {
		o.err = o.run(t)
		if err := t.verdict(o); err != nil {
			return err
		}
	}
	return nil
}

// together runs operations side by side: the next statements of all of them are one round trip. Those of
// one key are run one after the other, since they must see each other's work whole.
func together(t *tx, p *pipelined, batch []*op) (guilty error) {
	strands := make([]*strand, len(batch))
	for i, o := range batch {
		strands[i] = newStrand(t, o)
		defer strands[i].stop()
	}
	for {
		var calls []*call
		busy := map[string]bool{}
		strands = slices.DeleteFunc(strands, func(s *strand) bool {
			if guilty != nil || busy[s.op.key] {
				return false
			}
			var call *call
			if call, guilty = s.advance(t); call == nil {
				return true
			}
			busy[s.op.key] = true
			calls = append(calls, call)
			return false
		})
		if guilty != nil || len(calls) == 0 {
			return guilty
		}
		p.all(t.ctx, calls)
	}
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
		own.session = handOver(yield)
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

func (yield handOver) do(_ context.Context, c *call) {
	if !yield(c) {
		c.err = errAbandoned
	}
}

func (handOver) discard() {}

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
	own := errors.Is(err, topup.ErrLost) || errors.Is(err, topup.ErrConflict) || errors.Is(err, topup.ErrNotFound) ||
		errors.As(err, &refused) || len(topup.FieldErrors(err)) > 0
	if own {
		return nil
	}
	return err
}
