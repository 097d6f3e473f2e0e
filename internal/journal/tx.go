package journal

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"recarga/topup"
)

// tx is a transaction that operations share.
type tx struct {
	ctx     context.Context
	session session
	grace   time.Duration
	broken  *error // the first error of the database: nothing of this transaction may be committed
	// finished counts the orders that reached each final state.
	finished map[topup.State]int64
	// bulk tells that the session runs bulks.
	bulk bool
	// again: see op.
	again bool
	// ends is what its calls say of themselves.
	ends bool
}

func newTx(ctx context.Context, s session, grace time.Duration) *tx {
	_, bulk := s.(*pipelined)
	return &tx{ctx: ctx, session: s, grace: grace, broken: new(error), finished: map[topup.State]int64{}, bulk: bulk}
}

// ending is the transaction for a call that ends its operation.
func (t *tx) ending(ends bool) *tx {
	own := *t
	own.ends = ends
	return &own
}

func (t *tx) exec(query string, args ...any) (int64, error) {
	c := &call{query: query, args: args, ends: t.ends}
	t.session.do(t.ctx, c)
	return c.rows, t.check(c.err)
}

// order runs a statement that returns an order's columns; found is false when it returns none.
func (t *tx) order(query string, args ...any) (r record, found bool, err error) {
	c := &call{query: query, args: args, ends: t.ends, scan: func(row scanner) (err error) { r, err = scanOrder(row); return err }}
	t.session.do(t.ctx, c)
	if errors.Is(c.err, sql.ErrNoRows) {
		return r, false, nil
	}
	return r, c.err == nil, t.check(c.err)
}

// number runs a query whose one row is one number.
func (t *tx) number(query string, args ...any) (n int64, err error) {
	c := &call{query: query, args: args, scan: func(row scanner) error { return row.Scan(&n) }}
	t.session.do(t.ctx, c)
	return n, t.check(c.err)
}

// text runs a query of one text; "" where it has no row.
func (t *tx) text(query string, args ...any) (s string, err error) {
	c := &call{query: query, args: args, scan: func(row scanner) error { return row.Scan(&s) }}
	t.session.do(t.ctx, c)
	if errors.Is(c.err, sql.ErrNoRows) {
		return "", nil
	}
	return s, t.check(c.err)
}

func (t *tx) check(err error) error {
	if *t.broken == nil {
		*t.broken = err
	}
	return err
}

// count notes an order that has reached a state.
func (t *tx) count(s topup.State) {
	if !s.Final() {
		return
	}
	t.finished[s]++
}

var sqlTally = sqls.Get("tally")

// tallies write what was counted, once a commit.
func (t *tx) tallies(writer int32) (calls []*call) {
	for _, s := range slices.Sorted(maps.Keys(t.finished)) {
		calls = append(calls, &call{query: sqlTally, args: []any{string(s), int64(writer), t.finished[s]}})
	}
	return calls
}
