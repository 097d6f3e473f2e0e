package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// A page whose filter no index leads to is found by reading the orders or events one by one, and where too few are
// chosen, by reading the whole book. MostRead bounds that, and the page says where it stopped.

// InTime is the MostRead of a page that somebody waits for: it takes less than a tenth of a second.
const InTime = 25_000

// nearest are how many are read at first: nearly always they have a page.
const nearest = 2000

// stretches are how many are read, each time from the beginning of the page, until there is a page. 0: all.
func stretches(most int, led bool) []int {
	if most <= 0 || led {
		return []int{0}
	}
	return []int{min(nearest, most), most}
}

// led reports whether an index leads to the orders, or nearly every order is chosen.
func (f Filter) led() bool {
	few, rare, failed := f.few()
	all := f.State == "" && f.Product == "" && f.Code == "" && f.FinishedSince.IsZero() && f.FinishedUntil.IsZero()
	return all || few || rare || failed || f.narrow() || f.State == topup.StateFailed || f.State == topup.StateCanceled
}

// direction is where a page lies, seen from a place of the list.
type direction bool

const (
	backward direction = false // older orders
	forward  direction = true
)

// look reads the filter's orders next to a place, one more than a page has, so that it is known whether there are
// more. stop is the time of creation, in microseconds, of the last that it read; 0: there are no more.
func (r *Reader) look(
	ctx context.Context, f Filter, from tables.Place, to direction,
) (records []tables.Record, stop int64, err error) {
	since, until := f.created()
	for _, most := range stretches(f.MostRead, f.led()) {
		near := f
		if most > 0 {
			if stop, err = r.far(ctx, f.Caller, from, to, most); err != nil {
				return nil, 0, err
			}
			switch {
			case stop <= since, stop >= until:
				stop = 0
			case to == backward:
				near.Since = time.UnixMicro(stop)
			default:
				near.Until = time.UnixMicro(stop + 1)
			}
		}
		q := near.newest(r.db.Words)
		if to == forward {
			q = near.oldest(r.db.Words)
		}
		records, err = tables.List(ctx, r.db, tables.ScanOrder, q, near.args(from, f.Limit+1)...)
		if err != nil || len(records) > f.Limit || stop == 0 {
			return records, 0, err
		}
	}
	return records, stop, nil
}

// far is when the order was placed that lies so many behind a place; math.MinInt64: there are fewer.
func (r *Reader) far(
	ctx context.Context, caller string, from tables.Place, to direction, most int,
) (at int64, err error) {
	q, args := sqls.Get("far_before"), []any{from.At, from.Key, most}
	switch {
	case caller != "" && to == forward:
		q, args = sqls.Get("far_after_of_caller"), append(args, caller)
	case caller != "":
		q, args = sqls.Get("far_before_of_caller"), append(args, caller)
	case to == forward:
		q = sqls.Get("far_after")
	}
	err = r.db.Read.QueryRowContext(ctx, q, args...).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return math.MinInt64, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", r.db.Name, err)
	}
	return at, nil
}

// farEvent is the id of the event that lies so many before the last; empty: there are fewer.
func (r *Reader) farEvent(ctx context.Context, first, last []byte, most int) (id []byte, err error) {
	err = r.db.Read.QueryRowContext(ctx, sqls.Get("far_event"), first, last, most).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%s: %w", r.db.Name, err)
	}
	return id, nil
}

// eventsLed reports whether an index leads to the events, or nearly every one is chosen.
func eventsLed(f topup.EventFilter) bool {
	all := f.State == "" && f.Caller == "" && f.Type == "" && f.Endpoint == ""
	return all || f.State == topup.EventPending || f.State == topup.EventExhausted || f.Caller == topup.OperatorCaller
}
