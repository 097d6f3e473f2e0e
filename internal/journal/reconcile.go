package journal

import (
	"context"
	"fmt"
	"time"

	"recarga/topup"
)

// Standing is an order as a statement of the distributor is compared with it.
type Standing struct {
	ID            topup.ID
	State         topup.State
	Phone         topup.Phone
	Amount        topup.Amount
	TransactionID string
	Reference     string
	// Attempts counts those that moved money, or may have. From and Until bound when: from the start of
	// the first to when the last was answered or, without an answer, given up. Zero when there are none.
	Attempts    int
	From, Until time.Time

	after Place
}

// Place is where a page of Standings ends; the zero Place is before the first.
type Place struct{ at, key int64 }

func (p Place) behind(other Place) bool {
	return p.at > other.at || p.at == other.at && p.key > other.key
}

// After is the place behind the order.
func (s Standing) After() Place { return s.after }

// sqlStandings has the orders' condition and order for its marks. An attempt that proves that it moved
// nothing says nothing about when money moved.
const sqlStandings = `SELECT o.id, o.state, o.phone, o.amount, o.transaction_id, o.reference, COUNT(a.number), COALESCE(MIN(a.started_at), 0),
COALESCE(MAX(CASE WHEN a.outcome = 'approved' OR a.finished_at > a.give_up_at THEN a.finished_at ELSE a.give_up_at END), 0),
COALESCE(o.finished_at, o.created_at), o.key
FROM orders o LEFT JOIN attempts a ON a.order_key = o.key AND a.outcome NOT IN ('unavailable', 'not_sent', 'declined')
WHERE o.%s GROUP BY o.key ORDER BY COALESCE(o.finished_at, o.created_at), o.key`

var (
	sqlSold = fmt.Sprintf(sqlStandings, `key IN (SELECT key FROM orders WHERE finished_at >= $1 AND (finished_at, key) > ($1, $2)
AND state = 'succeeded' AND created_at <= $3 ORDER BY finished_at, key LIMIT $4)`)
	sqlHeld = fmt.Sprintf(sqlStandings, `key IN (SELECT key FROM orders WHERE finished_at IS NULL AND state = 'unknown'
AND created_at >= $1 AND (created_at, key) > ($1, $2) ORDER BY created_at, key LIMIT $3)`)
)

// Standings returns those of the orders that there are, archived ones too, in no order that means anything.
func (j *Journal) Standings(ctx context.Context, ids []topup.ID) ([]Standing, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = string(id)
	}
	there, err := list(ctx, j, scanStanding, fmt.Sprintf(sqlStandings, "id IN ("+marks(1, len(ids))+")"), args...)
	if err != nil || len(there) == len(ids) {
		return there, err
	}
	left, err := list(ctx, j, scanID, "SELECT id FROM archived WHERE id IN ("+marks(1, len(ids))+")", args...)
	for _, id := range left {
		e, err := j.archived(ctx, id)
		if err != nil {
			return nil, err
		}
		there = append(there, e.standing())
	}
	return there, err
}

// Sold returns a page of the orders that have succeeded, in the order of their ends from since on, and
// were placed by until: all that can have been charged between the two are among them.
func (j *Journal) Sold(ctx context.Context, since, until time.Time, after Place, limit int) ([]Standing, error) {
	if after == (Place{}) {
		after.at = since.UnixMicro()
	}
	return list(ctx, j, scanStanding, sqlSold, after.at, after.key, until.UnixMicro(), limit)
}

// Held returns a page of the orders that are unknown, the oldest first.
func (j *Journal) Held(ctx context.Context, after Place, limit int) ([]Standing, error) {
	return list(ctx, j, scanStanding, sqlHeld, after.at, after.key, limit)
}

func scanID(row scanner) (id topup.ID, err error) {
	err = row.Scan(&id)
	return id, err
}

func scanStanding(row scanner) (s Standing, err error) {
	err = row.Scan(&s.ID, &s.State, &s.Phone, &s.Amount, &s.TransactionID, &s.Reference, &s.Attempts, when{&s.From}, when{&s.Until}, &s.after.at, &s.after.key)
	if s.Attempts == 0 {
		s.From, s.Until = time.Time{}, time.Time{}
	}
	return s, err
}
