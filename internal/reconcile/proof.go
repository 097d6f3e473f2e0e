package reconcile

import (
	"context"
	"fmt"
	"time"

	"recarga/internal/reconcile/statement"
	"recarga/topup"
)

// This file says what a statement must be like to prove anything. docs/reconcile.md says the same, under "What a
// statement proves".

// neighbours is how many orders that the distributor itself answered to have charged a statement must have before an
// order, and after it, without a gap.
const neighbours = 3

const notUnderstood = "not all of the statement is understood"

// distrust says why the statement proves nothing at all, neither by what it says nor by what it lacks; empty where it
// can.
func (j *job) distrust() string {
	against := j.contradicts
	// Else the strangers are those of somebody else with the same account, or of the time after a backup.
	if j.lacking > 0 && !j.s.opts.Restored {
		against += j.strangers
	}
	switch {
	case len(j.s.doubts) > 0:
		return notUnderstood
	case j.renamed > 0:
		return fmt.Sprintf("line %d calls an order of ours by another id: the statement's ids cannot be relied on",
			j.renamed)
	case j.wrong > j.right:
		return "the statement's times are not those of our attempts"
	case against > j.supports:
		return fmt.Sprintf("the statement contradicts more than it confirms of what we know: %d to %d", against, j.supports)
	}
	return ""
}

// incomplete says why the statement proves nothing by what it lacks; empty where it can. but is an order that does not
// count.
func (j *job) incomplete(but absence) string {
	lacking := j.lacking
	if but.State == topup.StateSucceeded {
		lacking--
	}
	switch why := j.distrust(); {
	case why != "":
		return why
	case !j.s.layout.Has(statement.ColumnID):
		return "the statement has no column of our ids"
	case lacking > 0:
		return fmt.Sprintf("the statement is not complete: it lacks or denies %d orders that succeeded, such as %s", lacking,
			j.lack)
	}
	return ""
}

// silent says why it proves nothing that the statement has no charge of an order; empty where it proves that there is
// none.
func (j *job) silent(ctx context.Context, a absence) (why string, err error) {
	if why = j.incomplete(a); why != "" {
		return why, nil
	}
	if j.sum.Covers == nil || a.Attempts == 0 || !j.sum.Covers.holds(a.From, a.Until, j.s.opts.Margin) {
		return fmt.Sprintf("its attempts, from %s to %s, are not covered with the margin", a.From.Format(time.RFC3339),
			a.Until.Format(time.RFC3339)), nil
	}
	if why, err = j.unread(ctx, a); err != nil || why != "" {
		return why, err
	}
	return j.surrounded(ctx, a)
}

// unread is a line that cannot be read: it may be a charge of anybody.
func (j *job) unread(ctx context.Context, a absence) (string, error) {
	if j.stage.bad == 0 {
		return "", nil
	}
	if j.stage.bad <= maxBad {
		if line, err := j.stage.mention(ctx, a.ID); err != nil || line > 0 {
			return fmt.Sprintf("line %d, which cannot be read, has its id", line), err
		}
	}
	return fmt.Sprintf("what cannot be read may be its charge: %d lines", j.stage.bad), nil
}

// surrounded looks at what the statement says of the time around an order.
func (j *job) surrounded(ctx context.Context, a absence) (string, error) {
	from, until := a.From.Add(-j.comparison.slop), a.Until.Add(j.comparison.slop)
	first, shortest, enough, err := j.stage.neighbour(ctx, true, from, neighbours, a.ID)
	if err != nil || !enough {
		return fmt.Sprintf("fewer than %d orders that the distributor approved lie before it", neighbours), err
	}
	last, shortestAfter, enough, err := j.stage.neighbour(ctx, false, until, neighbours, a.ID)
	if err != nil || !enough {
		return fmt.Sprintf("fewer than %d orders that the distributor approved lie after it", neighbours), err
	}
	gap, err := j.stage.gap(ctx, first, last, a.ID)
	if err != nil || gap != "" {
		return fmt.Sprintf("the statement does not charge %s, of about that time, as we know it", gap), err
	}
	// The neighbours show the statement's clock only as exactly as we know when they were charged.
	wide := min(shortest, shortestAfter)
	line, err := j.stage.stray(ctx, a, from.Add(-wide), until.Add(wide))
	if err != nil || line > 0 {
		return fmt.Sprintf("line %d, a charge that no order claims, may be its charge", line), err
	}
	return "", nil
}

// cover decides in which time absence means something.
func (j *job) cover(ctx context.Context) error {
	j.sum.Covers = j.s.opts.Covers
	if j.sum.Covers == nil && j.right > 0 && j.early.Before(j.late) {
		j.sum.Covers = &Period{From: j.early.UTC(), Until: j.late.UTC()}
	}
	if j.sum.Covers == nil {
		j.note("no time is covered: no two charges have the times of our attempts; orders that no line names are not " +
			"looked at, unless covers is given")
	}
	if j.wrong > 0 {
		j.note(fmt.Sprintf("%d of %d charges have another time than our attempts, by more than the margin: are timezone "+
			"and dates right?", j.wrong, j.wrong+j.right))
	}
	if !j.matched && j.stage.lines > 0 && j.s.layout.Has(statement.ColumnID) {
		j.note("no line is of an order of ours" + j.s.idColumns())
	}
	// Is a decision to be made: is there an order that is unknown, or that the statement contradicts?
	if some, err := one[int64](ctx, j.stage, sqls.Get("undecided")); err != nil || some == 0 {
		return err
	}
	err := j.stage.exec(ctx, sqls.Get("add_lacking")) // of the succeeded orders, those that no line names
	if err != nil || j.sum.Covers == nil {
		return err
	}
	j.lacking, j.lack, err = j.stage.lacking(ctx, *j.sum.Covers)
	return err
}
