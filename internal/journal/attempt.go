package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"recarga/topup"
)

// from is the SQL condition that an order's state allows the operation, by the table of transitions.
func from(by string, to topup.State) string {
	var states []string
	for _, f := range topup.StateTable() {
		if topup.Allowed(f.State, to, by) {
			states = append(states, "'"+string(f.State)+"'")
		}
	}
	return "state IN (" + strings.Join(states, ", ") + ")"
}

// sqlBeginIf takes a condition beside the usual ones.
func sqlBeginIf(tables, condition string) string {
	return `UPDATE orders SET state = 'submitting', attempt_count = attempt_count + 1, updated_at = $3, next_attempt_at = NULL, due_at = $4, line = NULL, waits_for = ''
` + tables + ` WHERE id = $1 AND attempt_count = $2 AND ` + from("begin", topup.StateSubmitting) + ` AND ` + condition
}

const isFirst = "due_at <= $3 AND (expires_at IS NULL OR expires_at > $3)"

var (
	sqlBegin      = sqlBeginIf("", "TRUE") + ` RETURNING ` + orderColumns
	sqlBeginFirst = sqlBeginIf("", isFirst) + ` RETURNING ` + orderColumns
)

const sqlAttempt = `INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at) VALUES ($1, $2, $3, $4, $5, $6)`

// sqlOwn finds the order whose attempt under way was begun by one call of Begin.
const sqlOwn = `SELECT ` + orderColumns + ` FROM orders WHERE id = $1 AND attempt_count = $2 AND state = 'submitting'
AND EXISTS (SELECT 1 FROM attempts WHERE order_key = orders.key AND number = $2 AND worker = $3 AND nonce = $4)`

// Begin records that the next attempt is under way, for an order that is queued or retrying and has
// had exactly the given number of attempts; otherwise it returns topup.ErrLost, and nothing may be
// sent. It is durable before it returns. After giveUpAt anybody may call the attempt's outcome unknown.
//
// A commit whose answer was lost is made again, and recognised where it had happened: an attempt is
// not wasted on it. Only if that fails as well is the error ErrInDoubt.
func (j *Journal) Begin(ctx context.Context, id topup.ID, attempts int, worker string, giveUpAt, now time.Time) (topup.Order, error) {
	return j.begin(ctx, sqlBegin, id, attempts, worker, giveUpAt, now)
}

// BeginFirst is Begin for an order that has had no attempt, is due and has not expired: whoever is woken
// for a new order need not read it first. It is topup.ErrLost for any other.
func (j *Journal) BeginFirst(ctx context.Context, id topup.ID, worker string, giveUpAt, now time.Time) (topup.Order, error) {
	return j.begin(ctx, sqlBeginFirst, id, 0, worker, giveUpAt, now)
}

func (j *Journal) begin(ctx context.Context, query string, id topup.ID, attempts int, worker string, giveUpAt, now time.Time) (topup.Order, error) {
	now, giveUpAt = whole(now), whole(giveUpAt)
	nonce := rand.Int64()
	begin := func() (record, error) {
		return write(ctx, j, string(id), func(t *tx) (record, error) {
			r, found, err := t.ending(t.bulk).order(query, string(id), attempts, now.UnixMicro(), giveUpAt.UnixMicro(), worker, nonce)
			switch {
			case err != nil:
				return r, err
			case !found:
				return t.own(id, attempts+1, worker, nonce)
			case t.bulk: // which has recorded the attempt as well
				return r, nil
			}
			_, err = t.exec(sqlAttempt, r.key, r.AttemptCount, worker, nonce, now.UnixMicro(), giveUpAt.UnixMicro())
			return r, err
		})
	}
	r, err := begin()
	for i := 1; i < retries && errors.Is(err, ErrInDoubt); i++ {
		r, err = begin()
	}
	if err != nil {
		return topup.Order{}, fmt.Errorf("begin %s: %w", id, err)
	}
	return r.Order, nil
}

func (t *tx) own(id topup.ID, number int, worker string, nonce int64) (record, error) {
	r, found, err := t.order(sqlOwn, string(id), number, worker, nonce)
	if err == nil && !found {
		err = topup.ErrLost
	}
	return r, err
}

// sqlResult adds to what an attempt already says: a poorer result that comes later takes nothing away.
const sqlResult = `UPDATE attempts SET outcome = $4,
finished_at = CASE WHEN finished_at IS NULL OR outcome <> $4 THEN $5 ELSE finished_at END,
http_status = CASE WHEN $6 = 0 THEN http_status ELSE $6 END,
response_code = CASE WHEN $7 = '' THEN response_code ELSE $7 END,
response_message = CASE WHEN $8 = '' THEN response_message ELSE $8 END,
error = CASE WHEN error = '' THEN $9 WHEN $9 = '' OR replace(error, $9, '') <> error THEN error ELSE error || '; ' || $9 END,
evidence = CASE WHEN evidence = '' THEN $10 WHEN $10 = '' OR replace(evidence, $10, '') <> evidence THEN evidence ELSE evidence || '; ' || $10 END
WHERE order_key = (SELECT key FROM orders WHERE id = $1) AND number = $2 AND outcome = $3`

const setFinish = `state = $4, reason = $5, response_code = $6, response_message = $7, transaction_id = $8, reference = $9,
auth_code = $10, balance_after = $11, updated_at = $12, finished_at = $13, next_attempt_at = $14,
due_at = CASE WHEN expires_at < $14 THEN expires_at ELSE $14 END, event_count = event_count + $15, unknown_attempts = unknown_attempts + $16, line = NULL, waits_for = ''`

const sqlFinish = `UPDATE orders SET ` + setFinish + ` WHERE id = $1 AND attempt_count = $2 AND state = $3 RETURNING ` + orderColumns

const sqlDoubt = `UPDATE orders SET unknown_attempts = unknown_attempts + $2 WHERE id = $1 RETURNING ` + orderColumns

// settled is an order after a change, and the event that tells of it, if it is told.
type settled struct {
	order topup.Order
	event *topup.Event
}

// Finish records the result of an attempt and the state that follows from it, with the event where the
// caller must be told; in one transaction. The attempt must be the order's latest, and under way or
// unknown; otherwise the result is kept with the attempt, as evidence, and the error is topup.ErrLost.
// A result that leaves an unknown order unknown only adds evidence, and no event.
//
// A *topup.TransitionError is a settlement that contradicts its own result.
func (j *Journal) Finish(ctx context.Context, s topup.Settlement, now time.Time) (topup.Order, *topup.Event, error) {
	s, now = tidy(s, now), whole(now)
	if !coherent(s) {
		return topup.Order{}, nil, &topup.TransitionError{ID: s.ID, From: topup.StateSubmitting, By: fmt.Sprintf("finish as %s after %s", s.State, s.Result.Outcome)}
	}
	done, err := write(ctx, j, string(s.ID), func(t *tx) (settled, error) { return t.finish(s, now) })
	if err != nil {
		return topup.Order{}, nil, fmt.Errorf("finish %s attempt %d: %w", s.ID, s.Number, err)
	}
	return done.order, done.event, nil
}

func tidy(s topup.Settlement, now time.Time) topup.Settlement {
	r := &s.Result
	known := []topup.Outcome{topup.OutcomeApproved, topup.OutcomeDeclined, topup.OutcomeUnavailable, topup.OutcomeNotSent}
	if !slices.Contains(known, r.Outcome) {
		r.Outcome = topup.OutcomeUnknown
	}
	r.Code, r.Message, r.Error, r.Evidence = topup.Code(text(string(r.Code))), text(r.Message), text(r.Error), text(r.Evidence)
	r.TransactionID, r.Reference, r.AuthCode = text(r.TransactionID), text(r.Reference), text(r.AuthCode)
	if s.State == topup.StateRetrying && s.NextAttemptAt == nil {
		s.NextAttemptAt = &now
	}
	s.NextAttemptAt = wholeOrNil(s.NextAttemptAt)
	return s
}

// coherent is the last line against a wrong word about money: succeeded means that it moved, failed
// that it did not.
func coherent(s topup.Settlement) bool {
	approved := s.Result.Outcome == topup.OutcomeApproved
	if !topup.Allowed(topup.StateSubmitting, s.State, "finish") || (s.NextAttemptAt != nil) != (s.State == topup.StateRetrying) {
		return false
	}
	switch s.State {
	case topup.StateSucceeded:
		return approved && s.Reason == ""
	case topup.StateFailed:
		return !approved && s.Result.Outcome != topup.OutcomeUnknown && s.Reason != ""
	default:
		return !approved && s.Reason == ""
	}
}

// finish writes the attempt first: its result is evidence, whatever has become of the order. The usual case, in
// which the attempt is under way, is one statement where it can be.
func (t *tx) finish(s topup.Settlement, now time.Time) (settled, error) {
	if t.bulk {
		r, found, err := t.order(sqlSettle, settleArgs(s, now)...)
		if err != nil {
			return settled{}, err
		}
		if found {
			return t.changed(r, now)
		}
	}
	was, found, err := t.result(s, now)
	if err != nil || !found {
		return settled{}, errors.Join(err, lostUnless(found))
	}
	doubt := doubtOf(s)
	if was == topup.OutcomeUnknown {
		doubt--
	}
	for _, from := range origins(was, s.State) {
		r, found, err := t.order(sqlFinish, finishArgs(s, from, doubt, now)...)
		if err != nil {
			return settled{}, err
		}
		if found {
			return t.changed(r, now)
		}
	}
	return t.evidence(s, doubt)
}

// doubtOf is 1 for a result that leaves it open whether money has moved.
func doubtOf(s topup.Settlement) int {
	if s.Result.Outcome == topup.OutcomeUnknown {
		return 1
	}
	return 0
}

// origins are the states in which the result of its latest attempt moves an order to a state; was is
// the attempt's outcome until now.
func origins(was topup.Outcome, to topup.State) (from []topup.State) {
	add := func(state topup.State, by string) {
		if topup.Allowed(state, to, by) {
			from = append(from, state)
		}
	}
	if was != topup.OutcomeUnknown {
		add(topup.StateSubmitting, "finish")
		return from
	}
	add(topup.StateUnknown, "finish")
	add(topup.StateRetrying, "finish late")
	return from
}

func lostUnless(found bool) error {
	if found {
		return nil
	}
	return topup.ErrLost
}

// result writes an attempt's result, where it has none or an unknown one: which of them, it returns.
func (t *tx) result(s topup.Settlement, now time.Time) (was topup.Outcome, found bool, err error) {
	r := s.Result
	for _, was := range []topup.Outcome{"", topup.OutcomeUnknown} {
		n, err := t.exec(sqlResult, string(s.ID), s.Number, string(was), string(r.Outcome), now.UnixMicro(),
			r.HTTPStatus, string(r.Code), r.Message, r.Error, r.Evidence)
		if err != nil || n > 0 {
			return was, n > 0, err
		}
	}
	return "", false, nil
}

func finishArgs(s topup.Settlement, before topup.State, doubt int, now time.Time) []any {
	r := s.Result
	var finished *time.Time
	if s.State.Final() {
		finished = &now
	}
	balance := ""
	if r.BalanceAfter != nil {
		balance = text(r.BalanceAfter.String())
	}
	told := 0
	if topup.EventTypeOf(s.State) != "" {
		told = 1
	}
	return []any{
		string(s.ID), s.Number, string(before), string(s.State), string(s.Reason), string(r.Code), r.Message, r.TransactionID, r.Reference,
		r.AuthCode, balance, now.UnixMicro(), micros(finished), micros(s.NextAttemptAt), told, doubt,
	}
}

func settleArgs(s topup.Settlement, now time.Time) []any {
	r := s.Result
	return append(finishArgs(s, topup.StateSubmitting, doubtOf(s), now), string(r.Outcome), r.HTTPStatus, r.Error, r.Evidence)
}

// evidence ends a Finish that changes no state. An attempt that turns out approved too late to settle
// its order stays in doubt: it moved money, so the order must never be called failed by itself.
func (t *tx) evidence(s topup.Settlement, doubt int) (settled, error) {
	if s.Result.Outcome == topup.OutcomeApproved {
		doubt = 0
	}
	r, found, err := t.order(sqlDoubt, string(s.ID), doubt)
	if err != nil {
		return settled{}, err
	}
	if found && r.State == topup.StateUnknown && s.State == topup.StateUnknown && r.AttemptCount == s.Number {
		return settled{order: r.Order}, nil
	}
	return settled{}, topup.ErrLost
}
