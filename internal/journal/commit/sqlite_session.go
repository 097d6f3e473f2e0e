package commit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// sqliteSession is a session with SQLite itself: database/sql asks for the names and types of all columns at
// each query, and allocates each value twice, which cost as much as the work.
type sqliteSession struct {
	conn     *sqlite.Conn
	prepared map[string]prepared
}

// prepared is a statement, and which argument each of its parameters is.
type prepared struct {
	*sqlite.Stmt
	args []int
}

func newSQLiteSession(path string) (session, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	d := &sqliteSession{conn: conn, prepared: map[string]prepared{}}
	for _, pragma := range writePragmas {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+pragma, nil); err != nil {
			d.discard()
			return nil, fmt.Errorf("connection: %s: %w", pragma, err)
		}
	}
	return d, nil
}

func (d *sqliteSession) do(_ context.Context, statements ...*Statement) {
	var failed error
	for _, c := range statements {
		if c.err = failed; failed == nil {
			c.err = d.run(c)
		}
		if c.failed() {
			failed = c.err
		}
	}
}

func (*sqliteSession) process() int64 { return 0 }

func (d *sqliteSession) begin(ctx context.Context, query string) error { return exec(ctx, d, query) }

func (d *sqliteSession) run(c *Statement) (err error) {
	stmt, err := d.prepare(c.Query)
	if err != nil {
		return err
	}
	// All changes are made by the first step, also those of a statement that returns rows.
	defer func() { err = errors.Join(err, stmt.Reset()) }()
	for i, n := range stmt.args {
		if err := bind(stmt.Stmt, i+1, c.Args[n]); err != nil {
			return err
		}
	}
	row, err := stmt.Step()
	switch {
	case err != nil:
		return err
	case c.scan == nil:
		c.rows = int64(d.conn.Changes())
		return nil
	case !row:
		return sql.ErrNoRows
	}
	return c.scan(columns{stmt.Stmt})
}

func (d *sqliteSession) prepare(query string) (prepared, error) {
	if p, ok := d.prepared[query]; ok {
		return p, nil
	}
	stmt, err := d.conn.Prepare(query)
	if err != nil {
		return prepared{}, err
	}
	p := prepared{Stmt: stmt}
	for i := range stmt.BindParamCount() {
		n, err := strconv.Atoi(strings.TrimPrefix(stmt.BindParamName(i+1), "$"))
		if err != nil {
			return p, fmt.Errorf("parameter %d: %w", i+1, err)
		}
		p.args = append(p.args, n-1)
	}
	d.prepared[query] = p
	return p, nil
}

// bind sets a parameter to one of the few types that the journal writes.
func bind(stmt *sqlite.Stmt, i int, value any) error {
	switch v := value.(type) {
	case nil:
		stmt.BindNull(i)
	case string:
		stmt.BindText(i, v)
	case []byte:
		stmt.BindBytes(i, v)
	case int:
		stmt.BindInt64(i, int64(v))
	case int64:
		stmt.BindInt64(i, v)
	case bool:
		stmt.BindBool(i, v)
	default:
		return fmt.Errorf("parameter %d is of type %T", i, value)
	}
	return nil
}

func (d *sqliteSession) discard() { _ = d.conn.Close() } // whatever it says, the connection is gone

// columns are those of the row that a statement is at.
type columns struct{ stmt *sqlite.Stmt }

// Scan reads them all.
func (c columns) Scan(dest ...any) error {
	for i, to := range dest {
		if err := c.read(i, to); err != nil {
			return fmt.Errorf("column %s: %w", c.stmt.ColumnName(i), err)
		}
	}
	return nil
}

func (c columns) read(i int, to any) error {
	switch v := to.(type) {
	case *string:
		*v = c.stmt.ColumnText(i)
	case *int64:
		*v = c.stmt.ColumnInt64(i)
	case *int:
		*v = c.stmt.ColumnInt(i)
	case *[]byte:
		*v = make([]byte, c.stmt.ColumnLen(i))
		c.stmt.ColumnBytes(i, *v)
	case sql.Scanner:
		return v.Scan(c.value(i))
	default:
		return c.reflected(i, reflect.ValueOf(to).Elem())
	}
	return nil
}

// value is what database/sql would hand to a Scanner.
func (c columns) value(i int) any {
	switch c.stmt.ColumnType(i) {
	case sqlite.TypeNull:
		return nil
	case sqlite.TypeInteger:
		return c.stmt.ColumnInt64(i)
	default:
		return c.stmt.ColumnText(i)
	}
}

// reflected reads into the named types of topup.
func (c columns) reflected(i int, to reflect.Value) error {
	switch to.Kind() {
	case reflect.String:
		to.SetString(c.stmt.ColumnText(i))
	case reflect.Int, reflect.Int32, reflect.Int64:
		to.SetInt(c.stmt.ColumnInt64(i))
	default:
		return fmt.Errorf("cannot be read into %s", to.Type())
	}
	return nil
}
