package sim

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"recarga/internal/boundary"
)

// fate is what becomes of a step.
type fate int

const (
	done       fate = iota // it has its effect, and its answer arrives
	failed                 // it is refused, and has no effect
	lost                   // it has its effect, and its answer is lost
	late                   // it has its effect, and its answer comes later
	diesBefore             // the process dies before it has its effect
	diesAfter              // the process dies after it
	torn                   // it has its effect, and half of its answer arrives
	silent                 // it has no effect, and there is never an answer
	stops                  // the process is stopped for a while, and something becomes of the step afterwards
	slow                   // it takes long, and something becomes of it afterwards
	fates
)

func (f fate) String() string {
	return [fates]string{"done", "refused, without effect", "done, and its answer is lost", "done, and its answer is late",
		"the process dies before it", "the process dies after it", "done, and half of its answer arrives",
		"nothing happens, and nobody answers", "the process is stopped", "it takes long"}[f]
}

var (
	errInjected = errors.New("injected fault")
	errDead     = errors.New("the process is dead")
)

// step is something that waits to be let go.
type step struct {
	who string // whose it is
	boundary.Call
	proc  *process // that ends with it if it dies; nil: none
	fates []fate   // beside done
	let   chan fate
	since time.Time
	until time.Time // when it is done, if it is slow
}

// polls are reads that are repeated for ever, and change nothing: they are let go at once.
func poll(name string) bool {
	switch name {
	case "journal.Due", "journal.Overdue", "journal.DueEvents", "journal.Waiting", "journal.Released", "queue.Announce",
		"redis.Restrictions", "journal.EndpointHealth", "journal.Controls":
		return true
	}
	return false
}

// wait blocks until the simulator lets a step go, and returns its fate; or until it is withdrawn, by the end of ctx or
// of gone.
func (w *world) wait(ctx context.Context, s *step, gone <-chan struct{}) (fate, error) {
	s.let, s.since = make(chan fate, 1), time.Now()
	w.mu.Lock()
	w.fresh = append(w.fresh, s)
	w.mu.Unlock()
	select {
	case w.arrived <- struct{}{}:
	default:
	}
	select {
	case f := <-s.let:
		return f, nil
	case <-ctx.Done():
		w.withdraw(s)
		return failed, ctx.Err()
	case <-gone:
		w.withdraw(s)
		return failed, errDead
	case <-w.over:
		return failed, errDead
	}
}

func (w *world) withdraw(s *step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fresh = slices.DeleteFunc(w.fresh, func(other *step) bool { return other == s })
	w.waiting = slices.DeleteFunc(w.waiting, func(other *step) bool { return other == s })
}

// gather waits until nothing runs, and puts the steps that have come into the order that a seed repeats: goroutines
// that were woken together arrive in any.
func (w *world) gather() {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.fresh, func(a, b *step) int {
		return cmp.Or(strings.Compare(a.who, b.who), strings.Compare(a.Name, b.Name),
			strings.Compare(w.named(a.About), w.named(b.About)))
	})
	w.waiting = append(w.waiting, w.fresh...)
	w.fresh = w.fresh[:0]
}

// apart keeps apart what two moves begin: timers that end at the same time end in any order, which no seed repeats.
func (w *world) apart() { w.sleep(time.Microsecond) }

// letGo lets a waiting step go.
func (w *world) letGo(s *step) {
	w.withdraw(s)
	f := w.fateOf(s)
	w.note(s.who, s.Name, s.About, f.String())
	switch f {
	case stops:
		w.stop(s.proc)
	case slow:
		s.until = time.Now().Add(w.slowness(s))
	default:
		s.let <- f
		return
	}
	w.mu.Lock()
	w.waiting = append(w.waiting, s)
	w.mu.Unlock()
}

// slowness is how long a slow step takes. The vendor looks at what it has been sent in time, however long the request
// waited already.
func (w *world) slowness(s *step) time.Duration {
	if s.who == "vendor" {
		longer := time.Duration(w.tape.uniform(ofFates, int(slowest/time.Second))) * time.Second
		return min(longer, max(slowest-time.Since(s.since), 0))
	}
	longer := pick(w.tape, ofFates, 0.1, 0, callTimeout+slack, callTimeout+slack, callTimeout+slack, 5*time.Minute)
	return longer + time.Duration(w.tape.uniform(ofFates, 45))*time.Second
}

// fateOf is what becomes of a step.
func (w *world) fateOf(s *step) fate {
	if w.calm || s.proc != nil && s.proc.dead {
		return done
	}
	trouble := w.trouble
	if operations[s.Name] != "" || s.Name == "journal.RecordTry" { // it is rare, and matters most
		trouble = min(4*trouble, 0.3)
	}
	if (operations[s.Name] != "" || s.who == "vendor" && s.About != "") && s.until.IsZero() &&
		w.tape.yes(ofFates, w.slow) {
		return slow
	}
	if s.Name == "journal.Finish" && !s.until.IsZero() { // a late result matters most
		trouble = max(trouble, 0.6)
	}
	has := []bool{true}
	for _, f := range s.fates {
		has = append(has, w.fates[f])
	}
	if n := w.tape.among(ofFates, 1-trouble, has); n > 0 {
		return s.fates[n-1]
	}
	return done
}

// passTime lets time pass until something wants to happen, for d at most.
func (w *world) passTime(d time.Duration) {
	w.gather() // what was read of the steps is read before another goroutine changes it
	select {   // what arrived before is known
	case <-w.arrived:
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.arrived:
	case <-timer.C:
	}
}

// sleep lets time pass, whatever wants to happen.
func (w *world) sleep(d time.Duration) {
	w.gather()
	time.Sleep(d)
}
