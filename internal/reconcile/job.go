package reconcile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"recarga/internal/clip"
	"recarga/internal/journal/search"
	"recarga/internal/reconcile/statement"
	"recarga/topup"
)

const (
	// pageSize is how many orders are looked up at once.
	pageSize = 500
	// progressEvery bounds how long whoever waits hears nothing.
	progressEvery = time.Second
	// slack is by how much the clocks may differ: what we looked at a day off is at most not in the statement.
	slack = 24 * time.Hour
	// maxBad is how many bad lines are searched for an order's id, so as to name the line.
	maxBad = 10_000
)

// job is one run.
type job struct {
	r     *Reconciler
	s     *Statement
	stage *stage
	emit  func(Result) error
	sum   Summary

	differs bool
	lastly  time.Time // when progress was reported last
	// comparison is by what every order is compared.
	comparison comparison
	// matched says that a line is of an order that we know.
	matched bool
	// early and late bound the charges whose time agrees with ours; right and wrong count them all.
	early, late  time.Time
	right, wrong int64
	// supports and contradicts count the orders of which the statement says what we know, or something else;
	// strangers are charges of orders that we do not know.
	supports, contradicts, strangers int64
	// renamed is a line that calls an order whose transaction we know by another id; 0 where there is none.
	renamed int64
	// lacking counts the succeeded orders in the time that is covered that the statement lacks or denies; lack is one.
	lacking int64
	lack    topup.ID
}

func (j *job) report(f Finding) error {
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
	return each(ctx, j.stage, sqls.Get("bad_lines"), func(r *sql.Rows) (line int64, f Finding, err error) {
		f = Finding{Class: BadLine, StatementTransactionIDs: []string{}}
		err = r.Scan(&line, &f.ID, &f.Detail)
		f.Lines = []int64{line}
		return line, f, err
	}, j.report)
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
	wide := slack + j.comparison.slop
	if err := j.named(ctx, j.r.book.Sold(ctx, since.Add(-wide), until.Add(wide))); err != nil {
		return err
	}
	return j.named(ctx, j.r.book.Held(ctx))
}

func (j *job) named(ctx context.Context, orders iter.Seq2[search.Standing, error]) error {
	var page []search.Standing
	done := int64(0)
	for o, err := range orders {
		if err != nil {
			return err
		}
		if page = append(page, o); len(page) < pageSize {
			continue
		}
		done += int64(len(page))
		if err := errors.Join(j.addUnnamed(ctx, page), j.progress("orders", done)); err != nil {
			return err
		}
		page = page[:0]
	}
	return j.addUnnamed(ctx, page)
}

func (j *job) addUnnamed(ctx context.Context, page []search.Standing) error {
	if len(page) == 0 {
		return nil
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
	return j.stage.addAbsent(ctx, absent)
}

// adopt finds, for orders that no line names, the lines that have their transaction, or else their reference and
// amount, or else their authorisation code, amount, phone and time. A line that names another order that we know stays
// with that one.
func (j *job) adopt(ctx context.Context) error {
	for _, q := range []string{sqlByTransaction, sqlByReference, sqlByAuthCode} {
		var after int64
		for {
			page, err := j.stage.claims(ctx, q, after, pageSize, j.comparison.slop)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1].line
			if page, err = j.ofStrangers(ctx, page); err != nil {
				return err
			}
			if err := j.stage.adopt(ctx, page); err != nil {
				return err
			}
			if err := j.progress("transactions", after); err != nil {
				return err
			}
		}
		if err := j.stage.exec(ctx, sqls.Get("forget")); err != nil { // the absent orders that have been given lines
			return err
		}
	}
	return nil
}

// ofStrangers are the claims of lines that name no order that we know.
func (j *job) ofStrangers(ctx context.Context, page []claim) (kept []claim, err error) {
	var ids []topup.ID
	for _, c := range page {
		if c.given != "" {
			ids = append(ids, c.given)
		}
	}
	known, err := j.standings(ctx, ids)
	for _, c := range page {
		if _, ok := known[c.given]; ok {
			continue
		}
		kept = append(kept, c)
		if c.given != "" && j.renamed == 0 {
			j.renamed = c.line
		}
	}
	return kept, err
}

func (j *job) standings(ctx context.Context, ids []topup.ID) (map[topup.ID]*search.Standing, error) {
	list, err := j.r.book.Standings(ctx, ids)
	known := make(map[topup.ID]*search.Standing, len(list))
	for i := range list {
		known[list[i].ID] = &list[i]
	}
	return known, err
}

// compare compares every order that a line names.
func (j *job) compare(ctx context.Context) error {
	var open []group
	after := statement.Line{Number: -1}
	for done := int64(0); ; {
		page, err := j.stage.page(ctx, after, 2*pageSize)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return j.compareGroups(ctx, open)
		}
		for _, l := range page {
			open = grouped(open, l)
		}
		after, done = page[len(page)-1], done+int64(len(page))
		if len(open) > pageSize {
			// The last one may go on in the next page.
			if err := j.compareGroups(ctx, open[:len(open)-1]); err != nil {
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
func grouped(groups []group, l statement.Line) []group {
	if n := len(groups); n > 0 && l.ID != "" && groups[n-1].id == l.ID {
		g := &groups[n-1]
		if len(g.lines) < maxGroup {
			g.lines = append(g.lines, l)
		} else {
			g.over = true
		}
		return groups
	}
	return append(groups, group{id: l.ID, lines: []statement.Line{l}})
}

func (j *job) compareGroups(ctx context.Context, groups []group) error {
	known, err := j.known(ctx, groups)
	if err != nil {
		return err
	}
	var absent []absence
	var unclaimed []statement.Line
	var sold []soldOrder
	for _, g := range groups {
		o := known[topup.ID(g.id)]
		j.matched = j.matched || o != nil
		v, err := j.compareOne(ctx, g, o)
		if err != nil {
			return err
		}
		if err := j.take(ctx, v); err != nil {
			return err
		}
		if v.sold != nil {
			j.sum.Sold.Count++
			j.sum.Sold.Amount += v.sold.Amount
			sold = append(sold, *v.sold)
		}
		if v.absent != nil {
			absent = append(absent, *v.absent)
		}
		unclaimed = append(unclaimed, v.unclaimed...)
		if v.all {
			err = j.stage.exec(ctx, sqls.Get("unclaim_all"), statement.LongDay.Microseconds(), g.id, int(statement.Charged))
			if err != nil {
				return err
			}
		}
	}
	return errors.Join(j.stage.addAbsent(ctx, absent), j.stage.unclaim(ctx, unclaimed), j.stage.addSold(ctx, sold))
}

// compareOne compares one order. One that waits to be sent, and is charged, is held first: each moment that it waits
// it can be sent again.
func (j *job) compareOne(ctx context.Context, g group, o *search.Standing) (decision, error) {
	if o == nil || o.State != topup.StateQueued && o.State != topup.StateRetrying {
		return j.comparison.compare(g, o), nil
	}
	charge := slices.IndexFunc(g.lines, func(l statement.Line) bool { return l.Kind == statement.Charged })
	if len(newAccount(g.lines).charges) == 0 {
		return j.comparison.compare(g, o), nil
	}
	was := o.State
	o, why, err := j.hold(ctx, *o, g.lines[charge])
	if err != nil {
		return decision{}, err
	}
	v := j.comparison.compare(g, o)
	for i := range v.findings {
		v.findings[i] = asHeld(v.findings[i], was, why)
	}
	for i := range v.later {
		v.later[i].Finding = asHeld(v.later[i].Finding, was, why)
	}
	return v, nil
}

// asHeld is a finding of an order as it was before it was held or, as why says, could not be.
func asHeld(f Finding, was topup.State, why string) Finding {
	f.State = topup.NullString(was)
	switch {
	case why != "":
		f.Detail += "; not held: " + why
	case f.Class == UnknownHeld || f.Class == UnknownFound:
		f.Detail = "we called it " + string(was) + "; it is not sent again; " + f.Detail
	}
	return f
}

// hold stops an order that waits, and returns how it is from then on; or as it was, and why it was not held. A dry run
// stops nothing, and says what would follow.
func (j *job) hold(ctx context.Context, o search.Standing, charge statement.Line) (*search.Standing, string, error) {
	if len(j.s.doubts) > 0 {
		return &o, notUnderstood, nil
	}
	then := o
	then.State, then.Held = topup.StateUnknown, true
	if j.s.opts.DryRun {
		return &then, "", nil
	}
	evidence := fmt.Sprintf("%s, line %d: charged", j.s.source(), charge.Number)
	h := topup.Hold{Evidence: clip.Characters(evidence, topup.MaxReason), By: j.s.opts.By}
	switch _, err := j.r.orders.Hold(ctx, o.ID, h); {
	case refused(err):
		return &o, oneLine(err) + "; run the statement again", nil
	case err != nil:
		return nil, "", err
	}
	known, err := j.standings(ctx, []topup.ID{o.ID})
	if err != nil || known[o.ID] == nil {
		return &then, "", err
	}
	return known[o.ID], "", nil
}

// known are the orders of the groups that there are.
func (j *job) known(ctx context.Context, groups []group) (map[topup.ID]*search.Standing, error) {
	var ids []topup.ID
	for _, g := range groups {
		if id, err := topup.ParseID(g.id); err == nil {
			ids = append(ids, id)
		}
	}
	known := map[topup.ID]*search.Standing{}
	for some := range slices.Chunk(ids, pageSize) {
		found, err := j.standings(ctx, some)
		if err != nil {
			return nil, err
		}
		maps.Copy(known, found)
	}
	return known, nil
}

// take counts and says what was found of one order.
func (j *job) take(ctx context.Context, v decision) error {
	if v.matched {
		j.sum.Matched++
	}
	for _, m := range v.agrees {
		j.right++
		if j.early.IsZero() || m.Last().Before(j.early) {
			j.early = m.Last()
		}
		if m.At.After(j.late) {
			j.late = m.At
		}
	}
	j.wrong += int64(len(v.differs))
	j.supports, j.contradicts, j.strangers = j.supports+v.supports, j.contradicts+v.contradicts, j.strangers+v.strangers
	if err := j.stage.addLater(ctx, v.later); err != nil {
		return err
	}
	for _, f := range v.findings {
		if err := j.report(f); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) note(text string) { j.sum.Notes = append(j.sum.Notes, text) }

// absents calls use for every order that no charge names, of a state.
func (j *job) absents(ctx context.Context, state topup.State, use func(absence) error) error {
	var done int64
	return each(ctx, j.stage, sqls.Get("absents"), scanAbsence, func(a absence) error {
		if err := use(a); err != nil {
			return err
		}
		done++
		return j.progress("absent", done)
	}, string(state))
}
