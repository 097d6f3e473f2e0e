package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/internal/journal"
	"recarga/topup"
)

const (
	// pageSize is how many orders are looked up at once.
	pageSize = 500
	// progressEvery bounds how long whoever waits hears nothing.
	progressEvery = time.Second
	// slack is by how much the clocks may differ: what we looked at a day off is at most not in the statement.
	slack = 24 * time.Hour
	// maxBad is how many bad lines are searched for an order's id.
	maxBad = 10_000
	// maxMissing is how many in a hundred of the orders that we call succeeded a statement may lack, and
	// still prove something by what else it lacks.
	maxMissing = 1
)

// job is one run.
type job struct {
	r     *Reconciler
	s     *Statement
	stage *stage
	emit  func(Result) error
	sum   Summary

	differs bool
	lastly  time.Time // when progress was told last
	// named counts the succeeded orders that lines name; lacking those that none names.
	named, lacking int64
	// early and late bound the charges whose time agrees with ours; right and wrong count them all.
	early, late  time.Time
	right, wrong int64
}

func (j *job) tell(f Finding) error {
	j.sum.Findings[f.Class]++
	j.differs = j.differs || f.Differs()
	return j.emit(Result{Finding: &f})
}

func (j *job) progress(step string, done int64) error {
	if time.Since(j.lastly) < progressEvery {
		return nil
	}
	j.lastly = time.Now()
	return j.emit(Result{Progress: &Progress{Step: step, Done: done, Of: j.stage.lines}})
}

func (j *job) badLines(ctx context.Context) error {
	var after int64
	for {
		page, err := j.stage.badLines(ctx, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, b := range page {
			after = b.line
			if err := j.tell(Finding{Class: BadLine, ID: topup.NullString(b.id), Lines: []int64{b.line}, StatementTransactionIDs: []string{}, Detail: b.wrong}); err != nil {
				return err
			}
		}
	}
}

// unnamed notes the orders that no line names by its id.
func (j *job) unnamed(ctx context.Context) error {
	since, until := j.stage.first, j.stage.last
	if c := j.s.opts.Covers; c != nil && (since.IsZero() || c.From.Before(since)) {
		since = c.From
	}
	if c := j.s.opts.Covers; c != nil && c.Until.After(until) {
		until = c.Until
	}
	if since.IsZero() {
		since, until = time.Unix(0, 0).Add(slack), time.Now()
	}
	err := j.pages(ctx, func(after journal.Place) ([]journal.Standing, error) {
		return j.r.book.Sold(ctx, since.Add(-slack), until.Add(slack), after, pageSize)
	})
	if err != nil {
		return err
	}
	return j.pages(ctx, func(after journal.Place) ([]journal.Standing, error) { return j.r.book.Held(ctx, after, pageSize) })
}

func (j *job) pages(ctx context.Context, next func(journal.Place) ([]journal.Standing, error)) error {
	var after journal.Place
	for done := int64(0); ; {
		page, err := next(after)
		if err != nil || len(page) == 0 {
			return err
		}
		named, err := j.stage.named(ctx, page)
		if err != nil {
			return err
		}
		var absent []absence
		for _, o := range page {
			if !named[o.ID] {
				absent = append(absent, absence{Standing: o})
			}
		}
		if err := j.stage.addAbsent(ctx, absent); err != nil {
			return err
		}
		after, done = page[len(page)-1].After(), done+int64(len(page))
		if err := j.progress("orders", done); err != nil {
			return err
		}
	}
}

// adopt finds, for orders that no line names, the lines that have their transaction, or else their
// reference and amount. A line that names another order that we know stays with that one.
func (j *job) adopt(ctx context.Context) error {
	for _, q := range []string{sqlByTransaction, sqlByReference} {
		var after int64
		for {
			page, err := j.stage.claims(ctx, q, after, pageSize)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1].line
			if page, err = j.strangers(ctx, page); err != nil {
				return err
			}
			if err := j.stage.adopt(ctx, page); err != nil {
				return err
			}
			if err := j.progress("transactions", after); err != nil {
				return err
			}
		}
		if err := j.stage.forget(ctx); err != nil {
			return err
		}
	}
	return nil
}

// strangers are the claims of lines that name no order that we know.
func (j *job) strangers(ctx context.Context, page []claim) (kept []claim, err error) {
	var ids []topup.ID
	for _, c := range page {
		if c.given != "" {
			ids = append(ids, c.given)
		}
	}
	known, err := j.known(ctx, ids)
	for _, c := range page {
		if _, ok := known[c.given]; !ok {
			kept = append(kept, c)
		}
	}
	return kept, err
}

func (j *job) known(ctx context.Context, ids []topup.ID) (map[topup.ID]*journal.Standing, error) {
	list, err := j.r.book.Standings(ctx, ids)
	known := make(map[topup.ID]*journal.Standing, len(list))
	for i := range list {
		known[list[i].ID] = &list[i]
	}
	return known, err
}

// compare judges every order that a line names.
func (j *job) compare(ctx context.Context) error {
	var open []group
	after := line{number: -1}
	for done := int64(0); ; {
		page, err := j.stage.page(ctx, after, 2*pageSize)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return j.judge(ctx, open)
		}
		for _, l := range page {
			open = grouped(open, l)
		}
		after, done = page[len(page)-1], done+int64(len(page))
		if len(open) > pageSize {
			// The last one may go on in the next page.
			if err := j.judge(ctx, open[:len(open)-1]); err != nil {
				return err
			}
			open = append([]group(nil), open[len(open)-1])
		}
		if err := j.progress("lines", done); err != nil {
			return err
		}
	}
}

// grouped adds a line to the last group, or to a new one. Lines without an id are one each.
func grouped(groups []group, l line) []group {
	if n := len(groups); n > 0 && l.id != "" && groups[n-1].id == l.id {
		g := &groups[n-1]
		if len(g.lines) < maxNamed {
			g.lines = append(g.lines, l)
		} else {
			g.more++
		}
		return groups
	}
	return append(groups, group{id: l.id, lines: []line{l}})
}

func (j *job) judge(ctx context.Context, groups []group) error {
	var ids []topup.ID
	for _, g := range groups {
		if id, err := topup.ParseID(g.id); err == nil {
			ids = append(ids, id)
		}
	}
	known := map[topup.ID]*journal.Standing{}
	for len(ids) > 0 {
		n := min(len(ids), pageSize)
		some, err := j.known(ctx, ids[:n])
		if err != nil {
			return err
		}
		for id, o := range some {
			known[id] = o
		}
		ids = ids[n:]
	}
	var absent []absence
	var orphans []line
	for _, g := range groups {
		v := judge(g, known[topup.ID(g.id)], j.s.source(), j.s.opts.Margin)
		if err := j.take(ctx, v); err != nil {
			return err
		}
		if v.sold {
			j.sum.Sold.Count++
			j.sum.Sold.Amount += known[topup.ID(g.id)].Amount
		}
		if v.absent != nil {
			absent = append(absent, *v.absent)
		}
		orphans = append(orphans, v.orphans...)
	}
	return errors.Join(j.stage.addAbsent(ctx, absent), j.stage.addOrphans(ctx, orphans))
}

// take counts, tells and settles what was judged of one order.
func (j *job) take(ctx context.Context, v verdict) error {
	if v.matched {
		j.sum.Matched++
	}
	if v.sold {
		j.named++
	}
	for _, m := range v.agrees {
		j.right++
		if j.early.IsZero() || m.last().Before(j.early) {
			j.early = m.last()
		}
		if m.at.After(j.late) {
			j.late = m.at
		}
	}
	j.wrong += int64(len(v.differs))
	if v.settle != nil {
		if err := j.settle(ctx, *v.settle, v.found); err != nil {
			return err
		}
	}
	for _, f := range v.findings {
		if err := j.tell(f); err != nil {
			return err
		}
	}
	return nil
}

// settle settles an unknown order and tells of it. One that cannot be settled now is told as held.
func (j *job) settle(ctx context.Context, resolution topup.Resolution, f Finding) error {
	if len(j.s.doubts) > 0 {
		f.Class, f.Outcome = UnknownHeld, ""
		f.Detail += "; not settled: not all of the statement is understood"
		return j.tell(f)
	}
	if j.s.opts.DryRun {
		j.settled(resolution.Outcome, f)
		return j.tell(f)
	}
	resolution.By, resolution.Reason = j.s.opts.By, clip(resolution.Reason, topup.MaxReason)
	_, err := j.r.orders.Resolve(ctx, topup.ID(f.ID), resolution)
	var transition *topup.TransitionError
	var early *topup.TooEarlyError
	switch {
	case err == nil:
		f.Settled = true
		j.settled(resolution.Outcome, f)
	case errors.As(err, &transition), errors.As(err, &early), errors.Is(err, topup.ErrLost), errors.Is(err, topup.ErrNotFound), len(topup.FieldErrors(err)) > 0:
		f.Class, f.Outcome = UnknownHeld, ""
		f.Detail += "; not settled: " + oneLine(err)
	default:
		return err
	}
	return j.tell(f)
}

// settled counts an order that was settled, or would be. One that succeeded is sold.
func (j *job) settled(outcome topup.Verdict, f Finding) {
	j.sum.Settled[outcome]++
	if outcome == topup.VerdictSucceeded {
		j.sum.Sold.Count++
		j.sum.Sold.Amount += *f.Amount
	}
}

// clip cuts a text after so many characters.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// cover decides in which time absence means something.
func (j *job) cover(context.Context) error {
	j.sum.Covers = j.s.opts.Covers
	if j.sum.Covers == nil && j.right > 0 && j.early.Before(j.late) {
		j.sum.Covers = &Period{From: j.early.UTC(), Until: j.late.UTC()}
	}
	if j.sum.Covers == nil {
		j.note("no time is covered: no two charges have the times of our attempts; orders that no line names are not looked at, unless covers is given")
	}
	if j.wrong > 0 {
		j.note(fmt.Sprintf("%d of %d charges have another time than our attempts, by more than the margin: are timezone and dates right?", j.wrong, j.wrong+j.right))
	}
	return nil
}

func (j *job) note(text string) { j.sum.Notes = append(j.sum.Notes, text) }

// absents calls use for every order that no charge names, of a state.
func (j *job) absents(ctx context.Context, state topup.State, use func(absence) error) error {
	var after int64
	for {
		page, err := j.stage.absents(ctx, state, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, a := range page {
			after = a.n
			if err := use(a); err != nil {
				return err
			}
		}
		if err := j.progress("absent", after); err != nil {
			return err
		}
	}
}

// missing tells of the orders we call succeeded that the statement should have named.
func (j *job) missing(ctx context.Context) error {
	return j.absents(ctx, topup.StateSucceeded, func(a absence) error {
		if j.sum.Covers == nil || !j.sum.Covers.holds(a.From, a.Until, 0) {
			j.sum.Outside++
			return nil
		}
		if j.stage.bad <= maxBad {
			if line, err := j.stage.mention(ctx, a.ID); err != nil || line > 0 {
				return err // the bad line is told of
			}
		}
		j.lacking++
		j.sum.Sold.Count++
		j.sum.Sold.Amount += a.Amount
		detail := "no line names it, nor its transaction"
		if !j.sum.Covers.holds(a.From, a.Until, j.s.opts.Margin) {
			detail += "; it is near an end of what is covered: look in the neighbouring statement"
		}
		return j.tell(newFinding(MissingThere, group{}, &a.Standing, nil, detail))
	})
}

// absent settles the unknown orders that the statement does not call charged, as the operator chose.
func (j *job) absent(ctx context.Context) error {
	doubt := j.incomplete()
	return j.absents(ctx, topup.StateUnknown, func(a absence) error {
		if a.line == 0 && (j.sum.Covers == nil || !j.sum.Covers.touches(a.From, a.Until, j.s.opts.Margin)) {
			j.sum.Outside++
			return nil
		}
		f := newFinding(UnknownHeld, group{}, &a.Standing, nil, "no line charges it")
		if a.line > 0 {
			f.Lines, f.Detail = []int64{a.line}, fmt.Sprintf("line %d says %s", a.line, a.status)
		}
		why, err := j.whyHold(ctx, a, doubt)
		if err != nil {
			return err
		}
		if why != "" {
			f.Detail += "; held: " + why
			return j.tell(f)
		}
		f.Class, f.Outcome = UnknownAbsent, topup.NullString(j.s.opts.Absent)
		return j.settle(ctx, topup.Resolution{Outcome: topup.Verdict(j.s.opts.Absent), Reason: j.absentReason(f)}, f)
	})
}

func (j *job) absentReason(f Finding) string {
	c := j.sum.Covers
	return fmt.Sprintf("%s covers %s..%s: %s", j.s.source(), c.From.Format(time.RFC3339), c.Until.Format(time.RFC3339), f.Detail)
}

// incomplete says why this statement's silence proves nothing, if so.
func (j *job) incomplete() string {
	switch {
	case !j.s.layout.has(ColumnID):
		return "the statement has no column of our ids"
	case j.stage.cut || j.stage.bad > maxBad:
		return "too much of the statement cannot be read"
	case j.wrong > j.right:
		return "the statement's times are not those of our attempts"
	case j.lacking*100 > (j.named+j.lacking)*maxMissing:
		return fmt.Sprintf("the statement is not complete: of %d orders that succeeded it lacks %d", j.named+j.lacking, j.lacking)
	}
	return ""
}

// whyHold says why an order is held that the statement does not call charged; empty when it is not.
func (j *job) whyHold(ctx context.Context, a absence, doubt string) (string, error) {
	switch {
	case j.s.opts.Absent == AbsentHold:
		return "absent=hold", nil
	case doubt != "":
		return doubt, nil
	case j.sum.Covers == nil || a.Attempts == 0 || !j.sum.Covers.holds(a.From, a.Until, j.s.opts.Margin):
		return fmt.Sprintf("its attempts, from %s to %s, are not covered with the margin", a.From.Format(time.RFC3339), a.Until.Format(time.RFC3339)), nil
	}
	if line, err := j.stage.mention(ctx, a.ID); err != nil || line > 0 {
		return fmt.Sprintf("line %d, which cannot be read, has its id", line), err
	}
	line, err := j.stage.orphan(ctx, a, j.s.opts.Margin)
	if err != nil || line == 0 {
		return "", err
	}
	return fmt.Sprintf("line %d, of an order that we do not know, may be its charge", line), nil
}
