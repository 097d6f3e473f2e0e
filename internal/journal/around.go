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

const (
	sqlStarted = `SELECT a.started_at FROM attempts a JOIN orders o ON o.key = a.order_key WHERE o.id = $1 AND a.number = $2`
	sqlBefore  = `SELECT id, balance_after, finished_at FROM orders
WHERE created_at > $1 AND finished_at <= $2 AND state = 'succeeded' AND balance_after <> '' AND id <> $3 ORDER BY finished_at DESC LIMIT 1`
	sqlBetween = `SELECT state, COUNT(*), CAST(SUM(amount) AS BIGINT) FROM orders
WHERE created_at > $1 AND id <> $2 AND (state = 'succeeded' AND finished_at > $3 AND finished_at <= $4 OR state = 'unknown' AND updated_at > $3) GROUP BY state`
)

// Around looks at what else moved the balance near an attempt, among orders placed up to an hour
// before it: the last balance an answer gave before it, and what has succeeded since.
func (j *Journal) Around(ctx context.Context, id topup.ID, number int, now time.Time) (s topup.Surroundings, err error) {
	var started time.Time
	db := j.engine.read
	if err := db.QueryRowContext(ctx, sqlStarted, string(id), number).Scan(when{&started}); err != nil {
		return s, fmt.Errorf("around %s attempt %d: %w", id, number, err)
	}
	since := started.Add(-lookBack).UnixMicro()
	var balance string
	err = db.QueryRowContext(ctx, sqlBefore, since, started.UnixMicro(), string(id)).Scan(&s.BeforeOrder, &balance, when{&s.BeforeAt})
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
		orders int
		amount topup.Amount
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

const sqlEvidence = `UPDATE attempts SET evidence = CASE WHEN evidence = '' THEN $3 ELSE evidence || '; ' || $3 END
WHERE order_key = (SELECT key FROM orders WHERE id = $1) AND number = $2 AND outcome = 'unknown'`

// AddEvidence adds to what is known of an attempt, while its outcome is unknown; afterwards it does
// nothing.
func (j *Journal) AddEvidence(ctx context.Context, id topup.ID, number int, evidence string) error {
	_, err := write(ctx, j, string(id), func(t *tx) (int64, error) {
		return t.exec(sqlEvidence, string(id), number, text(evidence))
	})
	if err != nil {
		return fmt.Errorf("evidence of %s attempt %d: %w", id, number, err)
	}
	return nil
}

const sqlOldestUnknown = `SELECT COALESCE(MIN(updated_at), 0) FROM orders WHERE state = 'unknown' AND finished_at IS NULL`

// OldestUnknown is since when the order is held that has been held as unknown for longest; zero when
// none is.
func (j *Journal) OldestUnknown(ctx context.Context) (time.Time, error) {
	var since int64
	if err := j.engine.read.QueryRowContext(ctx, sqlOldestUnknown).Scan(&since); err != nil || since == 0 {
		return time.Time{}, err
	}
	return time.UnixMicro(since).UTC(), nil
}
