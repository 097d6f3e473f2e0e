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
	stops                  // the process is stopped for a while, and it is done afterwards
	fates
)

func (f fate) String() string {
	return [fates]string{"done", "refused, without effect", "done, and its answer is lost", "done, and its answer is late",
		"the process dies before it", "the process dies after it", "done, and half of its answer arrives",
		"nothing happens, and nobody answers", "the process is stopped"}[f]
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
}

// polls are reads that are repeated for ever, and change nothing: they are let go at once.
func poll(name string) bool {
	switch name {
	case "journal.Due", "journal.Overdue", "journal.DueEvents", "journal.Waiting", "journal.Released", "queue.Announce",
		"redis.Restrictions", "journal.EndpointHealth":
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

// letGo lets a waiting step go.
func (w *world) letGo(s *step) {
	w.withdraw(s)
	f := done
	if !w.calm && (s.proc == nil || !s.proc.dead) {
		trouble := w.trouble
		if operations[s.Name] != "" { // what changes an order is rare, and matters most
			trouble = min(4*trouble, 0.5)
		}
		if n := w.tape.choose(ofFates, len(s.fates)+1, 1-trouble); n > 0 {
			f = s.fates[n-1]
		}
	}
	w.note(s.who, s.Name, s.About, f.String())
	if f == stops {
		w.stop(s.proc)
		w.mu.Lock()
		w.waiting = append(w.waiting, s)
		w.mu.Unlock()
		return
	}
	s.let <- f
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
