package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// lookBack bounds, by their time of creation, the orders that are looked at around an attempt.
const lookBack = time.Hour

// Around looks at what else moved the balance near an attempt, among orders placed up to an hour
// before it: the last balance an answer gave before it, and what has succeeded since. topup.ErrNotFound: there is no
// such attempt.
func (j *Journal) Around(
	ctx context.Context, id topup.ID, number int, now time.Time,
) (s topup.Surroundings, err error) {
	var started time.Time
	db := j.db.Read
	err = db.QueryRowContext(ctx, sqls.Get("started"), string(id), number).Scan(tables.Time(&started))
	if errors.Is(err, sql.ErrNoRows) {
		err = topup.ErrNotFound
	}
	if err != nil {
		return s, fmt.Errorf("around %s attempt %d: %w", id, number, err)
	}
	since := started.Add(-lookBack).UnixMicro()
	var balance string
	err = db.QueryRowContext(ctx, sqls.Get("before"), since, started.UnixMicro(), string(id)).Scan(&s.BeforeOrder,
		&balance, tables.Time(&s.BeforeAt))
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
	groups, err := tables.List(ctx, j.db, func(row tables.Scanner) (g group, err error) {
		err = row.Scan(&g.state, &g.orders, &g.amount)
		return g, err
	}, sqls.Get("between"), since, string(id), s.BeforeAt.UnixMicro(), tables.Whole(now).UnixMicro())
	for _, g := range groups {
		if g.state == topup.StateUnknown {
			s.Unknown = g.orders
		} else {
			s.Succeeded, s.Amount = g.orders, g.amount
		}
	}
	return s, err
}

// AddEvidence adds to what is known of an attempt, while its outcome is unknown; afterwards it does
// nothing.
func (j *Journal) AddEvidence(ctx context.Context, id topup.ID, number int, evidence string) error {
	err := j.db.Change(ctx, string(id), nil, sqls.Get("evidence"), string(id), number, tables.Text(evidence))
	if err != nil {
		return fmt.Errorf("evidence of %s attempt %d: %w", id, number, err)
	}
	return nil
}
