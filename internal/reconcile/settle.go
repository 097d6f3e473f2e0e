package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/internal/clip"
	"recarga/internal/journal/search"
	"recarga/topup"
)

// decided says and does what waited until the whole statement was known: orders that are found, and final orders
// that it contradicts.
func (j *job) decided(ctx context.Context) error {
	return each(ctx, j.stage, sqls.Get("later"), scanLater, func(p pendingFinding) error {
		if p.Settle != nil || p.Lost != nil {
			return j.found(ctx, p)
		}
		return j.dispute(ctx, p)
	})
}

// found settles an order that the statement charges, unless the statement, or its charge, cannot be relied on.
func (j *job) found(ctx context.Context, p pendingFinding) error {
	why, err := j.distrust(), error(nil)
	if why == "" && p.Lost != nil {
		why, err = j.foreign(ctx)
	}
	if why == "" && err == nil {
		why, err = j.others(ctx, p)
	}
	if err != nil {
		return err
	}
	if why != "" {
		return j.report(held(p.Finding, why))
	}
	return j.settle(ctx, p)
}

// others says whose else a charge may be; empty where it is the finding's order's.
func (j *job) others(ctx context.Context, p pendingFinding) (string, error) {
	since, until := p.Order.From.Add(-2*j.comparison.slop), p.Order.Until.Add(2*j.comparison.slop)
	if p.Finding.StatementTime == nil {
		since, until = time.Time{}, time.Now()
	}
	other, err := j.stage.contested(ctx, p.Order, since, until)
	if other != "" {
		other = "the charge may be that of " + other
	}
	return other, err
}

// held is a finding of an order that stays unknown, or that a restored book still does not know.
func held(f Finding, why string) Finding {
	if f.Class == Restored {
		f.Class, f.Outcome, f.Amount = MissingHere, "", nil
		f.Detail += "; not recorded: " + why
		return f
	}
	f.Class, f.Outcome = UnknownHeld, ""
	f.Detail += "; held: " + why
	return f
}

// settle settles an unknown order, or records a lost one, and says of it. What cannot be settled now is held.
func (j *job) settle(ctx context.Context, p pendingFinding) error {
	f, outcome := p.Finding, topup.ResolvedRestored
	if p.Settle != nil {
		outcome = p.Settle.Outcome
	}
	if j.s.opts.DryRun {
		j.settled(outcome, f)
		return j.report(f)
	}
	switch err := j.apply(ctx, p); {
	case err == nil:
		f.Settled = true
		j.settled(outcome, f)
	case refused(err):
		f = held(f, "not settled: "+oneLine(err))
	default:
		return err
	}
	return j.report(f)
}

func (j *job) apply(ctx context.Context, p pendingFinding) (err error) {
	if p.Lost != nil {
		c := *p.Lost
		c.By, c.Evidence = j.s.opts.By, clip.Characters(c.Evidence, topup.MaxReason)
		_, err = j.r.orders.Restore(ctx, c)
		return err
	}
	r := *p.Settle
	r.By, r.Reason = j.s.opts.By, clip.Characters(r.Reason, topup.MaxReason)
	_, err = j.r.orders.Resolve(ctx, topup.ID(p.Finding.ID), r)
	return err
}

// refused distinguishes an order that is not as it was read from a book that cannot be written.
func refused(err error) bool {
	var transition *topup.TransitionError
	var early *topup.TooEarlyError
	return errors.As(err, &transition) || errors.As(err, &early) || errors.Is(err, topup.ErrLost) ||
		errors.Is(err, topup.ErrNotFound) || errors.Is(err, topup.ErrConflict) ||
		errors.Is(err, topup.ErrArchived) || len(topup.FieldErrors(err)) > 0
}

// settled counts an order that was settled, or would be. One that succeeded is sold.
func (j *job) settled(outcome topup.ResolvedAs, f Finding) {
	j.sum.Settled[outcome]++
	if outcome == topup.ResolvedSucceeded || outcome == topup.ResolvedRestored {
		j.sum.Sold.Count++
		j.sum.Sold.Amount += *f.Amount
	}
}

// dispute says of a final order that the statement contradicts, and marks it.
func (j *job) dispute(ctx context.Context, p pendingFinding) error {
	f := p.Finding
	if j.s.opts.DryRun {
		return j.report(f)
	}
	why, err := j.upholds(ctx, p.Order)
	if err != nil || why != "" {
		f.Detail += "; not disputed: " + why
		return errors.Join(err, j.report(f))
	}
	raised := topup.Dispute{Evidence: p.Dispute, RaisedBy: defaultBy}
	if j.s.opts.By != defaultBy {
		raised.RaisedBy += ", run by " + j.s.opts.By
	}
	switch _, err := j.r.orders.Dispute(ctx, topup.ID(f.ID), raised); {
	case err == nil:
		f.Disputed = true
		j.sum.Disputed++
	case refused(err):
		f.Detail += "; not disputed: " + oneLine(err)
	default:
		return err
	}
	return j.report(f)
}

// upholds says why the statement cannot contradict a final order; empty where it can. That one was not charged needs
// proof, as for an order in doubt. A charge of one that we say was not charged is money: somebody must look, always.
func (j *job) upholds(ctx context.Context, o search.Standing) (why string, err error) {
	switch {
	case len(j.s.doubts) > 0:
		return notUnderstood, nil
	case o.State == topup.StateSucceeded:
		return j.silent(ctx, absence{Standing: o})
	default:
		return "", nil
	}
}

// missing says of the orders we call succeeded that the statement should have named.
func (j *job) missing(ctx context.Context) error {
	return j.absents(ctx, topup.StateSucceeded, func(a absence) error {
		if j.sum.Covers == nil || !j.sum.Covers.holds(a.From, a.Until, 0) {
			j.sum.Outside++
			return nil
		}
		if j.stage.bad <= maxBad {
			if line, err := j.stage.mention(ctx, a.ID); err != nil || line > 0 {
				return err // the bad line is a finding of its own
			}
		}
		j.sum.Sold.Count++
		j.sum.Sold.Amount += a.Amount
		detail := "no line names it, nor its transaction"
		if !j.sum.Covers.holds(a.From, a.Until, j.s.opts.Margin) {
			detail += "; it is near an end of what is covered: look in the neighbouring statement"
		}
		f := newFinding(MissingThere, group{}, &a.Standing, nil, detail)
		return j.dispute(ctx, pendingFinding{Order: a.Standing, Finding: f, Dispute: j.absentReason(f)})
	})
}

// maxCandidates bounds the charges that are offered for one order.
const maxCandidates = 10

// absent settles the unknown orders that the statement does not call charged, as the operator chose.
func (j *job) absent(ctx context.Context) error {
	return j.absents(ctx, topup.StateUnknown, func(a absence) error {
		offers, err := j.stage.candidates(ctx, a, a.From.Add(-j.comparison.slop), a.Until.Add(j.comparison.slop),
			maxCandidates)
		if err != nil {
			return err
		}
		if a.line == 0 && len(offers) == 0 &&
			(j.sum.Covers == nil || !j.sum.Covers.touches(a.From, a.Until, j.s.opts.Margin)) {
			j.sum.Outside++
			return nil
		}
		f := newFinding(UnknownHeld, group{}, &a.Standing, nil, "no line charges it")
		if a.line > 0 {
			f.Lines, f.Detail = []int64{a.line}, fmt.Sprintf("line %d says %s", a.line, a.status)
		}
		if f.Candidates = offers; len(offers) > 0 {
			f.Detail += "; " + offered(offers)
		}
		why := "absent=hold"
		switch {
		case a.Held:
			why = "another statement charges it"
		case j.s.opts.Absent != AbsentHold:
			why, err = j.silent(ctx, a)
		}
		if err != nil || why != "" {
			return errors.Join(err, j.report(held(f, why)))
		}
		f.Class, f.Outcome = UnknownAbsent, topup.NullString(j.s.opts.Absent)
		return j.settle(ctx, pendingFinding{Finding: f, Settle: &topup.Resolution{
			Outcome: topup.ResolvedAs(j.s.opts.Absent), Reason: j.absentReason(f), Attempt: a.Attempt,
		}})
	})
}

// offered names charges for a person to compare.
func offered(list []Candidate) string {
	text := "a charge of the same phone, amount and time that no order claims:"
	for i, c := range list {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" line %d", c.Line)
		if name := c.name(); name != "" {
			text += " (" + name + ")"
		}
	}
	return text
}

func (j *job) absentReason(f Finding) string {
	c := j.sum.Covers
	return fmt.Sprintf("%s covers %s..%s: %s", j.s.source(), c.From.Format(time.RFC3339), c.Until.Format(time.RFC3339),
		f.Detail)
}
