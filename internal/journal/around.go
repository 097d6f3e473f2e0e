package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"recarga/topup"
)

// lookBack bounds, by their time of creation, the orders that are looked at around an attempt.
const lookBack = time.Hour

var (
	sqlStarted = sqls.Get("started")
	sqlBefore  = sqls.Get("before")
	sqlBetween = sqls.Get("between")
)

// Around looks at what else moved the balance near an attempt, among orders placed up to an hour
// before it: the last balance an answer gave before it, and what has succeeded since. topup.ErrNotFound: there is no
// such attempt.
func (j *Journal) Around(
	ctx context.Context, id topup.ID, number int, now time.Time,
) (s topup.Surroundings, err error) {
	var started time.Time
	db := j.engine.Read
	err = db.QueryRowContext(ctx, sqlStarted, string(id), number).Scan(when{&started})
	if errors.Is(err, sql.ErrNoRows) {
		err = topup.ErrNotFound
	}
	if err != nil {
		return s, fmt.Errorf("around %s attempt %d: %w", id, number, err)
	}
	since := started.Add(-lookBack).UnixMicro()
	var balance string
	err = db.QueryRowContext(ctx, sqlBefore, since, started.UnixMicro(), string(id)).Scan(&s.BeforeOrder, &balance,
		when{&s.BeforeAt})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		s.BeforeAt = started
	case err != nil:
		return s, fmt.Errorf("around %s: %w", id, err)
	default:
		n := json.Number(balance)
		s.Before = &n
	}
	type group struct {
		state  topup.State
		orders int          // in that state
		amount topup.Amount // of all of them
	}
	groups, err := list(ctx, j, func(row scanner) (g group, err error) {
		err = row.Scan(&g.state, &g.orders, &g.amount)
		return g, err
	}, sqlBetween, since, string(id), s.BeforeAt.UnixMicro(), whole(now).UnixMicro())
	for _, g := range groups {
		if g.state == topup.StateUnknown {
			s.Unknown = g.orders
		} else {
			s.Succeeded, s.Amount = g.orders, g.amount
		}
	}
	return s, err
}

var sqlEvidence = sqls.Get("evidence")

// AddEvidence adds to what is known of an attempt, while its outcome is unknown; afterwards it does
// nothing.
func (j *Journal) AddEvidence(ctx context.Context, id topup.ID, number int, evidence string) error {
	_, err := write(ctx, j, string(id), func(t *tx) (int64, error) {
		return t.Exec(sqlEvidence, string(id), number, text(evidence))
	})
	if err != nil {
		return fmt.Errorf("evidence of %s attempt %d: %w", id, number, err)
	}
	return nil
}

var sqlOldestUnknown = sqls.Get("oldest_unknown")

// OldestUnknown is since when the order is held that has been held as unknown for longest; zero when
// none is.
func (j *Journal) OldestUnknown(ctx context.Context) (time.Time, error) {
	since, err := j.number(ctx, sqlOldestUnknown)
	if err != nil || since == 0 {
		return time.Time{}, err
	}
	return time.UnixMicro(since).UTC(), nil
}
