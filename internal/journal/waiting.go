package journal

import (
	"context"
	"fmt"
	"time"

	"recarga/internal/journal/commit"
	"recarga/topup"
)

const (
	// released is what the column line has of a released order; of a waiting one it has its priority's rank.
	released = -1
	// waitGrace is when a waiting order that nobody has released becomes due: every worker releases orders, so this is
	// for mistakes.
	waitGrace = time.Hour
	// mostGroups bounds what one call of Waiting reads.
	mostGroups = 1000
)

var sqlDefer = sqls.Get("defer")

// Defer notes that an order that waits and has had exactly the given number of attempts cannot be bought
// now, and why. Whoever releases waiting orders releases it. topup.ErrLost means that it is not so.
func (j *Journal) Defer(ctx context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error {
	_, err := j.wait(ctx, id, sqlDefer, string(id), attempts, string(why), whole(now).Add(waitGrace).UnixMicro())
	return err
}

var sqlRelease = sqls.Get("release")

// Release ends the wait of an order: it is due. Of those who release one order, one does; for the others it is
// topup.ErrLost.
func (j *Journal) Release(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return j.wait(ctx, id, sqlRelease, string(id), whole(now).UnixMicro())
}

// wait changes what an order waits for.
func (j *Journal) wait(ctx context.Context, id topup.ID, query string, args ...any) (topup.Order, error) {
	// A second run would not know the first one's work: what the statement did must be known before the COMMIT.
	usual := func(out *record) *commit.Step {
		known := func(*commit.Tx) (*commit.Step, error) { return nil, nil }
		return &commit.Step{Statement: oneOrder(out, query, args...), Then: known, Missed: lost}
	}
	r, err := writeUsual(ctx, j, string(id), usual, func(t *tx) (record, error) {
		r, found, err := t.order(query, args...)
		if err == nil && !found {
			err = topup.ErrLost
		}
		return r, err
	})
	if err != nil {
		return topup.Order{}, fmt.Errorf("wait of %s: %w", id, err)
	}
	return r.Order, nil
}

var (
	sqlNextGroup    = sqls.Get("next_group")
	sqlWaiting      = sqls.Get("waiting")
	sqlReleased     = sqls.Get("released")
	sqlCountWaiting = sqls.Get("count_waiting")
)

// Waiting lists the foremost of the orders that wait: of each priority, caller and product as many as each, in the
// order of priority, caller, product and age. It costs nothing that grows with their number.
func (j *Journal) Waiting(ctx context.Context, each int) (all []topup.Waiting, err error) {
	type group struct {
		rank            int    // of the priority
		caller, product string // of the orders
	}
	at := group{rank: released}
	for range mostGroups {
		next, err := list(ctx, j, func(row scanner) (g group, err error) {
			err = row.Scan(&g.rank, &g.caller, &g.product)
			return g, err
		}, sqlNextGroup, at.rank, at.caller, at.product)
		if err != nil || len(next) == 0 {
			return all, err
		}
		at = next[0]
		foremost, err := list(ctx, j, scanWaiting, sqlWaiting, at.rank, at.caller, at.product, each)
		if err != nil {
			return nil, err
		}
		all = append(all, foremost...)
	}
	return all, nil
}

func scanWaiting(row scanner) (o topup.Waiting, err error) {
	var rank int
	err = row.Scan(&o.ID, &rank, &o.Caller, &o.Product, &o.Amount, &o.AttemptCount, &o.Place)
	o.Priority = topup.PriorityOfRank(rank)
	return o, err
}

// Released counts the released orders whose next attempt has not begun yet.
func (j *Journal) Released(ctx context.Context) (int, error) {
	n, err := j.number(ctx, sqlReleased)
	return int(n), err
}

// WaitingByPriority counts the orders that wait, by priority. A priority without any is absent.
func (j *Journal) WaitingByPriority(ctx context.Context) (map[topup.Priority]int64, error) {
	counts, err := counted[int, int64](ctx, j, sqlCountWaiting)
	byPriority := map[topup.Priority]int64{}
	for rank, n := range counts {
		byPriority[topup.PriorityOfRank(rank)] = n
	}
	return byPriority, err
}
