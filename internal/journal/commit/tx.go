package commit

import (
	"context"
	"database/sql"
	"errors"
)

// Tx is the transaction that operations share, as one of them sees it.
type Tx struct {
	// Notes are Config.Notes of this transaction.
	Notes any

	ctx     context.Context
	session session
	own     func(error) bool // Config.Own
	broken  *error           // the first error of the database: nothing of this transaction may be committed
	bulk    bool             // see Bulk
	again   bool             // see Again
}

func newTx(ctx context.Context, s session, cfg Config) *Tx {
	_, bulk := s.(*postgresSession)
	return &Tx{ctx: ctx, session: s, own: cfg.Own, broken: new(error), Notes: cfg.Notes(), bulk: bulk}
}

// Bulk reports whether the statements of Config.Bulk are run for all operations at once.
func (t *Tx) Bulk() bool { return t.bulk }

// Again reports whether an earlier run of the operation was committed, and what it changed is not known.
func (t *Tx) Again() bool { return t.again }

// Exec runs a statement that returns no rows, and says how many it changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	s := Change(query, args...)
	t.session.do(t.ctx, s)
	return s.rows, t.check(s.err)
}

// Row runs a statement that returns one row, or none.
func (t *Tx) Row(scan func(Scanner) error, query string, args ...any) (found bool, err error) {
	s := Query(scan, query, args...)
	t.session.do(t.ctx, s)
	if errors.Is(s.err, sql.ErrNoRows) {
		return false, nil
	}
	return s.err == nil, t.check(s.err)
}

func (t *Tx) check(err error) error {
	if *t.broken == nil {
		*t.broken = err
	}
	return err
}

// fault is why the transaction must be undone after an operation, if it must.
func (t *Tx) fault(o *operation) error {
	if *t.broken != nil {
		return *t.broken
	}
	if t.own(o.err) {
		return nil
	}
	return o.err
}
