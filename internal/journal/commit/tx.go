package commit

import (
	"context"
	"strings"
)

// Tx is the transaction that operations share, as one of them sees it.
type Tx struct {
	// Notes are Config.Notes of this transaction.
	Notes any

	ctx     context.Context
	session session
	own     func(error) bool // Config.Own
	broken  *error           // the first error of the database: nothing of this transaction may be committed
	again   bool             // see Again
	changed bool             // see Changed
}

func newTx(ctx context.Context, s session, cfg Config) *Tx {
	return &Tx{ctx: ctx, session: s, own: cfg.Own, broken: new(error), Notes: cfg.Notes()}
}

// Again reports whether an earlier run of the operation was committed, and what it changed is not known.
func (t *Tx) Again() bool { return t.again }

// Changed reports whether a statement of the operation has changed something.
func (t *Tx) Changed() bool { return t.changed }

// Exec runs a statement that returns no rows, and says how many it changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	s := Change(query, args...)
	_, err := t.Run(s)
	return s.rows, err
}

// Row runs a statement that returns one row, or none.
func (t *Tx) Row(scan func(Scanner) error, query string, args ...any) (found bool, err error) {
	return t.Run(Query(scan, query, args...))
}

// Run runs a statement, and reports whether it has changed or found its row.
func (t *Tx) Run(s *Statement) (hit bool, err error) {
	if t.session.do(t.ctx, s); !s.failed() {
		t.changed = t.changed || s.hit() && !strings.HasPrefix(s.Query, "SELECT")
		return s.hit(), nil
	}
	if *t.broken == nil {
		*t.broken = s.err
	}
	return false, s.err
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
