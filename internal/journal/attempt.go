package journal

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"recarga/internal/journal/commit"
	"recarga/internal/journal/tables"
	"recarga/internal/sqlfile"
	"recarga/topup"
)

// Begin records that the next attempt is under way, for an order that is queued or retrying, has had exactly the
// given number of attempts, and whose time is not over; otherwise it returns topup.ErrLost, and nothing may be sent.
// It is durable before it returns. After deadline anybody may call the attempt's outcome unknown.
//
// An attempt is not wasted on a commit whose answer was lost: it is recognised where it had happened.
func (j *Journal) Begin(ctx context.Context, id topup.ID, attempts int, worker string, deadline,
	now time.Time) (topup.Order, error) {
	return j.begin(ctx, id, attempts, false, worker, deadline, now)
}

// BeginFirst is Begin for an order that has had no attempt, is due and has not expired: whoever is woken
// for a new order need not read it first. It is topup.ErrLost for any other.
func (j *Journal) BeginFirst(ctx context.Context, id topup.ID, worker string, deadline,
	now time.Time) (topup.Order, error) {
	return j.begin(ctx, id, 0, true, worker, deadline, now)
}

func (j *Journal) begin(ctx context.Context, id topup.ID, attempts int, ifDue bool, worker string, deadline,
	now time.Time) (topup.Order, error) {
	now, deadline = tables.Whole(now), tables.Whole(deadline)
	nonce, endsAt := rand.Int64(), j.limits.afterFirst(now)
	r, err := writeUsual(ctx, j, id, func(out *tables.Record) *commit.Step {
		s := &commit.Step{Missed: lost, Statement: commit.Batched(sqls.Engines("begin"), tables.OrderInto(out), string(id),
			attempts, now.UnixMicro(), deadline.UnixMicro(), endsAt, worker, nonce, ifDue)}
		if !j.db.IsPostgres() { // which records the attempt in the same statement
			s.Then = func(*commit.Tx) (*commit.Step, error) {
				return &commit.Step{Statement: commit.Change(sqls.Get("sqlite/attempt"), out.Key, out.AttemptCount, worker,
					nonce, now.UnixMicro(), deadline.UnixMicro())}, nil
			}
		}
		return s
	}, func(t tx) (tables.Record, error) {
		r, found, err := t.Order(sqls.Get("own_attempt"), string(id), attempts+1, worker, nonce)
		return r, lostUnless(found, err)
	})
	if err != nil {
		return topup.Order{}, fmt.Errorf("begin %s: %w", id, err)
	}
	return r.Order, nil
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
	s, now = tidy(s, now), tables.Whole(now)
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
	r.Code, r.Message = topup.Code(tables.Text(string(r.Code))), tables.Text(r.Message)
	r.Error, r.Evidence = tables.Text(r.Error), tables.Text(r.Evidence)
	r.TransactionID, r.Reference = tables.Text(r.TransactionID), tables.Text(r.Reference)
	r.AuthCode = tables.Text(r.AuthCode)
	if s.State == topup.StateRetrying && s.NextAttemptAt == nil {
		s.NextAttemptAt = &now
	}
	s.NextAttemptAt = tables.WholeOrNil(s.NextAttemptAt)
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
func (t tx) finish(s topup.Settlement, now time.Time) (settled, error) {
	was, found, err := t.result(s, now)
	if err = lostUnless(found, err); err != nil {
		return settled{}, err
	}
	doubt, before := doubtOf(s), topup.StateSubmitting
	if was == topup.OutcomeUnknown {
		doubt, before = doubt-1, topup.StateUnknown
	}
	if was == topup.OutcomeUnknown && s.Result.Outcome == topup.OutcomeUnknown {
		return t.evidence(s, doubt, now)
	}
	r, found, err := t.Order(sqls.Get("finish"), finishArgs(s, before, doubt, now)...)
	switch {
	case err != nil:
		return settled{}, err
	case found:
		if _, err := t.Exec(sqls.Get("overtaken"), r.Key, now.UnixMicro(), topup.Overtaken); err != nil {
			return settled{}, err
		}
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

// result writes an attempt's result, where it has none or an unknown one: which of them, it returns.
func (t tx) result(s topup.Settlement, now time.Time) (was topup.Outcome, found bool, err error) {
	r := s.Result
	for _, was := range []topup.Outcome{"", topup.OutcomeUnknown} {
		n, err := t.Exec(sqls.Get("result"), string(s.ID), s.Number, string(was), string(r.Outcome), now.UnixMicro(),
			r.HTTPStatus, string(r.Code), r.Message, r.Error, r.Evidence)
		if err != nil || n > 0 {
			return was, n > 0, err
		}
	}
	return "", false, nil
}

func finishArgs(s topup.Settlement, before topup.State, doubt int, now time.Time) []any {
	var finished *time.Time
	if s.State.Final() {
		finished = &now
	}
	notified := 0
	if topup.EventTypeOf(s.State) != "" {
		notified = 1
	}
	return slices.Concat([]any{string(s.ID), s.Number, string(before), string(s.State), string(s.Reason)},
		resultColumns(s.Result), []any{now.UnixMicro(), tables.Micros(finished), tables.Micros(s.NextAttemptAt), notified,
			doubt})
}

// resultColumns are what an order keeps of the result of its latest attempt.
func resultColumns(r topup.Result) []any {
	balance := ""
	if r.BalanceAfter != nil {
		balance = tables.Text(r.BalanceAfter.String())
	}
	return []any{string(r.Code), r.Message, r.TransactionID, r.Reference, r.AuthCode, balance}
}

// sqlSettle is the statements result and finish in one, for PostgreSQL and the result of an attempt that is under way.
// Nothing changes unless both do. Its arguments are those of finish, and what only the attempt keeps.
var sqlSettle = sqlfile.Engines{Postgres: sqls.Get("postgres/settle")}

// settle is the usual way of finish on PostgreSQL: the attempt is under way, and one statement records its result and
// moves the order.
func (j *Journal) settle(out *settled, s topup.Settlement, now time.Time) *commit.Step {
	r := new(tables.Record)
	args := append(finishArgs(s, topup.StateSubmitting, doubtOf(s), now), string(s.Result.Outcome), s.Result.HTTPStatus,
		s.Result.Error, s.Result.Evidence)
	then := func(c *commit.Tx) (*commit.Step, error) {
		t := tx{j.db.Tx(c)}
		t.count(r.State)
		*out = settled{order: r.Order}
		kind := topup.EventTypeOf(r.State)
		if kind == "" {
			return nil, nil
		}
		ev, insert, err := t.Announcement(*r, kind, now)
		out.event = ev
		return &commit.Step{Statement: insert}, err
	}
	return &commit.Step{Statement: commit.Batched(sqlSettle, tables.OrderInto(r), args...), Then: then}
}

// evidence ends a Finish that leaves the order's state as it is, or shows that it is wrong, or that what it was held
// for is over.
func (t tx) evidence(s topup.Settlement, doubt int, now time.Time) (settled, error) {
	r, found, err := t.Order(sqls.Get("doubt"), string(s.ID), doubt)
	if err = lostUnless(found, err); err != nil {
		return settled{}, err
	}
	if s.Result.Outcome == topup.OutcomeApproved {
		return settled{}, cmp.Or(t.approvedLate(r, s, now), topup.ErrLost)
	}
	cleared, found, err := t.Order(sqls.Get("cleared"), string(s.ID), now.UnixMicro())
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

// approvedLate disputes a final order by an approval that contradicts it: one that is not succeeded, or that succeeded
// by another purchase.
func (t tx) approvedLate(r tables.Record, s topup.Settlement, now time.Time) error {
	evidence := fmt.Sprintf("attempt %d was approved: %s", s.Number,
		receipts(s.Result.TransactionID, s.Result.Reference, s.Result.AuthCode))
	if r.State == topup.StateSucceeded {
		others, err := t.Number(sqls.Get("other_approvals"), r.Key, s.Number)
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
