package reference

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"recarga/topup"
)

// Resolve settles an order that is held as unknown, by what a person or a statement says.
func (j *Journal) Resolve(
	_ context.Context, id topup.ID, r topup.Resolution, now time.Time,
) (topup.Order, *topup.Event, error) {
	defer j.alone()()
	if err := r.Check(); err != nil {
		return topup.Order{}, nil, err
	}
	o, err := j.known(id)
	if err != nil {
		return topup.Order{}, nil, err
	}
	now = whole(now)
	if o.State != topup.StateUnknown {
		if o.resolvedSo(r) {
			return o.Order, nil, nil
		}
		return topup.Order{}, nil, o.refused(topup.OpResolve)
	}
	if err := o.resolvable(r, now); err != nil {
		return topup.Order{}, nil, err
	}
	o.resolutions = append(o.resolutions, decision(r, o, now))
	if r.Outcome == topup.ResolvedFailed {
		o.Reason = topup.ReasonResolved
	}
	o.sold(r.Outcome, r.TransactionID, r.Reference, r.AuthCode)
	ev := j.move(o, r.Outcome.State(), topup.OpResolve, now)
	if o.State == topup.StateRetrying {
		o.NextAttemptAt, o.EndsAt = &now, earliest(o.ExpiresAt, after(now, j.cfg.Tried))
		o.dueAt(now)
	}
	return o.Order, ev, nil
}

// sold takes the receipts that a person gave: only an order that was charged keeps those that it has.
func (o *order) sold(as topup.ResolvedAs, transaction, reference, authorisation topup.NullString) {
	if as != topup.ResolvedSucceeded {
		o.receipts("", "", "")
		return
	}
	if transaction != "" {
		o.TransactionID = text(transaction)
	}
	if reference != "" {
		o.Reference = text(reference)
	}
	if authorisation != "" {
		o.AuthCode = text(authorisation)
	}
}

// decision is a resolution as it is kept.
func decision(r topup.Resolution, o *order, now time.Time) topup.Resolution {
	r.Reason, r.By, r.At, r.Attempt = text(r.Reason), text(r.By), now, o.AttemptCount
	r.TransactionID, r.Reference, r.AuthCode = text(r.TransactionID), text(r.Reference), text(r.AuthCode)
	return r
}

// resolvedSo reports whether the order's last resolution is this very one.
func (o *order) resolvedSo(r topup.Resolution) bool {
	n := len(o.resolutions)
	if n == 0 {
		return false
	}
	last := o.resolutions[n-1]
	again := decision(r, o, last.At)
	again.Attempt = last.Attempt
	return again == last
}

// resolvable refuses what could be overtaken by the truth, and what is about another attempt.
func (o *order) resolvable(r topup.Resolution, now time.Time) error {
	switch {
	case r.Attempt != 0 && r.Attempt != o.AttemptCount:
		return &topup.MovedOnError{ID: o.ID, Attempt: r.Attempt, Latest: o.AttemptCount}
	case r.Outcome == topup.ResolvedResend && o.expired(now):
		return &topup.FieldError{Field: "outcome", Value: string(r.Outcome), Allowed: "another: the order has expired"}
	case r.Outcome == topup.ResolvedSucceeded || r.Forced:
		return nil
	}
	var until time.Time
	for _, a := range o.attempts {
		if a.deadline.After(until) {
			until = a.deadline
		}
	}
	if now.Before(until) {
		return &topup.TooEarlyError{ID: o.ID, Until: until}
	}
	return nil
}

// Hold makes an order unknown that waits to be sent, though a statement charges it.
func (j *Journal) Hold(
	_ context.Context, id topup.ID, h topup.Hold, now time.Time,
) (topup.Order, *topup.Event, error) {
	defer j.alone()()
	if err := h.Check(); err != nil {
		return topup.Order{}, nil, err
	}
	o, err := j.known(id)
	if err != nil {
		return topup.Order{}, nil, err
	}
	now = whole(now)
	word := topup.Resolution{Outcome: topup.ResolvedHeld, Reason: h.Evidence, By: h.By}
	switch {
	case o.State == topup.StateUnknown && o.resolvedSo(word):
		return o.Order, nil, nil
	case !o.waits():
		return topup.Order{}, nil, o.refused(topup.OpHold)
	}
	o.resolutions = append(o.resolutions, decision(word, o, now))
	ev := j.move(o, topup.StateUnknown, topup.OpHold, now)
	o.held = true
	return o.Order, ev, nil
}

// HoldBack keeps an order that waits from being bought.
func (j *Journal) HoldBack(_ context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	defer j.alone()()
	o, err := j.known(id)
	switch {
	case err != nil:
		return topup.Order{}, err
	case !o.waits():
		return topup.Order{}, o.refused(topup.OpHoldBack)
	case !o.heldBack():
		o.WaitsFor, o.Released, o.UpdatedAt, o.due = topup.NullString(topup.WaitOperator), false, whole(now), o.EndsAt
	}
	return o.Order, nil
}

// LetGo has an order bought again that was held back.
func (j *Journal) LetGo(_ context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	defer j.alone()()
	o, err := j.known(id)
	switch {
	case err != nil:
		return topup.Order{}, err
	case !o.waits():
		return topup.Order{}, o.refused(topup.OpLetGo)
	case o.heldBack():
		now = whole(now)
		o.WaitsFor, o.UpdatedAt = "", now
		o.dueAt(*cmp.Or(o.NextAttemptAt, o.ProcessAt, &now))
	}
	return o.Order, nil
}

// Correct changes a final state that was wrong, by a person's word, and ends the order's dispute.
func (j *Journal) Correct(
	_ context.Context, id topup.ID, c topup.Correction, now time.Time,
) (topup.Order, *topup.Event, error) {
	defer j.alone()()
	if err := c.Check(); err != nil {
		return topup.Order{}, nil, err
	}
	o, err := j.known(id)
	if err != nil {
		return topup.Order{}, nil, err
	}
	c.At, c.Was, c.WasTransactionID = whole(now), o.State, o.TransactionID
	c.Reason, c.By = text(c.Reason), text(c.By)
	c.TransactionID, c.Reference, c.AuthCode = text(c.TransactionID), text(c.Reference), text(c.AuthCode)
	if !topup.Allowed(o.State, c.Outcome.State(), topup.OpCorrect) {
		if n := len(o.corrections); n > 0 {
			again, last := c, o.corrections[n-1]
			if again.At, again.Was, again.WasTransactionID = last.At, last.Was, last.WasTransactionID; again == last {
				return o.Order, nil, nil
			}
		}
		return topup.Order{}, nil, o.refused(topup.OpCorrect)
	}
	o.corrections = append(o.corrections, c)
	o.State, o.Reason, o.UpdatedAt = c.Outcome.State(), "", c.At
	if o.State == topup.StateFailed {
		o.Reason = topup.ReasonResolved
	}
	o.sold(c.Outcome, c.TransactionID, c.Reference, c.AuthCode)
	o.endDispute(topup.DisputeCorrected, c.Reason, c.By, c.At)
	return o.Order, j.notify(o, topup.EventCorrected, c.At), nil
}

// Dispute marks a final order as disputed by evidence that contradicts its state, which it keeps.
func (j *Journal) Dispute(_ context.Context, id topup.ID, d topup.Dispute, now time.Time) (topup.Order, error) {
	defer j.alone()()
	o, err := j.known(id)
	switch {
	case err != nil:
		return topup.Order{}, err
	case !o.State.Final():
		return topup.Order{}, o.refused(topup.OpDispute)
	}
	o.dispute(d.Evidence, d.RaisedBy, whole(now))
	return o.Order, nil
}

// dispute takes evidence that was not brought before.
func (o *order) dispute(evidence, raisedBy string, now time.Time) {
	evidence = text(evidence)
	said := slices.ContainsFunc(o.disputes, func(d topup.Dispute) bool { return strings.Contains(d.Evidence, evidence) })
	if said || strings.TrimSpace(evidence) == "" {
		return
	}
	if o.DisputedAt == nil {
		o.DisputedAt, o.UpdatedAt = &now, now
		o.disputes = append(o.disputes, topup.Dispute{Since: now, Evidence: evidence, RaisedBy: text(raisedBy)})
		return
	}
	if open := &o.disputes[len(o.disputes)-1]; utf8.RuneCountInString(open.Evidence) < maxDispute {
		open.Evidence += "; " + evidence
	}
}

func (o *order) endDispute(as topup.DisputeEnd, reason, by string, now time.Time) {
	if o.DisputedAt == nil {
		return
	}
	open := &o.disputes[len(o.disputes)-1]
	open.EndedAt, open.Outcome, open.Reason, open.EndedBy = &now, as, text(reason), text(by)
	o.DisputedAt, o.UpdatedAt = nil, now
}

// Uphold ends an order's dispute: a person says that its state is right.
func (j *Journal) Uphold(_ context.Context, id topup.ID, u topup.Upholding, now time.Time) (topup.Order, error) {
	defer j.alone()()
	if err := u.Check(); err != nil {
		return topup.Order{}, err
	}
	o, err := j.known(id)
	if err != nil {
		return topup.Order{}, err
	}
	before := slices.ContainsFunc(o.disputes, func(d topup.Dispute) bool {
		return d.Outcome == u.Outcome && d.Reason == text(u.Reason) && d.EndedBy == text(u.By)
	})
	if o.DisputedAt == nil && !before {
		return topup.Order{}, topup.ErrNotDisputed
	}
	o.endDispute(u.Outcome, u.Reason, u.By, whole(now))
	return o.Order, nil
}
