package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"recarga/internal/journal/search"
	"recarga/internal/reconcile/statement"
	"recarga/topup"
)

// afterBackup is an open order as it must be compared: of any time from its first attempt on, or from when it was
// placed, an attempt may be lost.
func (j comparison) afterBackup(o *search.Standing) *search.Standing {
	if !j.restored {
		return o
	}
	then := *o
	if then.Attempts == 0 {
		then.Attempts, then.From = 1, o.Placed()
	}
	then.Until = j.now
	return &then
}

// beforeBackup reports whether all charges of an order were certainly made before the backup: as far as its time is
// known, and the clocks agree.
func (j comparison) beforeBackup(a account) bool {
	return !j.since.IsZero() && !slices.ContainsFunc(slices.Concat(a.charges, a.repeats), func(c statement.Line) bool {
		return c.At.IsZero() || !c.At.Last().Add(j.slop).Before(j.since)
	})
}

// takeLost has a charge of an order that is not known recorded, if it says all that must be known of one, and does not
// contradict itself. f names it.
func (v *decision) takeLost(g group, a account, f Finding, source string) {
	f.Class, f.Outcome = Restored, topup.NullString(topup.ResolvedRestored)
	if why := unfit(g, a); why != "" {
		v.add(held(f, why))
		return
	}
	c := slices.MinFunc(a.charges, func(a, b statement.Line) int { return a.At.At.Compare(b.At.At) })
	lost := topup.LostCharge{
		ID: topup.ID(g.id), Phone: topup.Phone(c.Phone), Amount: *c.Amount, From: c.At.At.UTC(), Until: c.At.Last().UTC(),
		TransactionID: topup.NullString(c.Transaction), Reference: topup.NullString(c.Reference),
		AuthCode: topup.NullString(c.AuthCode), Evidence: fmt.Sprintf("%s, line %d: charged", source, c.Number),
	}
	f.Amount, f.Detail = c.Amount, fmt.Sprintf("line %d: charged, and not in the book", c.Number)
	v.later = append(v.later, pendingFinding{Finding: f, Lost: &lost, Order: search.Standing{
		ID: lost.ID, Phone: lost.Phone, Amount: lost.Amount, From: lost.From, Until: lost.Until,
	}})
	v.addDuplicates(g, a, nil)
}

// unfit says why the lines of an order that is not known are no order; empty where they are.
func unfit(g group, a account) string {
	first := a.charges[0]
	for _, c := range slices.Concat(a.charges, a.repeats) {
		switch {
		case c.Phone == "" || c.Amount == nil || c.At.IsZero():
			return fmt.Sprintf("line %d does not say its phone, its amount in %s and its time", c.Number, topup.Currency)
		case c.Phone != first.Phone || *c.Amount != *first.Amount:
			return fmt.Sprintf("lines %d and %d have different phones or amounts", first.Number, c.Number)
		}
	}
	unclear := slices.Concat(a.unreadable, a.pending, a.reversals)
	_, err := topup.ParseID(g.id)
	switch {
	case err != nil:
		return "its id is none that an order can have"
	case g.over:
		return fmt.Sprintf("the statement has more than %d lines of it", maxGroup)
	case len(unclear) > 0:
		return said(unclear)
	}
	return ""
}

// foreign says why the statement may be of other ids than ours. One that begins before the backup has orders of ours.
func (j *job) foreign(ctx context.Context) (string, error) {
	if j.matched {
		return "", nil
	}
	for _, err := range j.r.book.Sold(ctx, time.Unix(0, 0), time.Now()) {
		return "no line is of an order of ours: the statement must begin before the backup, and have our ids", err
	}
	return "", nil
}
