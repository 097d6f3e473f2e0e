package commit

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// bulkBatch is the statements that the server is sent as one: those of a bulk, or a single other one.
type bulkBatch struct {
	statements []*Statement
	bulk       string // "" for the other one
}

// bulkBatches keeps the order of the statements, but for those that join an earlier one.
func bulkBatches(statements []*Statement, bulks map[string]string) (all []*bulkBatch) {
	joinable := map[string]*bulkBatch{}
	for _, c := range statements {
		if b := joinable[c.Query]; b != nil {
			b.statements = append(b.statements, c)
			continue
		}
		b := &bulkBatch{statements: []*Statement{c}, bulk: bulks[c.Query]}
		if b.bulk != "" {
			joinable[c.Query] = b
		}
		all = append(all, b)
	}
	return all
}

func (b *bulkBatch) queue(batch *pgx.Batch) {
	if b.bulk == "" {
		batch.Queue(b.statements[0].Query, b.statements[0].Args...)
		return
	}
	arrays := make([]any, strings.Count(b.bulk, "::"))
	for i := range arrays {
		column := make([]any, len(b.statements))
		for n, c := range b.statements {
			column[n] = c.Args[i]
		}
		arrays[i] = column
	}
	batch.Queue(b.bulk, arrays...)
}

func (b *bulkBatch) read(results pgx.BatchResults) {
	if b.bulk == "" {
		b.statements[0].read(results)
		return
	}
	rows, err := results.Query()
	if err == nil {
		err = b.share(rows)
		rows.Close()
		err = errors.Join(rows.Err(), err)
	}
	for _, c := range b.statements {
		if err != nil {
			c.err = err
		}
	}
}

// share gives each statement its row.
func (b *bulkBatch) share(rows pgx.Rows) error {
	waiting := make(map[string]*Statement, len(b.statements))
	for _, c := range b.statements {
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
type behindFirst struct{ Scanner }

func (b behindFirst) Scan(dest ...any) error { return b.Scanner.Scan(append([]any{nil}, dest...)...) }
