package journal

import (
	"database/sql"
	"maps"
	"slices"
	"time"

	"recarga/internal/journal/commit"
	"recarga/topup"
)

// tx is a transaction that operations on orders share.
type tx struct {
	*commit.Tx
	grace time.Duration
}

// oneOrder is a statement that returns an order's columns.
func oneOrder(r *record, query string, args ...any) *commit.Statement {
	return commit.Query(func(row scanner) (err error) { *r, err = scanOrder(row); return err }, query, args...)
}

// lost is what an operation comes to that finds nothing to change.
func lost(*commit.Tx) (*commit.Step, error) { return nil, topup.ErrLost }

// order runs a statement that returns an order's columns; found is false when it returns none.
func (t *tx) order(query string, args ...any) (r record, found bool, err error) {
	found, err = t.Row(func(row scanner) (err error) { r, err = scanOrder(row); return err }, query, args...)
	return r, found, err
}

// number runs a query whose one row is one number.
func (t *tx) number(query string, args ...any) (n int64, err error) {
	found, err := t.Row(func(row scanner) error { return row.Scan(&n) }, query, args...)
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return n, err
}

// text runs a query of one text; "" where it has no row.
func (t *tx) text(query string, args ...any) (s string, err error) {
	_, err = t.Row(func(row scanner) error { return row.Scan(&s) }, query, args...)
	return s, err
}

// finished counts the orders that reached each final state in this transaction, for the tallies.
func (t *tx) finished() map[topup.State]int64 { return t.Notes.(map[topup.State]int64) }

// count notes an order that has reached a state.
func (t *tx) count(s topup.State) {
	if s.Final() {
		t.finished()[s]++
	}
}

var sqlTally = sqls.Get("tally")

// tallies write what was counted, once a commit.
func tallies(finished map[topup.State]int64, writer int32) (last []*commit.Statement) {
	for _, s := range slices.Sorted(maps.Keys(finished)) {
		last = append(last, &commit.Statement{Query: sqlTally, Args: []any{string(s), int64(writer), finished[s]}})
	}
	return last
}
