package journal

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"recarga/topup"
)

// Order is an order as it now is, also an archived one, or topup.ErrNotFound.
func (j *Journal) Order(ctx context.Context, id topup.ID) (topup.Order, error) {
	r, err := foundOrder(j.orderByID.QueryRowContext(ctx, string(id)), id)
	if errors.Is(err, topup.ErrNotFound) {
		r, err = j.archivedRecord(ctx, id)
	}
	return r.Order, err
}

func foundOrder(row scanner, id topup.ID) (record, error) {
	r, err := scanOrder(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = topup.ErrNotFound
	}
	if err != nil {
		return record{}, fmt.Errorf("order %s: %w", id, err)
	}
	return r, nil
}

var (
	sqlAttempts = sqls.Get("attempts_of")
	sqlEventsOf = sqls.Get("events_of")
)

// Details is an order with its attempts, events and what people decided of it, all of one moment, also of an archived
// one; or topup.ErrNotFound.
func (j *Journal) Details(ctx context.Context, id topup.ID) (d topup.Details, err error) {
	d, err = j.details(ctx, id)
	if errors.Is(err, topup.ErrNotFound) {
		e, err := j.archived(ctx, id)
		return e.Details, err
	}
	return d, err
}

func (j *Journal) details(ctx context.Context, id topup.ID) (d topup.Details, err error) {
	t, err := j.engine.Read.BeginTx(ctx, j.engine.ReadTx)
	if err != nil {
		return d, fmt.Errorf("order %s: %w", id, err)
	}
	defer func() { _ = t.Rollback() }() // it only read
	r, err := foundOrder(t.StmtContext(ctx, j.orderByID).QueryRowContext(ctx, string(id)), id)
	if err != nil {
		return d, err
	}
	d.Order = r.Order
	if d.Attempts, err = query(ctx, t, scanAttempt, sqlAttempts, r.key); err != nil {
		return d, fmt.Errorf("order %s: attempts: %w", id, err)
	}
	if d.Events, err = query(ctx, t, scanEvent, sqlEventsOf, r.key); err != nil {
		return d, fmt.Errorf("order %s: events: %w", id, err)
	}
	if d.Resolutions, err = query(ctx, t, scanResolution, sqlResolutionsOf, r.key); err != nil {
		return d, fmt.Errorf("order %s: resolutions: %w", id, err)
	}
	if d.Corrections, err = query(ctx, t, scanCorrection, sqlCorrectionsOf, r.key); err != nil {
		return d, fmt.Errorf("order %s: corrections: %w", id, err)
	}
	if d.Disputes, err = query(ctx, t, scanDispute, sqlDisputesOf, r.key); err != nil {
		return d, fmt.Errorf("order %s: disputes: %w", id, err)
	}
	return d, nil
}

func scanAttempt(row scanner) (a topup.Attempt, err error) {
	var status int
	var worker string
	err = row.Scan(&a.Number, when{&a.StartedAt}, maybe{&a.FinishedAt}, &a.Outcome, &status, &a.ResponseCode,
		&a.ResponseMessage, &a.Error, &a.Evidence, &worker)
	a.Probe = topup.IsProbe(worker)
	if status != 0 {
		a.HTTPStatus = &status
	}
	return a, err
}

var sqlDue = sqls.Get("due")

// Due lists orders that were due by now, in the order of (due, id), from after on; the zero after is
// the start. Attempts past their deadline are among them.
func (j *Journal) Due(ctx context.Context, now time.Time, after topup.Due, limit int) ([]topup.Due, error) {
	return list(ctx, j, scanDue, sqlDue, now.UnixMicro(), after.DueAt.UnixMicro(), string(after.ID), limit)
}

var sqlOverdue = sqls.Get("overdue")

// Overdue lists attempts past their deadline, whatever else is due.
func (j *Journal) Overdue(ctx context.Context, now time.Time, limit int) ([]topup.Due, error) {
	return list(ctx, j, scanDue, sqlOverdue, now.UnixMicro(), limit)
}

func scanDue(row scanner) (due topup.Due, err error) {
	err = row.Scan(&due.ID, &due.State, &due.AttemptCount, when{&due.DueAt})
	return due, err
}

var sqlCount = sqls.Get("count")

// CountByState counts the orders in each state. States that no order is in are absent. It reads the
// index of the orders that are not final, and nothing of the others.
func (j *Journal) CountByState(ctx context.Context) (map[topup.State]int64, error) {
	return counted[topup.State, int64](ctx, j, sqlCount)
}

var sqlOpenByCaller = sqls.Get("open_by_caller")

// OpenByCaller counts the orders of each caller that are not final. Callers without any are absent. It reads the
// orders that are not final, and no others.
func (j *Journal) OpenByCaller(ctx context.Context) (map[string]int, error) {
	return counted[string, int](ctx, j, sqlOpenByCaller)
}

// Filter chooses orders of a list. Zero fields choose all.
type Filter struct {
	// Caller that placed them.
	Caller string
	// State that they are in.
	State topup.State
	// Phone that they top up.
	Phone topup.Phone
	// Product of the catalogue, by its id.
	Product string
	// Disputed leaves out the orders that are not.
	Disputed bool
	// TransactionID is the distributor's, the whole of it.
	TransactionID string
	// Since and Until bound the time of creation; Until is not included.
	Since, Until time.Time
	// FinishedSince and FinishedUntil bound the time of the final state; with either, orders that have
	// none are left out. FinishedUntil is not included.
	FinishedSince, FinishedUntil time.Time
	// Limit is the length of a page; 0 means 50, and 1000 is the most.
	Limit int
	// Cursor is what the page before returned as next; empty for the first.
	Cursor string
}

const (
	pageLength  = 50
	longestPage = 1000
)

// List returns a page of orders, newest first, and the cursor of the next page, empty after the last.
// Orders that are added meanwhile do not move those of later pages. A cursor that is none of ours is a
// *topup.FieldError.
func (j *Journal) List(ctx context.Context, f Filter) (orders []topup.Order, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = pageLength
	}
	f.Limit = min(f.Limit, longestPage)
	q, args, err := f.query()
	if err != nil {
		return nil, "", err
	}
	records, err := list(ctx, j, scanOrder, q, args...)
	if err != nil {
		return nil, "", err
	}
	if len(records) > f.Limit {
		records = records[:f.Limit]
		next = cursorAfter(records[f.Limit-1])
	}
	orders = make([]topup.Order, len(records))
	for i, r := range records {
		orders[i] = r.Order
	}
	return orders, next, nil
}

// query asks for one order more than the page has, to know whether there is a next.
func (f Filter) query() (string, []any, error) {
	l := f.list()
	var before Place
	if f.Cursor != "" {
		created, key, err := parseCursor(f.Cursor)
		if err != nil {
			return "", nil, err
		}
		before = Place{created, key}
		l.where(true, sqlOrdersBefore)
	}
	return append(l, sqlNewestOrders).String(), f.args(before, f.Limit+1), nil
}

// chooses reports whether the conditions choose an order that is final.
func (f Filter) chooses(o topup.Order) bool {
	for _, is := range [][2]string{
		{f.Caller, o.Caller}, {string(f.State), string(o.State)}, {f.Phone.Digits(), o.Phone.Digits()},
		{f.Product, o.Product}, {f.TransactionID, string(o.TransactionID)},
	} {
		if is[0] != "" && is[0] != is[1] {
			return false
		}
	}
	return (!f.Disputed || o.DisputedAt != nil) && within(o.CreatedAt, f.Since, f.Until) &&
		within(*o.FinishedAt, f.FinishedSince, f.FinishedUntil)
}

func within(at, since, until time.Time) bool {
	return !at.Before(since.Truncate(time.Microsecond)) && (until.IsZero() || at.Before(until.Truncate(time.Microsecond)))
}

// created bounds, in microseconds, when the orders were placed.
func (f Filter) created() (since, until int64) {
	since, until = math.MinInt64, math.MaxInt64
	if !f.Since.IsZero() {
		since = f.Since.UnixMicro()
	}
	for _, end := range []time.Time{f.Until, f.FinishedUntil} {
		if !end.IsZero() {
			until = min(until, end.UnixMicro())
		}
	}
	return since, until
}

// A cursor names the last order of a page by what lists are sorted by.
const cursorForm = "%d.%d"

func cursorAfter(r record) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, cursorForm, r.CreatedAt.UnixMicro(), r.key))
}

func parseCursor(cursor string) (created, key int64, err error) {
	plain, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		_, err = fmt.Sscanf(string(plain), cursorForm, &created, &key)
	}
	if err != nil || fmt.Sprintf(cursorForm, created, key) != string(plain) {
		return 0, 0, &topup.FieldError{Field: "cursor", Value: cursor, Allowed: "the next_cursor of an earlier page"}
	}
	return created, key, nil
}

// list reads all rows of a query.
func list[T any](ctx context.Context, j *Journal, scan func(scanner) (T, error), q string, args ...any) ([]T, error) {
	out, err := query(ctx, j.engine.Read, scan, q, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.engine.Name, err)
	}
	return out, nil
}

// counted reads a query of two columns: what is counted, and how many there are.
func counted[K comparable, N int | int64](ctx context.Context, j *Journal, q string, args ...any) (map[K]N, error) {
	counts := map[K]N{}
	_, err := list(ctx, j, func(row scanner) (struct{}, error) {
		var of K
		var n N
		err := row.Scan(&of, &n)
		counts[of] = n
		return struct{}{}, err
	}, q, args...)
	return counts, err
}

// number reads the one number of a query.
func (j *Journal) number(ctx context.Context, q string, args ...any) (n int64, err error) {
	if err := j.engine.Read.QueryRowContext(ctx, q, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", j.engine.Name, err)
	}
	return n, nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func query[T any](
	ctx context.Context, db querier, scan func(scanner) (T, error), q string, args ...any,
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
