package journal

import (
	"context"
	"fmt"
	"time"

	"recarga/internal/journal/commit"
	"recarga/internal/journal/tables"
	"recarga/topup"
)

const (
	// waitGrace is when a waiting order that nobody has released becomes due: every worker releases orders, so this is
	// for mistakes.
	waitGrace = time.Hour
	// mostWaiting and mostGroups bound what one call of Waiting reads, where there are not more groups of orders than
	// mostWaiting.
	mostWaiting, mostGroups = 4096, 16384
)

// Defer notes that an order that waits and has had exactly the given number of attempts cannot be bought
// now, and why. Whoever releases waiting orders releases it. topup.ErrLost means that it is not so.
func (j *Journal) Defer(ctx context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error {
	_, err := j.wait(ctx, id, sqls.Get("defer"), string(id), attempts, string(why),
		tables.Whole(now).Add(waitGrace).UnixMicro())
	return err
}

// Release ends the wait of an order: it is due. Of those who release one order, one does; for the others it is
// topup.ErrLost.
func (j *Journal) Release(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return j.wait(ctx, id, sqls.Get("release"), string(id), tables.Whole(now).UnixMicro())
}

// wait changes what an order waits for.
func (j *Journal) wait(ctx context.Context, id topup.ID, query string, args ...any) (topup.Order, error) {
	// It could not be recognised after a COMMIT whose answer was lost: what it did must be known before.
	known := func(*commit.Tx) (*commit.Step, error) { return nil, nil }
	r, err := writeUsual(ctx, j, id, func(out *tables.Record) *commit.Step {
		return &commit.Step{Statement: commit.Query(tables.OrderInto(out), query, args...), Then: known, Missed: lost}
	}, nil)
	if err != nil {
		return topup.Order{}, fmt.Errorf("wait of %s: %w", id, err)
	}
	return r.Order, nil
}

// Waiting lists the foremost of the orders that wait: of each priority, caller and product as many as each, in the
// order of priority, caller, product and age; but where there are very many of these, fewer of each. It costs nothing
// that grows with the number of orders.
func (j *Journal) Waiting(ctx context.Context, each int) ([]topup.Waiting, error) {
	return tables.List(ctx, j.db, scanWaiting, j.db.Words(sqlWaiting), each, mostWaiting, mostGroups)
}

var sqlWaiting = sqls.Engines("waiting")

func scanWaiting(row tables.Scanner) (o topup.Waiting, err error) {
	var rank int
	err = row.Scan(&o.ID, &rank, &o.Caller, &o.Product, &o.Amount, &o.AttemptCount, &o.Place)
	o.Priority = topup.PriorityOfRank(rank)
	return o, err
}

// Released counts the released orders whose next attempt has not begun yet.
func (j *Journal) Released(ctx context.Context) (int, error) {
	n, err := j.db.Number(ctx, sqls.Get("released"))
	return int(n), err
}

// WaitingByPriority counts the orders that wait, by priority. A priority without any is absent.
func (j *Journal) WaitingByPriority(ctx context.Context) (map[topup.Priority]int64, error) {
	counts, err := tables.Counted[int, int64](ctx, j.db, sqls.Get("count_waiting"))
	byPriority := map[topup.Priority]int64{}
	for rank, n := range counts {
		byPriority[topup.PriorityOfRank(rank)] = n
	}
	return byPriority, err
}
