package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/topup"
)

const (
	// called is the line of an order whose turn has come; those of the others are their priorities' ranks.
	called = -1
	// lineGrace is when somebody looks at an order in line whom nobody has called: the line is worked off by
	// every worker, so this is for mistakes.
	lineGrace = time.Hour
	// mostLines bounds what one look at the line reads.
	mostLines = 1000
)

var sqlDefer = sqls.Get("defer")

// Defer notes that an order that waits and has had exactly the given number of attempts cannot be bought
// now, and why. Whoever works off the line calls it. topup.ErrLost means that it is not so.
func (j *Journal) Defer(ctx context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error {
	_, err := j.line(ctx, id, sqlDefer, string(id), attempts, string(why), whole(now).Add(lineGrace).UnixMicro())
	return err
}

var sqlRelease = sqls.Get("release")

// Call says that an order's turn has come: it leaves the line, and is due. Of those who call one order, one
// does; for the others it is topup.ErrLost.
func (j *Journal) Release(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return j.line(ctx, id, sqlRelease, string(id), whole(now).UnixMicro())
}

func (j *Journal) line(ctx context.Context, id topup.ID, query string, args ...any) (topup.Order, error) {
	r, err := write(ctx, j, string(id), func(t *tx) (record, error) {
		r, found, err := t.order(query, args...)
		if err == nil && !found {
			err = topup.ErrLost
		}
		return r, err
	})
	if err != nil {
		return topup.Order{}, fmt.Errorf("line of %s: %w", id, err)
	}
	return r.Order, nil
}

var (
	sqlNextLine = sqls.Get("next_line")
	sqlWaiting  = sqls.Get("waiting")
	sqlReleased = sqls.Get("released")
	sqlLengths  = sqls.Get("lengths")
)

// Waiting lists the foremost of the orders that stand in line: of each priority, caller and product as many as
// each, in the order of priority, caller, product and age. It costs nothing that grows with the line.
func (j *Journal) Waiting(ctx context.Context, each int) (all []topup.Waiting, err error) {
	type head struct {
		rank            int
		caller, product string
	}
	at := head{rank: called}
	for range mostLines {
		next, err := list(ctx, j, func(row scanner) (h head, err error) {
			return h, row.Scan(&h.rank, &h.caller, &h.product)
		}, sqlNextLine, at.rank, at.caller, at.product)
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

// Released counts the orders whose turn has come and for whom nothing has been begun yet.
func (j *Journal) Released(ctx context.Context) (n int, err error) {
	counts, err := list(ctx, j, func(row scanner) (n int, err error) { return n, row.Scan(&n) }, sqlReleased)
	if err == nil && len(counts) != 1 {
		err = errors.New("a count without a row")
	}
	if err != nil {
		return 0, err
	}
	return counts[0], nil
}

// WaitingByPriority counts the orders that stand in line, by priority. A priority without any is absent.
func (j *Journal) WaitingByPriority(ctx context.Context) (map[topup.Priority]int64, error) {
	type length struct {
		rank int
		n    int64
	}
	lengths, err := list(ctx, j, func(row scanner) (l length, err error) { return l, row.Scan(&l.rank, &l.n) }, sqlLengths)
	byPriority := map[topup.Priority]int64{}
	for _, l := range lengths {
		byPriority[topup.PriorityOfRank(l.rank)] = l.n
	}
	return byPriority, err
}
