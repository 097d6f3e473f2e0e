package tables

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"recarga/internal/journal/commit"
	"recarga/topup"
)

// Scanner reads the columns of a row.
type Scanner = commit.Scanner

// Behind is a row whose first column is read apart from the others.
type Behind = commit.Behind

// Querier is the database or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Query reads all rows of a query.
func Query[T any](
	ctx context.Context, db Querier, scan func(Scanner) (T, error), q string, args ...any,
) (out []T, err error) {
	rows, err := db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = []T{}
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, rows.Err()
}

// List is Query of what is there now.
func List[T any](ctx context.Context, db *DB, scan func(Scanner) (T, error), q string, args ...any) ([]T, error) {
	out, err := Query(ctx, db.Read, scan, q, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", db.Name, err)
	}
	return out, nil
}

// One reads the one row of a query, or topup.ErrNotFound.
func One[T any](ctx context.Context, db *DB, scan func(Scanner) (T, error), q string, args ...any) (one T, err error) {
	if one, err = scan(db.Read.QueryRowContext(ctx, q, args...)); errors.Is(err, sql.ErrNoRows) {
		err = topup.ErrNotFound
	}
	return one, err
}

// Counted reads a query of two columns: what is counted, and how many there are.
func Counted[K comparable, N int | int64](ctx context.Context, db *DB, q string, args ...any) (map[K]N, error) {
	counts := map[K]N{}
	_, err := List(ctx, db, func(row Scanner) (struct{}, error) {
		var of K
		var n N
		err := row.Scan(&of, &n)
		counts[of] = n
		return struct{}{}, err
	}, q, args...)
	return counts, err
}

// Number reads the one number of a query.
func (db *DB) Number(ctx context.Context, q string, args ...any) (n int64, err error) {
	if err := db.Read.QueryRowContext(ctx, q, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", db.Name, err)
	}
	return n, nil
}

// Time reads the one time of a query; zero where that is 0.
func (db *DB) Time(ctx context.Context, q string, args ...any) (time.Time, error) {
	n, err := db.Number(ctx, q, args...)
	if err != nil || n == 0 {
		return time.Time{}, err
	}
	return time.UnixMicro(n).UTC(), nil
}

// Snapshot has reads see one moment.
func (db *DB) Snapshot(ctx context.Context, read func(*sql.Tx) error) error {
	t, err := db.Read.BeginTx(ctx, db.ReadTx)
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }() // it only read
	return read(t)
}

// Order is an order's row, or topup.ErrNotFound.
func (db *DB) Order(ctx context.Context, id topup.ID) (Record, error) {
	return orderOf(db.orderByID.QueryRowContext(ctx, string(id)), id)
}

func orderOf(row Scanner, id topup.ID) (Record, error) {
	r, err := ScanOrder(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = topup.ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("order %s: %w", id, err)
	}
	return r, nil
}

// Details is an order with all its parts, of one moment, or topup.ErrNotFound.
func (db *DB) Details(ctx context.Context, id topup.ID) (d topup.Details, err error) {
	err = db.Snapshot(ctx, func(t *sql.Tx) error {
		r, err := orderOf(t.StmtContext(ctx, db.orderByID).QueryRowContext(ctx, string(id)), id)
		if err != nil {
			return err
		}
		all, err := db.DetailsOf(ctx, t, []Record{r}, true, true)
		if err != nil {
			return fmt.Errorf("order %s: %w", id, err)
		}
		d = all[0]
		return nil
	})
	return d, err
}

// Chosen are the orders of a query with all their parts, of one moment.
func (db *DB) Chosen(ctx context.Context, q string, args ...any) (all []topup.Details, err error) {
	err = db.Snapshot(ctx, func(t *sql.Tx) error {
		records, err := Query(ctx, t, ScanOrder, q, args...)
		if err == nil {
			all, err = db.DetailsOf(ctx, t, records, true, true)
		}
		return err
	})
	return all, err
}

// DetailsOf are orders with those of their parts that are asked for: attempts, with what people decided, and events.
func (db *DB) DetailsOf(
	ctx context.Context, q Querier, records []Record, attempts, events bool,
) (all []topup.Details, err error) {
	all = make([]topup.Details, len(records))
	at := map[int64]*topup.Details{}
	for i, r := range records {
		all[i] = topup.Details{Order: r.Order}
		if attempts {
			all[i].Attempts, all[i].Resolutions = []topup.Attempt{}, []topup.Resolution{}
			all[i].Corrections, all[i].Disputes = []topup.Correction{}, []topup.Dispute{}
		}
		if events {
			all[i].Events = []topup.Event{}
		}
		at[r.Key] = &all[i]
	}
	if len(records) == 0 {
		return all, nil
	}
	keys := db.Keys(records)
	if attempts {
		err = cmp.Or(
			Part(ctx, q, db.Words(sqls.Engines("attempts")), keys, scanAttempt,
				func(order int64) *[]topup.Attempt { return &at[order].Attempts }),
			Part(ctx, q, db.Words(sqls.Engines("resolutions")), keys, scanResolution,
				func(order int64) *[]topup.Resolution { return &at[order].Resolutions }),
			Part(ctx, q, db.Words(sqls.Engines("corrections")), keys, scanCorrection,
				func(order int64) *[]topup.Correction { return &at[order].Corrections }),
			Part(ctx, q, db.Words(sqls.Engines("disputes")), keys, scanDispute,
				func(order int64) *[]topup.Dispute { return &at[order].Disputes }))
	}
	if events && err == nil {
		err = Part(ctx, q, db.Words(sqls.Engines("events")), keys, ScanEvent,
			func(order int64) *[]topup.Event { return &at[order].Events })
	}
	return all, err
}

// Part adds each row of a query to what it is a part of: the order whose key is the row's first column.
func Part[T any](
	ctx context.Context, q Querier, query string, keys any, scan func(Scanner) (T, error), of func(order int64) *[]T,
) error {
	_, err := Query(ctx, q, func(row Scanner) (one struct{}, err error) {
		var order int64
		part, err := scan(commit.Behind{Scanner: row, First: &order})
		if err == nil {
			parts := of(order)
			*parts = append(*parts, part)
		}
		return one, err
	}, query, keys)
	return err
}

// Keys are the orders' keys as the one argument of a statement.
func (db *DB) Keys(records []Record) any {
	keys := make([]int64, len(records))
	for i, r := range records {
		keys[i] = r.Key
	}
	return Set(db, keys)
}

// Set is many values as the one argument of a statement: an array, or JSON for SQLite.
func Set[T ~int64 | ~string](db *DB, values []T) any {
	if db.IsPostgres() {
		return values
	}
	encoded, _ := json.Marshal(values) // numbers and texts always can
	return string(encoded)
}
