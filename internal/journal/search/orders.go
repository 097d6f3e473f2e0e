// Package search answers what people and machines ask the journal about orders and events: lists, exports, searches,
// counts, and what a statement of the distributor is compared with. It changes nothing.
//
// Its statements stand written out in sql/. Only those of lists are composed, of whole clauses of sql/list.sql: one
// statement with a condition for each filter that may be absent, ($1 IS NULL OR caller = $1), could use no index
// (TestOneStatementReadsAll), and a statement for each set of filters would stand there hundreds of times.
package search

import (
	"cmp"
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"recarga/internal/journal/archived"
	"recarga/internal/journal/tables"
	"recarga/internal/sqlfile"
	"recarga/topup"
)

//go:embed sql
var sqlFiles embed.FS

var sqls = sqlfile.Load(sqlFiles, "sql")

// Reader reads what is there now, in the tables and in the archive.
type Reader struct {
	db       *tables.DB
	archived *archived.Orders
}

// New reads a database and what has left it.
func New(db *tables.DB, left *archived.Orders) *Reader { return &Reader{db, left} }

// Order is an order as it now is, also an archived one, or topup.ErrNotFound.
func (r *Reader) Order(ctx context.Context, id topup.ID) (topup.Order, error) {
	one, err := r.db.Order(ctx, id)
	if errors.Is(err, topup.ErrNotFound) {
		one, err = r.archived.Order(ctx, id)
	}
	return one.Order, err
}

// Details is an order with its attempts, events and what people decided of it, all of one moment, also of an archived
// one; or topup.ErrNotFound.
func (r *Reader) Details(ctx context.Context, id topup.ID) (topup.Details, error) {
	d, err := r.db.Details(ctx, id)
	if errors.Is(err, topup.ErrNotFound) {
		e, err := r.archived.Entry(ctx, id)
		return e.Details, err
	}
	return d, err
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
	// Code is the distributor's last response code.
	Code topup.Code
	// Reason why they failed.
	Reason topup.Reason
	// Metadata that their caller noted.
	Metadata Label
	// WaitsFor is why they wait.
	WaitsFor topup.Wait
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
	// MostRead is how many orders a page is looked for among, where no index leads to the filter's: a page may then have
	// few orders, or none, and the next one goes on. 0: all, however long it takes.
	MostRead int
}

// Label is a name and its value in an order's metadata. The zero value is none.
type Label struct{ Name, Value string }

// The longest label that orders are found by, in characters.
const longestName, longestValue = 100, 200

// ParseLabel reads a label, as in cart=62. Its error is a *topup.FieldError.
func ParseLabel(s string) (l Label, err error) {
	var given bool
	l.Name, l.Value, given = strings.Cut(s, "=")
	if !given || l.Name == "" || utf8.RuneCountInString(l.Name) > longestName ||
		utf8.RuneCountInString(l.Value) > longestValue {
		allowed := fmt.Sprintf("NAME=VALUE, as in cart=62, of at most %d and %d characters", longestName, longestValue)
		return Label{}, &topup.FieldError{Field: "metadata", Value: s, Allowed: allowed}
	}
	return l, nil
}

const (
	pageLength = 50
	// LongestPage is the most that a page can have.
	LongestPage = 1000
)

// Page is a page of orders, newest first.
type Page struct {
	// Orders are those of the page; Older and Newer are the cursors of the pages beside it, empty where there is none.
	Orders       []topup.Order
	Older, Newer string
}

// List returns a page of orders, newest first, and the cursor of the next page, empty after the last.
// Orders that are added meanwhile do not move those of later pages. A cursor that is none of ours is a
// *topup.FieldError.
func (r *Reader) List(ctx context.Context, f Filter) (orders []topup.Order, next string, err error) {
	page, err := r.Page(ctx, f)
	return page.Orders, page.Older, err
}

// PageBefore is the page of those that are newer than the filter's cursor. Where they are fewer than a page, it is the
// first one, unless MostRead has them looked for in parts.
func (r *Reader) PageBefore(ctx context.Context, f Filter) (page Page, err error) {
	f.Limit = min(cmp.Or(max(f.Limit, 0), pageLength), LongestPage)
	after, err := parseCursor(f.Cursor)
	if err != nil {
		return page, err
	}
	records, stop, err := r.look(ctx, f, after, forward)
	switch {
	case err != nil:
		return page, err
	case len(records) > f.Limit:
		records = records[:f.Limit]
		page.Newer = cursorAfter(records[f.Limit-1].Place())
	case stop != 0:
		page.Newer = cursorAfter(tables.Place{At: stop, Key: math.MaxInt64})
	case f.MostRead <= 0 || f.led():
		f.Cursor = ""
		return r.Page(ctx, f)
	}
	page.Older = cursorAfter(tables.Place{At: after.At, Key: max(after.Key, after.Key+1)}) // not beyond the last key
	if len(records) > 0 {
		page.Older = cursorAfter(records[0].Place())
	}
	slices.Reverse(records)
	page.Orders = ordersOf(records)
	return page, nil
}

func ordersOf(records []tables.Record) []topup.Order {
	orders := make([]topup.Order, len(records))
	for i, r := range records {
		orders[i] = r.Order
	}
	return orders
}

// Page is List, with the cursor of PageBefore.
func (r *Reader) Page(ctx context.Context, f Filter) (page Page, err error) {
	if f.Limit <= 0 {
		f.Limit = pageLength
	}
	f.Limit = min(f.Limit, LongestPage)
	_, until := f.created()
	before := tables.Place{At: until}
	if f.Cursor != "" {
		last, err := parseCursor(f.Cursor)
		if err != nil {
			return page, err
		}
		if last.At < until {
			before = last
		}
	}
	records, stop, err := r.look(ctx, f, before, backward)
	if err != nil {
		return page, err
	}
	if len(records) > f.Limit {
		records = records[:f.Limit]
		page.Older = cursorAfter(records[f.Limit-1].Place())
	} else if stop != 0 {
		page.Older = cursorAfter(tables.Place{At: stop})
	}
	switch {
	case f.Cursor == "":
	case len(records) > 0:
		page.Newer = cursorAfter(records[0].Place())
	default:
		page.Newer = cursorAfter(tables.Place{At: before.At, Key: before.Key - 1})
	}
	page.Orders = ordersOf(records)
	return page, nil
}

// chooses reports whether the conditions choose an order that is final.
func (f Filter) chooses(o topup.Order) bool {
	for _, is := range [][2]string{
		{f.Caller, o.Caller}, {string(f.State), string(o.State)}, {f.Phone.Digits(), o.Phone.Digits()},
		{f.Product, o.Product}, {f.TransactionID, string(o.TransactionID)}, {string(f.Code), string(o.ResponseCode)},
		{string(f.Reason), string(o.Reason)}, {string(f.WaitsFor), string(o.WaitsFor)},
		{f.Metadata.Value, o.Metadata[f.Metadata.Name]},
	} {
		if is[0] != "" && is[0] != is[1] {
			return false
		}
	}
	if _, noted := o.Metadata[f.Metadata.Name]; f.Metadata.Name != "" && !noted {
		return false
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

func cursorAfter(p tables.Place) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, cursorForm, p.At, p.Key))
}

func parseCursor(cursor string) (p tables.Place, err error) {
	plain, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		_, err = fmt.Sscanf(string(plain), cursorForm, &p.At, &p.Key)
	}
	if err != nil || fmt.Sprintf(cursorForm, p.At, p.Key) != string(plain) {
		return p, &topup.FieldError{Field: "cursor", Value: cursor, Allowed: "the next_cursor of an earlier page"}
	}
	return p, nil
}

// ProductFilter checks what somebody wants the orders of: a product of the catalogue, or one that left it, of which
// list has an order still. field is how the product is called there; any other one is a *topup.FieldError.
func ProductFilter(
	ctx context.Context, c topup.Catalog, list func(context.Context, Filter) ([]topup.Order, string, error),
	caller, field, product string,
) error {
	if _, sold := c.Product(product); sold || product == "" {
		return nil
	}
	if _, err := topup.ParseProductID(product); err == nil {
		orders, _, err := list(ctx, Filter{Caller: caller, Product: product, Limit: 1})
		if err != nil || len(orders) > 0 {
			return err
		}
	}
	return &topup.FieldError{Field: field, Value: product, Allowed: "a product of the catalogue, or of an order"}
}
