package reconcile

import (
	"context"
	"database/sql"
	"time"

	"recarga/internal/journal/search"
	"recarga/internal/reconcile/statement"
	"recarga/topup"
)

// This file asks the statement on disk what proof.go needs: what lies around an order, and what may be its charge.

// named is what the statement says of an order that we call succeeded.
type named int

const (
	namedDenied named = iota - 1 // it says that it was not charged
	namedNot                     // it lacks it
	namedAsElse                  // it charges it, and not as we know it
	namedToo                     // it charges it as we know it, and not only so
	namedAsOurs
)

// soldOrder is an order that we call succeeded.
type soldOrder struct {
	*search.Standing
	named named
}

func (s *stage) addSold(ctx context.Context, list []soldOrder) error {
	return s.all(ctx, sqls.Get("insert_sold"), len(list), func(i int) []any {
		o := list[i]
		return []any{
			string(o.ID), o.From.UnixMicro(), o.Until.UnixMicro(), o.Approved, o.TransactionID, int(o.named), o.Phone.Digits(),
			int64(o.Amount),
		}
	})
}

// lacking counts the sold orders that the statement denies, and those of a period that it lacks, and names one.
func (s *stage) lacking(ctx context.Context, p Period) (n int64, one topup.ID, err error) {
	err = s.db.QueryRowContext(ctx, sqls.Get("lacking"),
		p.From.UnixMicro(), p.Until.UnixMicro()).Scan(&n, &one)
	return n, one, err
}

// neighbour is the n-th order that the distributor approved wholly before a time, or after it, and how long that may
// have been charged; found says that there are so many. but is an order that does not count.
func (s *stage) neighbour(ctx context.Context, before bool, at time.Time, n int,
	but topup.ID) (edge time.Time, shortest time.Duration, found bool, err error) {
	q := sqls.Get("sold_after")
	if before {
		q = sqls.Get("sold_before")
	}
	list, err := rows(ctx, s, func(r *sql.Rows) (e [2]int64, err error) { return e, r.Scan(&e[0], &e[1]) }, q,
		at.UnixMicro(), string(but), n)
	if err != nil || len(list) < n {
		return time.Time{}, 0, false, err
	}
	least := list[0][1]
	for _, e := range list {
		least = min(least, e[1])
	}
	return time.UnixMicro(list[n-1][0]), time.Duration(least) * time.Microsecond, true, nil
}

// gap is a sold order that can have been charged between two times and that the statement does not charge as we know
// it; empty where there is none. but is an order that does not count.
func (s *stage) gap(ctx context.Context, from, until time.Time, but topup.ID) (topup.ID, error) {
	return one[topup.ID](ctx, s, sqls.Get("gap"), from.UnixMicro(), until.UnixMicro(), string(but))
}

// stray is a line of an unclaimed charge that can be one of the order: it is between the two times, or of its phone,
// or of a time or phone that the statement does not say; 0 where there is none.
func (s *stage) stray(ctx context.Context, a absence, from, until time.Time) (int64, error) {
	return one[int64](ctx, s, sqls.Get("stray"),
		from.UnixMicro(), until.Add(statement.LongDay).UnixMicro(), until.UnixMicro(), a.Phone.Digits())
}

// candidates of an order are the unclaimed charges of its phone and amount between the two times.
func (s *stage) candidates(ctx context.Context, a absence, from, until time.Time, limit int) ([]Candidate, error) {
	return rows(ctx, s, func(r *sql.Rows) (c Candidate, err error) {
		var at int64
		err = r.Scan(&c.Line, &c.ID, &c.TransactionID, &c.Reference, &c.AuthCode, &at)
		c.Time = time.UnixMicro(at).UTC()
		return c, err
	}, sqls.Get("candidates"), a.Phone.Digits(), int64(a.Amount), from.UnixMicro(), until.UnixMicro(), limit)
}

// contested says whose else the charges of an order may be: of another order, in our book or on another line, that has
// the transaction of one of them; or of one that we call succeeded, of the same phone, amount and time, that no line
// charges as we know it; what the statement says of no charge is not compared. Empty where there is none.
// The charges are of any time between since and until.
func (s *stage) contested(ctx context.Context, o search.Standing, since, until time.Time) (string, error) {
	return one[string](ctx, s, sqls.Get("contested"),
		string(o.ID), int(statement.Charged), o.Phone.Digits(), int64(o.Amount),
		since.UnixMicro(), until.UnixMicro(), s.phones, s.amounts)
}
