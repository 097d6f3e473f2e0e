package reference

import (
	"context"
	"fmt"
	"slices"
	"time"

	"recarga/topup"
)

// Begin records that the next attempt is under way, or returns topup.ErrLost.
func (j *Journal) Begin(
	_ context.Context, id topup.ID, attempts int, worker string, deadline, now time.Time,
) (topup.Order, error) {
	defer j.alone()()
	return j.begin(j.orders[id], attempts, worker, deadline, now)
}

// BeginFirst is Begin for an order that has had no attempt and is due.
func (j *Journal) BeginFirst(
	_ context.Context, id topup.ID, worker string, deadline, now time.Time,
) (topup.Order, error) {
	defer j.alone()()
	o := j.orders[id]
	if o == nil || o.due == nil || whole(now).Before(*o.due) {
		return topup.Order{}, topup.ErrLost
	}
	return j.begin(o, 0, worker, deadline, now)
}

func (j *Journal) begin(o *order, attempts int, worker string, deadline, now time.Time) (topup.Order, error) {
	now, deadline = whole(now), whole(deadline)
	if o == nil || !o.waits() || o.heldBack() || j.paused(o) || len(o.attempts) != attempts ||
		o.EndsAt != nil && !now.Before(*o.EndsAt) {
		return topup.Order{}, topup.ErrLost
	}
	if attempts == 0 {
		o.EndsAt = earliest(o.ExpiresAt, after(now, j.cfg.Tried))
	}
	j.move(o, topup.StateSubmitting, topup.OpBegin, now)
	o.due = &deadline
	o.AttemptCount++
	a := topup.Attempt{Number: o.AttemptCount, StartedAt: now, Probe: topup.IsProbe(worker)}
	o.attempts = append(o.attempts, attempt{a, deadline})
	return o.Order, nil
}

// Finish records the result of an attempt and what follows from it.
//
//   - An approval makes an order succeeded that is not final; one that is final is disputed, unless it is of the same
//     purchase.
//   - The result of the attempt under way, or of the latest one whose outcome was unknown, moves the order as the
//     settlement says. While an attempt is in doubt, failed is unknown, and an unknown order stays so.
//   - An unknown order is failed when its last doubt is gone.
//   - A statement that holds an order is contradicted by nothing but an approval.
//   - Any other result is evidence.
func (j *Journal) Finish(
	_ context.Context, s topup.Settlement, now time.Time,
) (topup.Order, *topup.Event, error) {
	defer j.alone()()
	now = whole(now)
	if s.Result.Outcome = known(s.Result.Outcome); !coherent(s) {
		return topup.Order{}, nil, &topup.TransitionError{ID: s.ID, From: topup.StateSubmitting, By: topup.OpFinish}
	}
	o := j.orders[s.ID]
	if o == nil || s.Number < 1 || s.Number > len(o.attempts) {
		return topup.Order{}, nil, topup.ErrLost
	}
	a, latest := &o.attempts[s.Number-1], s.Number == len(o.attempts)
	was, before := a.Outcome, topup.StateSubmitting
	if was != "" && was != topup.OutcomeUnknown {
		return topup.Order{}, nil, topup.ErrLost
	}
	a.learn(s.Result, now)
	if was == topup.OutcomeUnknown {
		before = topup.StateUnknown
	}
	moves := latest && o.State == before && !o.held && s.Result.Outcome != was
	if s.State == topup.StateFailed && o.inDoubt() {
		s.State, s.Reason = topup.StateUnknown, ""
	}
	approved := s.Result.Outcome == topup.OutcomeApproved
	var ev *topup.Event
	switch {
	case approved && o.State.Final():
		o.approvedLate(*a, s.Result, now)
		return topup.Order{}, nil, topup.ErrLost
	case approved && (!latest || o.State != before):
		ev = j.settle(o, s, topup.OpFinishLate, now)
		if underWay := &o.attempts[len(o.attempts)-1]; underWay.Outcome == "" {
			underWay.learn(topup.Result{Outcome: topup.OutcomeUnknown, Error: topup.Overtaken}, now)
		}
	case approved, moves && s.State != o.State:
		ev = j.settle(o, s, topup.OpFinish, now)
	case o.State == topup.StateUnknown && !o.held && !o.inDoubt():
		o.Reason = o.reasonAfter(now)
		ev = j.move(o, topup.StateFailed, topup.OpFinishLate, now)
	case o.State != topup.StateUnknown || !latest:
		return topup.Order{}, nil, topup.ErrLost
	}
	return o.Order, ev, nil
}

func known(o topup.Outcome) topup.Outcome {
	sure := []topup.Outcome{
		topup.OutcomeApproved, topup.OutcomeDeclined, topup.OutcomeUnavailable, topup.OutcomeNotSent,
	}
	if slices.Contains(sure, o) {
		return o
	}
	return topup.OutcomeUnknown
}

// coherent reports whether a settlement does not contradict its own result.
func coherent(s topup.Settlement) bool {
	approved, unknown := s.Result.Outcome == topup.OutcomeApproved, s.Result.Outcome == topup.OutcomeUnknown
	switch s.State {
	case topup.StateSucceeded:
		return approved && s.Reason == "" && s.NextAttemptAt == nil
	case topup.StateFailed:
		return !approved && !unknown && s.Reason != "" && s.NextAttemptAt == nil
	case topup.StateUnknown:
		return unknown && s.Reason == "" && s.NextAttemptAt == nil
	case topup.StateRetrying:
		return !approved && s.Reason == ""
	default:
		return false
	}
}

// learn adds a result to what is known of an attempt: a poorer one that comes later takes nothing away.
func (a *attempt) learn(r topup.Result, now time.Time) {
	if a.FinishedAt == nil || a.Outcome != r.Outcome {
		a.FinishedAt = &now
	}
	a.Outcome = r.Outcome
	if r.HTTPStatus != 0 {
		a.HTTPStatus = &r.HTTPStatus
	}
	if r.Code != "" {
		a.ResponseCode = text(r.Code)
	}
	if r.Message != "" {
		a.ResponseMessage = topup.NullString(text(r.Message))
	}
	a.Error = topup.NullString(added(string(a.Error), text(r.Error)))
	a.Evidence = added(a.Evidence, text(r.Evidence))
}

// settle moves an order by the result of an attempt, whose answer becomes the order's.
func (j *Journal) settle(o *order, s topup.Settlement, by topup.Operation, now time.Time) *topup.Event {
	r := s.Result
	o.Reason, o.ResponseCode, o.ResponseMessage = s.Reason, text(r.Code), topup.NullString(text(r.Message))
	o.receipts(topup.NullString(r.TransactionID), topup.NullString(r.Reference), topup.NullString(r.AuthCode))
	o.BalanceAfter = nil
	if r.BalanceAfter != nil && *r.BalanceAfter != "" {
		o.BalanceAfter = new(text(*r.BalanceAfter))
	}
	ev := j.move(o, s.State, by, now)
	if s.State == topup.StateRetrying {
		o.NextAttemptAt = new(now)
		if s.NextAttemptAt != nil {
			o.NextAttemptAt = wholeOrNil(s.NextAttemptAt)
		}
		o.dueAt(*o.NextAttemptAt)
	}
	return ev
}

// receipts are the distributor's names of the purchase from now on.
func (o *order) receipts(transaction, reference, authorisation topup.NullString) {
	o.TransactionID, o.Reference, o.AuthCode = text(transaction), text(reference), text(authorisation)
}

// reasonAfter is why an order fails that was unknown for an earlier attempt alone.
func (o *order) reasonAfter(now time.Time) topup.Reason {
	switch {
	case o.attempts[len(o.attempts)-1].Outcome == topup.OutcomeDeclined:
		return topup.ReasonDeclined
	case o.expired(now):
		return topup.ReasonExpired
	}
	return topup.ReasonRetriesExhausted
}

// approvedLate disputes a final order by an approval, unless the order succeeded by that very purchase.
func (o *order) approvedLate(a attempt, r topup.Result, now time.Time) {
	evidence := fmt.Sprintf("attempt %d was approved: transaction %q, reference %q, authorisation %q",
		a.Number, text(r.TransactionID), text(r.Reference), text(r.AuthCode))
	if o.State == topup.StateSucceeded {
		if o.samePurchase(a, r) {
			return
		}
		evidence += fmt.Sprintf("; the order had succeeded with transaction %q, reference %q, authorisation %q, and may be "+
			"charged twice", o.TransactionID, o.Reference, o.AuthCode)
	}
	o.dispute(evidence, "a late answer of the distributor", now)
}

// samePurchase compares receipts: one that differs is another purchase. Where there is none in common, it is the same
// unless another attempt was approved.
func (o *order) samePurchase(a attempt, r topup.Result) bool {
	common := 0
	for _, pair := range [][2]string{
		{string(o.TransactionID), text(r.TransactionID)}, {string(o.Reference), text(r.Reference)},
		{string(o.AuthCode), text(r.AuthCode)},
	} {
		if pair[0] == "" || pair[1] == "" {
			continue
		}
		if common++; pair[0] != pair[1] {
			return false
		}
	}
	return common > 0 || !slices.ContainsFunc(o.attempts, func(other attempt) bool {
		return other.Number != a.Number && other.Outcome == topup.OutcomeApproved
	})
}

// AddEvidence adds to what is known of an attempt whose outcome is unknown.
func (j *Journal) AddEvidence(_ context.Context, id topup.ID, number int, evidence string) error {
	defer j.alone()()
	o := j.orders[id]
	if o == nil || number < 1 || number > len(o.attempts) || o.attempts[number-1].Outcome != topup.OutcomeUnknown {
		return nil
	}
	a := &o.attempts[number-1]
	if a.Evidence != "" {
		a.Evidence += "; "
	}
	a.Evidence += text(evidence)
	return nil
}

// Around looks at what else moved the balance near an attempt, among orders placed up to an hour before it.
func (j *Journal) Around(
	_ context.Context, id topup.ID, number int, now time.Time,
) (s topup.Surroundings, err error) {
	defer j.alone()()
	own := j.orders[id]
	if own == nil || number < 1 || number > len(own.attempts) {
		return s, fmt.Errorf("attempt %d of order %s: %w", number, id, topup.ErrNotFound)
	}
	started := own.attempts[number-1].StartedAt
	s.BeforeAt = started
	for _, o := range j.placed {
		sold := o.State == topup.StateSucceeded && o.BalanceAfter != nil && !o.FinishedAt.After(started)
		if sold && o != own && o.near(started) && (s.Before == nil || o.FinishedAt.After(s.BeforeAt)) {
			s.Before, s.BeforeAt, s.BeforeOrder = new(*o.BalanceAfter), *o.FinishedAt, o.ID
		}
	}
	for _, o := range j.placed {
		switch {
		case o == own || !o.near(started):
		case o.State == topup.StateUnknown && o.UpdatedAt.After(s.BeforeAt):
			s.Unknown++
		case o.State == topup.StateSucceeded && o.FinishedAt.After(s.BeforeAt) && !o.FinishedAt.After(whole(now)):
			s.Succeeded++
			s.Amount += o.Amount
		}
	}
	return s, nil
}

func (o *order) near(t time.Time) bool { return o.CreatedAt.After(t.Add(-lookBack)) }
