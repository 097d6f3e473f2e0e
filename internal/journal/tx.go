package journal

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"recarga/topup"
)

// conn is a lane's connection with the statements it has prepared.
type conn struct {
	*sql.Conn
	prepared map[string]*sql.Stmt
}

func newConn(ctx context.Context, db *sql.DB) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	return &conn{Conn: c, prepared: map[string]*sql.Stmt{}}, nil
}

func (c *conn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.prepared[query]; ok {
		return s, nil
	}
	s, err := c.PrepareContext(ctx, query)
	if err == nil {
		c.prepared[query] = s
	}
	return s, err
}

func (c *conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := c.prepare(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// discard closes the connection for good: nothing that was begun on it goes on in the next one.
func (c *conn) discard() {
	// Both errors say what is wanted: that the connection is bad.
	_ = c.Raw(func(any) error { return driver.ErrBadConn })
	_ = c.Close()
}

// tx is a transaction that operations share.
type tx struct {
	ctx    context.Context
	conn   *conn
	grace  time.Duration
	broken error // the first error of the database: nothing of this transaction may be committed
	// finished counts the orders that reached each final state.
	finished map[topup.State]int64
}

func (t *tx) exec(query string, args ...any) (int64, error) {
	n, err := t.conn.exec(t.ctx, query, args...)
	return n, t.check(err)
}

// order runs a statement that returns an order's columns; found is false when it returns none.
func (t *tx) order(query string, args ...any) (r record, found bool, err error) {
	s, err := t.conn.prepare(t.ctx, query)
	if t.check(err) != nil {
		return r, false, err
	}
	r, err = scanOrder(s.QueryRowContext(t.ctx, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, t.check(err)
}

// number runs a query whose one row is one number.
func (t *tx) number(query string, args ...any) (n int64, err error) {
	s, err := t.conn.prepare(t.ctx, query)
	if t.check(err) != nil {
		return 0, err
	}
	err = s.QueryRowContext(t.ctx, args...).Scan(&n)
	return n, t.check(err)
}

func (t *tx) check(err error) error {
	if t.broken == nil {
		t.broken = err
	}
	return err
}

// count notes an order that has reached a state.
func (t *tx) count(s topup.State) {
	if !s.Final() {
		return
	}
	if t.finished == nil {
		t.finished = map[topup.State]int64{}
	}
	t.finished[s]++
}

const sqlTally = `INSERT INTO tallies (state, writer, orders) VALUES ($1, $2, $3)
ON CONFLICT (state, writer) DO UPDATE SET orders = tallies.orders + excluded.orders`

// tally writes what was counted, once a commit.
func (t *tx) tally(writer int32) error {
	for _, s := range slices.Sorted(maps.Keys(t.finished)) {
		if _, err := t.exec(sqlTally, string(s), int64(writer), t.finished[s]); err != nil {
			return err
		}
	}
	return nil
}
