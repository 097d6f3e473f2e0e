package journal

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// bulks are what PostgreSQL runs instead of the statements of an order's usual life: once for all operations of a
// commit that are at the same step, which costs it a fraction of a statement for each. Their parameters are arrays.
// The first argument is another one for each operation, and comes back, as the first column, with each row
// that was changed.
var bulks = map[string]string{
	sqlInsert: bulk(strings.Replace(sqlInsert, "WHERE NOT", "FROM GIVEN WHERE NOT", 1)+" RETURNING id", `text text bytea text text text text bigint text text text
text bigint bigint bigint bigint bigint bigint bigint bigint bigint bigint text bigint`),
	sqlBegin:      bulkBegin("TRUE"),
	sqlBeginFirst: bulkBegin(isFirst),
	sqlSettle: bulk(sqlSettle, `text bigint text text text text text text text
text text bigint bigint bigint bigint bigint text bigint text text`),
	sqlNewEvent: bulk(regexp.MustCompile(`VALUES \(([^)]*)\)`).ReplaceAllString(sqlNewEvent, "SELECT $1 FROM GIVEN")+" RETURNING id",
		"bytea bigint bigint text text bytea bigint bigint"),
	sqlTry: bulk(strings.Replace(sqlTry, "WHERE", "FROM GIVEN WHERE", 1)+" RETURNING $1", "bytea bigint text text bigint bigint"),
}

// sqlSettle is sqlResult and sqlFinish in one, for the result of an attempt that is under way. Nothing changes unless both do.
// Its arguments are those of sqlFinish, and what only the attempt keeps.
const sqlSettle = `WITH settled AS (UPDATE orders SET ` + setFinish + `
FROM GIVEN, attempts WHERE orders.id = $1 AND attempt_count = $2 AND orders.state = $3
AND attempts.order_key = orders.key AND attempts.number = $2 AND attempts.outcome = ''
RETURNING orders.*, $17 AS outcome, $18 AS http_status, $19 AS error, $20 AS evidence),
result AS (UPDATE attempts SET outcome = settled.outcome, finished_at = settled.updated_at, http_status = settled.http_status,
response_code = settled.response_code, response_message = settled.response_message, error = settled.error, evidence = settled.evidence
FROM settled WHERE order_key = settled.key AND number = settled.attempt_count)
SELECT id, ` + orderColumns + ` FROM settled`

// bulkBegin is sqlBeginIf and sqlAttempt in one.
func bulkBegin(condition string) string {
	return bulk(`WITH begun AS (`+sqlBeginIf("FROM GIVEN", condition)+` RETURNING orders.*, $6 AS worker, $7 AS nonce),
attempt AS (INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at)
SELECT key, attempt_count, worker, nonce, updated_at, due_at FROM begun)
SELECT id, `+orderColumns+` FROM begun`, "text bigint bigint bigint bigint text bigint")
}

// bulk has a statement take its parameters, of these types, from the rows that it names GIVEN. unnest in a SELECT
// needs no temporary table for each parameter, as it does in a FROM.
func bulk(query, types string) string {
	var columns []string
	for i, t := range strings.Fields(types) {
		columns = append(columns, fmt.Sprintf("unnest($%d::%s[]) AS a%d", i+1, t, i+1))
	}
	query = regexp.MustCompile(`\$(\d+)`).ReplaceAllString(query, "given.a$1")
	return strings.Replace(query, "GIVEN", "(SELECT "+strings.Join(columns, ", ")+") AS given", 1)
}

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
