package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"recarga/internal/journal/commit"
	"recarga/topup"
)

// Nothing is sent once the order's time is over. That time is counted from the first attempt, and $5 is when it is
// over for an order that has its first one now. PostgreSQL records the attempt in the same statement.
var (
	sqlBegin      = sqls.Engines("begin")
	sqlBeginFirst = sqls.Engines("begin_first")
	sqlAttempt    = sqls.Get("sqlite/attempt")
)

// sqlOwn finds the order whose attempt under way was begun by one call of Begin.
var sqlOwn = sqls.Get("own_attempt")

// Begin records that the next attempt is under way, for an order that is queued or retrying, has had exactly the
// given number of attempts, and whose time is not over; otherwise it returns topup.ErrLost, and nothing may be sent.
// It is durable before it returns. After deadline anybody may call the attempt's outcome unknown.
//
// An attempt is not wasted on a commit whose answer was lost: it is recognised where it had happened.
func (j *Journal) Begin(ctx context.Context, id topup.ID, attempts int, worker string, deadline,
	now time.Time) (topup.Order, error) {
	return j.begin(ctx, sqlBegin.SQLite, id, attempts, worker, deadline, now)
}

// BeginFirst is Begin for an order that has had no attempt, is due and has not expired: whoever is woken
// for a new order need not read it first. It is topup.ErrLost for any other.
func (j *Journal) BeginFirst(ctx context.Context, id topup.ID, worker string, deadline,
	now time.Time) (topup.Order, error) {
	return j.begin(ctx, sqlBeginFirst.SQLite, id, 0, worker, deadline, now)
}

func (j *Journal) begin(ctx context.Context, query string, id topup.ID, attempts int, worker string, deadline,
	now time.Time) (topup.Order, error) {
	now, deadline = whole(now), whole(deadline)
	nonce, endsAt := rand.Int64(), j.limits.afterFirst(now)
	args := []any{string(id), attempts, now.UnixMicro(), deadline.UnixMicro(), endsAt, worker, nonce}
	usual := func(out *record) *commit.Step {
		return &commit.Step{Statement: oneOrder(out, query, args...), Missed: lost}
	}
	r, err := writeUsual(ctx, j, string(id), usual, func(t *tx) (record, error) {
		r, found, err := t.order(query, args...)
		switch {
		case err != nil:
			return r, err
		case !found:
			return t.own(id, attempts+1, worker, nonce)
		case t.Bulk(): // which has recorded the attempt as well
			return r, nil
		}
		_, err = t.Exec(sqlAttempt, r.key, r.AttemptCount, worker, nonce, now.UnixMicro(), deadline.UnixMicro())
		return r, err
	})
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
var sqlResult = sqls.Get("result")

// Neither forgets a doubt: an order is not failed while one of its attempts is in doubt, but unknown. $16 is what the
// result adds to the doubts.
//
// An order that is unknown and stays so has changed in nothing that its caller must be notified of. One that a
// statement holds is settled by an approval alone: that its latest attempt moved no money is what the statement
// denies.
var sqlFinish = sqls.Get("finish")

// sqlFinishLate is for an approval, of whichever attempt. It takes the arguments of sqlFinish, with no state ("")
// before.
var sqlFinishLate = sqls.Get("finish_late")

// sqlDoubt is for a result that changes no state. The doubts of a final order are a person's word.
var sqlDoubt = sqls.Get("doubt")

// sqlCleared ends an order that was held only for the doubt about an earlier attempt, which is gone.
var sqlCleared = sqls.Get("cleared")

// settled is an order after a change, and the event for the caller, if there is one.
type settled struct {
	order topup.Order
	event *topup.Event
}

// Finish records the result of an attempt and the state that follows from it, with the event where the
// caller must be notified; in one transaction. The order's state may be another one than the settlement's:
//   - While an attempt is in doubt, failed becomes, or stays, unknown.
//   - An approval of any attempt makes an order succeeded that is not final. One that is failed or canceled is
//     disputed, and so is one that succeeded by another purchase: it may be charged twice.
//   - An order that is unknown for an earlier attempt alone fails when that is known to have moved no money.
//
// Otherwise the attempt must be the order's latest, and under way or unknown. A result that leaves the order as it is
// only adds evidence, and no event: without an error for the latest attempt of an unknown order, and else
// topup.ErrLost.
//
// After ErrInDoubt, the same Finish once more returns what the first one wrote, if it did.
//
// A *topup.TransitionError is a settlement that contradicts its own result.
func (j *Journal) Finish(ctx context.Context, s topup.Settlement, now time.Time) (topup.Order, *topup.Event, error) {
	s, now = tidy(s, now), whole(now)
	if !coherent(s) {
		refused := &topup.TransitionError{ID: s.ID, From: topup.StateSubmitting, By: topup.OpFinish}
		return topup.Order{}, nil, fmt.Errorf("as %s after %s: %w", s.State, s.Result.Outcome, refused)
	}
	done, err := j.finishing(ctx, s, now)
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
	r.Code, r.Message = topup.Code(text(string(r.Code))), text(r.Message)
	r.Error, r.Evidence = text(r.Error), text(r.Evidence)
	r.TransactionID, r.Reference, r.AuthCode = text(r.TransactionID), text(r.Reference), text(r.AuthCode)
	if s.State == topup.StateRetrying && s.NextAttemptAt == nil {
		s.NextAttemptAt = &now
	}
	s.NextAttemptAt = wholeOrNil(s.NextAttemptAt)
	return s
}

// coherent is the last line against a wrong word about money: succeeded means that it moved, failed that it did not,
// unknown that nobody knows.
func coherent(s topup.Settlement) bool {
	approved := s.Result.Outcome == topup.OutcomeApproved
	if !topup.Allowed(topup.StateSubmitting, s.State, topup.OpFinish) ||
		(s.NextAttemptAt != nil) != (s.State == topup.StateRetrying) {
		return false
	}
	switch s.State {
	case topup.StateSucceeded:
		return approved && s.Reason == ""
	case topup.StateFailed:
		return !approved && s.Result.Outcome != topup.OutcomeUnknown && s.Reason != ""
	case topup.StateUnknown:
		return s.Result.Outcome == topup.OutcomeUnknown && s.Reason == ""
	default:
		return !approved && s.Reason == ""
	}
}

// finish writes the attempt first: its result is evidence, whatever has become of the order. See settle for
// the usual case.
func (t *tx) finish(s topup.Settlement, now time.Time) (settled, error) {
	was, found, err := t.result(s, now)
	if err != nil || !found {
		return settled{}, errors.Join(err, lostUnless(found))
	}
	doubt, before := doubtOf(s), topup.StateSubmitting
	if was == topup.OutcomeUnknown {
		doubt, before = doubt-1, topup.StateUnknown
	}
	if was == topup.OutcomeUnknown && s.Result.Outcome == topup.OutcomeUnknown {
		return t.evidence(s, doubt, now)
	}
	r, found, err := t.order(sqlFinish, finishArgs(s, before, doubt, now)...)
	if err == nil && !found && s.State == topup.StateSucceeded {
		r, found, err = t.order(sqlFinishLate, finishArgs(s, "", doubt, now)...)
	}
	switch {
	case err != nil:
		return settled{}, err
	case found:
		return t.changed(r, now)
	}
	return t.evidence(s, doubt, now)
}

// doubtOf is 1 for a result that leaves it open whether money has moved.
func doubtOf(s topup.Settlement) int {
	if s.Result.Outcome == topup.OutcomeUnknown {
		return 1
	}
	return 0
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
		n, err := t.Exec(sqlResult, string(s.ID), s.Number, string(was), string(r.Outcome), now.UnixMicro(),
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
	notified := 0
	if topup.EventTypeOf(s.State) != "" {
		notified = 1
	}
	return []any{
		string(s.ID), s.Number, string(before), string(s.State), string(s.Reason), string(r.Code), r.Message,
		r.TransactionID, r.Reference, r.AuthCode, balance, now.UnixMicro(), micros(finished), micros(s.NextAttemptAt),
		notified, doubt,
	}
}

// settle is the usual way of finish: the attempt is under way, and one statement records its result and moves the
// order.
func (j *Journal) settle(out *settled, s topup.Settlement, now time.Time) *commit.Step {
	r := new(record)
	then := func(c *commit.Tx) (*commit.Step, error) {
		t := &tx{Tx: c, grace: j.grace}
		t.count(r.State)
		*out = settled{order: r.Order}
		kind := topup.EventTypeOf(r.State)
		if kind == "" {
			return nil, nil
		}
		ev, insert, err := t.announcement(*r, kind, now)
		out.event = ev
		return &commit.Step{Statement: insert}, err
	}
	return &commit.Step{Statement: oneOrder(r, sqlSettle, settleArgs(s, now)...), Then: then}
}

func settleArgs(s topup.Settlement, now time.Time) []any {
	r := s.Result
	return append(finishArgs(s, topup.StateSubmitting, doubtOf(s), now), string(r.Outcome), r.HTTPStatus, r.Error,
		r.Evidence)
}

// evidence ends a Finish that leaves the order's state as it is, or shows that it is wrong, or that what it was held
// for is over.
func (t *tx) evidence(s topup.Settlement, doubt int, now time.Time) (settled, error) {
	r, found, err := t.order(sqlDoubt, string(s.ID), doubt)
	switch {
	case err != nil:
		return settled{}, err
	case !found:
		return settled{}, topup.ErrLost
	case s.Result.Outcome == topup.OutcomeApproved:
		return settled{}, cmp.Or(t.approvedLate(r, s, now), topup.ErrLost)
	}
	cleared, found, err := t.order(sqlCleared, string(s.ID), now.UnixMicro())
	switch {
	case err != nil:
		return settled{}, err
	case found:
		return t.changed(cleared, now)
	case r.State == topup.StateUnknown && r.AttemptCount == s.Number:
		return settled{order: r.Order}, nil
	}
	return settled{}, topup.ErrLost
}

var sqlOtherApprovals = sqls.Get("other_approvals")

// approvedLate disputes a final order by an approval that contradicts it: one that is not succeeded, or that succeeded
// by another purchase.
func (t *tx) approvedLate(r record, s topup.Settlement, now time.Time) error {
	evidence := fmt.Sprintf("attempt %d was approved: %s", s.Number,
		receipts(s.Result.TransactionID, s.Result.Reference, s.Result.AuthCode))
	if r.State == topup.StateSucceeded {
		others, err := t.number(sqlOtherApprovals, r.key, s.Number)
		if err != nil || samePurchase(r.Order, s.Result, others > 0) {
			return err
		}
		evidence += fmt.Sprintf("; the order had succeeded with %s, and may be charged twice",
			receipts(string(r.TransactionID), string(r.Reference), string(r.AuthCode)))
	}
	_, err := t.dispute(r, evidence, "a late answer of the distributor", now)
	return err
}

func receipts(transaction, reference, authorisation string) string {
	return fmt.Sprintf("transaction %q, reference %q, authorisation %q", transaction, reference, authorisation)
}

// samePurchase compares the receipts of an order that succeeded with an approval. Where they have none in common, it
// is the same unless another attempt was approved: a person or a statement had known of it before its answer came.
func samePurchase(o topup.Order, r topup.Result, another bool) bool {
	same := !another
	for _, pair := range [][2]string{
		{string(o.TransactionID), r.TransactionID}, {string(o.Reference), r.Reference}, {string(o.AuthCode), r.AuthCode},
	} {
		switch {
		case pair[0] == "" || pair[1] == "":
		case pair[0] != pair[1]:
			return false
		default:
			same = true
		}
	}
	return same
}
