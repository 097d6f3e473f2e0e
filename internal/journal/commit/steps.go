package commit

import (
	"cmp"
	"slices"
)

// Step is a statement of the way that an operation usually goes. The statements of all operations of a batch that are
// at their first step are sent together, and those with the same Batch as one.
type Step struct {
	Statement *Statement
	// Then is called when the statement has changed or found its row. It returns the next step; nil where the operation
	// is over. An error is the operation's. A nil Then: it is over, and the statement shares a round trip with the
	// COMMIT; if the answer to that is lost, the operation is run, with Tx.Again.
	Then func(t *Tx) (*Step, error)
	// Missed is the same for a statement that has changed and found nothing. A nil Missed: the operation, which has
	// changed nothing at all then, is run by itself.
	Missed func(t *Tx) (*Step, error)
}

// Usual is the first step of an operation's usual way, made anew for each try.
type Usual func() *Step

// going is an operation on its usual way, and its next step; nil when it is over.
type going struct {
	op   *operation
	step *Step
}

// last reports whether the operation is over with its step, as far as one can know before: a statement may miss, and
// it is worth the next transaction that most do not.
func (g going) last() bool { return g.step.Then == nil && (g.step.Missed == nil || !g.op.missed) }

// together runs operations on PostgreSQL: those that go their usual way side by side, so that a commit takes as many
// round trips as the longest of them has steps; or else, where none does, one after the other. over are those that it
// has finished: the others need a transaction of their own.
func (c *Committer) together(t *Tx, batch []*operation) (over []*operation, guilty bool, err error) {
	usual := c.usual(batch)
	if len(usual) == 0 {
		return c.inTurn(t, batch)
	}
	for {
		statements := make([]*Statement, len(usual))
		last := true
		for i, g := range usual {
			statements[i] = g.step.Statement
			last = last && g.last()
		}
		if last {
			if guilty, err = c.end(t, statements...); err == nil {
				over = append(over, finished(usual)...)
			}
			return over, guilty, err
		}
		if t.session.do(t.ctx, statements...); slices.ContainsFunc(statements, (*Statement).failed) {
			c.undo(t.ctx)
			i := slices.IndexFunc(statements, (*Statement).failed)
			return nil, true, statements[i].err
		}
		if over, usual, err = t.next(over, usual); err != nil {
			c.undo(t.ctx)
			return nil, true, err
		}
		if len(usual) == 0 {
			guilty, err = c.end(t)
			return over, guilty, err
		}
	}
}

// usual are the operations of a batch that go their usual way, at most one of a key, in one order of keys for all
// processes: they wait for each other, seldom in a circle, which the server breaks.
func (c *Committer) usual(batch []*operation) (usual []going) {
	slices.SortStableFunc(batch, func(a, b *operation) int { return cmp.Compare(a.key, b.key) })
	for _, o := range batch {
		again := len(usual) > 0 && usual[len(usual)-1].op.key == o.key
		if o.usual != nil && !o.unusual && !again {
			o.err = nil
			usual = append(usual, going{o, o.usual()})
		}
	}
	return usual
}

// next has the operations whose statements have run take their next steps.
func (t *Tx) next(over []*operation, usual []going) (_ []*operation, left []going, err error) {
	for _, g := range usual {
		var step *Step
		step, g.op.unusual, g.op.err = g.step.follow(t)
		if g.op.unusual {
			continue
		}
		if err := t.fault(g.op); err != nil {
			return nil, nil, err
		}
		if step == nil || g.op.err != nil {
			over = append(over, g.op)
			continue
		}
		left = append(left, going{g.op, step})
	}
	return over, left, nil
}

// follow is what comes after a step whose statement has run; nil: nothing. missed: the operation must be run by
// itself.
func (s *Step) follow(t *Tx) (next *Step, missed bool, err error) {
	then := s.Then
	if !s.Statement.hit() {
		if then = s.Missed; then == nil {
			return nil, true, nil
		}
	}
	if then != nil {
		next, err = then(t)
	}
	return next, false, err
}

// finished are the operations that are over with their last statements, which are committed. One whose answer is lost
// runs again.
func finished(usual []going) (over []*operation) {
	for _, g := range usual {
		s := g.step.Statement
		if s.hit() {
			over = append(over, g.op)
			continue
		}
		g.op.again = g.op.again || s.failed()
		g.op.missed = true
		g.op.unusual = s.failed() || g.step.Missed == nil
	}
	return over
}

// alone has an operation go its usual way, and where that misses something, or its answer was lost, runs it.
func (t *Tx) alone(o *operation) (err error) {
	if o.usual == nil || t.again {
		return o.run(t)
	}
	missed := false
	for step := o.usual(); step != nil && err == nil && !missed; {
		if _, err = t.Run(step.Statement); err == nil {
			step, missed, err = step.follow(t)
		}
	}
	if missed {
		return o.run(t)
	}
	return err
}

// inTurn runs operations one after the other. guilty: one of them broke the transaction.
func (c *Committer) inTurn(t *Tx, batch []*operation) (over []*operation, guilty bool, err error) {
	for _, o := range batch {
		own := *t
		own.again = o.again
		o.err = own.alone(o)
		if err := t.fault(o); err != nil {
			c.undo(t.ctx)
			return nil, true, err
		}
	}
	guilty, err = c.end(t)
	return batch, guilty, err
}
