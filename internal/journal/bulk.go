package journal

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// bulks are what PostgreSQL runs instead of the statements of an order's usual life: once for all operations of a
// commit that are at the same step, which costs it a fraction of a statement for each. Their parameters are arrays.
// The first argument is another one for each operation, and comes back, as the first column, with each row
// that was changed.
var bulks = map[string]string{
	sqlInsert.SQLite:     sqlInsert.Postgres,
	sqlBegin.SQLite:      sqlBegin.Postgres,
	sqlBeginFirst.SQLite: sqlBeginFirst.Postgres,
	sqlSettle:            sqlSettle,
	sqlNewEvent.SQLite:   sqlNewEvent.Postgres,
	sqlTry.SQLite:        sqlTry.Postgres,
}

// sqlSettle is sqlResult and sqlFinish in one, for the result of an attempt that is under way. Nothing changes unless both do.
// Its arguments are those of sqlFinish, and what only the attempt keeps.
var sqlSettle = sqls.Get("postgres/settle")

// volley is calls that are one statement: those of a bulk, or a single other one.
type volley struct {
	calls []*call
	bulk  string // "" for the other one
}

// volleys keeps the order of the calls, but for those that join an earlier one.
func volleys(calls []*call) (all []*volley) {
	joinable := map[string]*volley{}
	for _, c := range calls {
		if v := joinable[c.query]; v != nil {
			v.calls = append(v.calls, c)
			continue
		}
		v := &volley{calls: []*call{c}, bulk: bulks[c.query]}
		if v.bulk != "" {
			joinable[c.query] = v
		}
		all = append(all, v)
	}
	return all
}

func (v *volley) queue(batch *pgx.Batch) {
	if v.bulk == "" {
		batch.Queue(v.calls[0].query, v.calls[0].args...)
		return
	}
	arrays := make([]any, strings.Count(v.bulk, "::"))
	for i := range arrays {
		column := make([]any, len(v.calls))
		for n, c := range v.calls {
			column[n] = c.args[i]
		}
		arrays[i] = column
	}
	batch.Queue(v.bulk, arrays...)
}

func (v *volley) read(results pgx.BatchResults) {
	if v.bulk == "" {
		v.calls[0].read(results)
		return
	}
	rows, err := results.Query()
	if err == nil {
		err = v.share(rows)
		rows.Close()
		err = errors.Join(rows.Err(), err)
	}
	for _, c := range v.calls {
		if err != nil {
			c.err = err
		}
	}
}

// share gives each call its row.
func (v *volley) share(rows pgx.Rows) error {
	waiting := make(map[string]*call, len(v.calls))
	for _, c := range v.calls {
		waiting[c.first()] = c
		c.missing()
	}
	for rows.Next() {
		c := waiting[string(rows.RawValues()[0])]
		if c == nil {
			return errors.New("a row of which no operation knows")
		}
		c.rows, c.err = 1, nil
		if c.scan != nil {
			c.err = c.scan(behindFirst{rows})
		}
	}
	return nil
}

// behindFirst leaves out a row's first column.
type behindFirst struct{ scanner }

func (b behindFirst) Scan(dest ...any) error { return b.scanner.Scan(append([]any{nil}, dest...)...) }
