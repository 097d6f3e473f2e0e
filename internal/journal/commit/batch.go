package commit

import (
	"errors"

	"github.com/jackc/pgx/v5"
)

// batch is the statements that the server is sent as one: those with the same Batch, or a single other one.
type batch []*Statement

// batches keeps the order of the statements, but for those that join an earlier one.
func batches(statements []*Statement) (all []batch) {
	at := map[string]int{}
	for _, s := range statements {
		i, found := at[s.Batch]
		if found {
			all[i] = append(all[i], s)
			continue
		}
		if s.Batch != "" {
			at[s.Batch] = len(all)
		}
		all = append(all, batch{s})
	}
	return all
}

func (b batch) queue(to *pgx.Batch) {
	if b[0].Batch == "" {
		to.Queue(b[0].Query, b[0].Args...)
		return
	}
	arrays := make([]any, len(b[0].Args))
	for i := range arrays {
		column := make([]any, len(b))
		for n, s := range b {
			column[n] = s.Args[i]
		}
		arrays[i] = column
	}
	to.Queue(b[0].Batch, arrays...)
}

func (b batch) read(results pgx.BatchResults) {
	if b[0].Batch == "" {
		b[0].read(results)
		return
	}
	rows, err := results.Query()
	if err == nil {
		err = b.share(rows)
		rows.Close()
		err = errors.Join(rows.Err(), err)
	}
	for _, s := range b {
		if err != nil {
			s.err = err
		}
	}
}

// share gives each statement its row.
func (b batch) share(rows pgx.Rows) error {
	waiting := make(map[string]*Statement, len(b))
	for _, s := range b {
		waiting[s.first()] = s
		s.missing()
	}
	for rows.Next() {
		s := waiting[string(rows.RawValues()[0])]
		if s == nil {
			return errors.New("a row of which no operation knows")
		}
		s.rows, s.err = 1, nil
		if s.scan != nil {
			s.err = s.scan(Behind{Scanner: rows})
		}
	}
	return nil
}

// Behind is a row whose first column is read apart from the others.
type Behind struct {
	Scanner
	// First is where the first column goes; nil: nowhere.
	First any
}

// Scan reads the other columns.
func (b Behind) Scan(dest ...any) error { return b.Scanner.Scan(append([]any{b.First}, dest...)...) }
