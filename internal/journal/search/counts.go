package search

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// CountByState counts the orders in each state. States that no order is in are absent. It reads the
// index of the orders that are not final, and nothing of the others.
func (r *Reader) CountByState(ctx context.Context) (map[topup.State]int64, error) {
	return tables.Counted[topup.State, int64](ctx, r.db, sqls.Get("count"))
}

// OpenByCaller counts the orders of each caller that are not final. Callers without any are absent. It reads the
// orders that are not final, and no others.
func (r *Reader) OpenByCaller(ctx context.Context) (map[string]int, error) {
	return tables.Counted[string, int](ctx, r.db, sqls.Get("open_by_caller"))
}

// Unbought are the orders of a caller and product that wait, for whatever, to be bought.
type Unbought struct {
	// Caller placed them, and Product is what they buy.
	Caller, Product string
	// Count is how many they are, and Amount what they buy together.
	Count  int64
	Amount topup.Amount
	// Ready is how many of them are due and wait for nothing but perhaps a pause, and ReadyAmount what these buy.
	Ready       int64
	ReadyAmount topup.Amount
}

// Unbought are all orders that wait to be bought, those that are scheduled as well. It reads the orders that are not
// final, and no others.
func (r *Reader) Unbought(ctx context.Context, now time.Time) ([]Unbought, error) {
	return tables.List(ctx, r.db, func(row tables.Scanner) (u Unbought, err error) {
		err = row.Scan(&u.Caller, &u.Product, &u.Count, &u.Amount, &u.Ready, &u.ReadyAmount)
		return u, err
	}, sqls.Get("unbought"), now.UnixMicro())
}

// OldestUnknown is since when the order is held that has been held as unknown for longest; zero when
// none is.
func (r *Reader) OldestUnknown(ctx context.Context) (time.Time, error) {
	return r.db.Time(ctx, sqls.Get("oldest_unknown"))
}

// Disputed counts the orders that are disputed, and says since when the first of them is; zero when there is none.
func (r *Reader) Disputed(ctx context.Context) (n int64, since time.Time, err error) {
	var first int64
	if err := r.db.Read.QueryRowContext(ctx, sqls.Get("count_disputed")).Scan(&n, &first); err != nil {
		return 0, since, fmt.Errorf("%s: %w", r.db.Name, err)
	}
	if n > 0 {
		since = time.UnixMicro(first).UTC()
	}
	return n, since, nil
}

// OldestUndelivered is when the oldest event was made that is still to be delivered; zero when there is none. It reads
// the index of what is open.
func (r *Reader) OldestUndelivered(ctx context.Context) (time.Time, error) {
	key, err := tables.One(ctx, r.db, func(row tables.Scanner) (key []byte, err error) {
		err = row.Scan(&key)
		return key, err
	}, sqls.Get("oldest_undelivered"))
	switch {
	case errors.Is(err, topup.ErrNotFound):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	}
	id, err := uuid.FromBytes(key)
	seconds, nanoseconds := id.Time().UnixTime()
	return time.Unix(seconds, nanoseconds).UTC(), err
}

// CountEvents counts the events that are pending, and those that are exhausted. It reads the indexes of what is open,
// and nothing of what was delivered.
func (r *Reader) CountEvents(ctx context.Context) (map[topup.EventState]int64, error) {
	return tables.Counted[topup.EventState, int64](ctx, r.db, sqls.Get("count_events"))
}
