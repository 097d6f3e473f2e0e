package journal

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"recarga/internal/journal/commit"
	"recarga/internal/journal/tables"
	"recarga/topup"
)

// An operation is run again after a commit whose answer was lost (op.again), and a Finish is repeated by its worker
// until it is recorded. Begin then recognises its own attempt by a nonce, Accept its order by the time, and these what
// they wrote.

// doubtful remembers attempts of which this process does not know whether it has recorded their results. No other
// process has them; when this one dies, the attempts end at their deadlines.
type doubtful struct {
	mu       sync.Mutex          // guards attempts
	attempts map[attemptKey]bool // nil until there is one
}

// attemptKey names an attempt.
type attemptKey struct {
	id     topup.ID // of the order
	number int      // from 1
}

func (d *doubtful) has(k attemptKey) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.attempts[k]
}

// learn takes what a Finish came to: only a result, or a proof that there can be none, ends a doubt.
func (d *doubtful) learn(k attemptKey, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil || errors.Is(err, topup.ErrLost):
		delete(d.attempts, k)
	case errors.Is(err, ErrInDoubt):
		if d.attempts == nil {
			d.attempts = map[attemptKey]bool{}
		}
		d.attempts[k] = true
	}
}

// finishing is Finish, which may have been done before.
func (j *Journal) finishing(ctx context.Context, s topup.Settlement, now time.Time) (settled, error) {
	k := attemptKey{s.ID, s.Number}
	again := j.doubtful.has(k)
	usual := func(out *settled) *commit.Step { return j.settle(out, s, now) }
	if again || !j.db.IsPostgres() {
		usual = nil
	}
	done, err := writeUsual(ctx, j, s.ID, usual, func(t tx) (settled, error) {
		if again || t.Again() {
			if done, err := t.finishedSo(s); !errors.Is(err, topup.ErrLost) {
				return done, err
			}
		}
		return t.finish(s, now)
	})
	j.doubtful.learn(k, err)
	return done, err
}

// finishedSo is the order as an earlier Finish of the same settlement left it, and its event unless that has been
// tried since. topup.ErrLost means that there was none.
func (t tx) finishedSo(s topup.Settlement) (settled, error) {
	args := slices.Concat([]any{string(s.ID), s.Number}, resultColumns(s.Result), []any{string(s.Result.Outcome)})
	r, found, err := t.Order(sqls.Get("finished_so"), args...)
	if err = lostUnless(found, err); err != nil {
		return settled{}, err
	}
	event, err := t.untried(r)
	return settled{order: r.Order, event: event}, err
}

// untried is the event of an order's state; nil when there is none, or it has been tried.
func (t tx) untried(r tables.Record) (*topup.Event, error) {
	if topup.EventTypeOf(r.State) == "" {
		return nil, nil
	}
	var ev topup.Event
	found, err := t.Row(func(row tables.Scanner) (err error) { ev, err = tables.ScanEvent(row); return err },
		sqls.Get("untried"), r.Key, r.EventCount)
	if err != nil || !found {
		return nil, err
	}
	return &ev, nil
}
