package journal_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
)

// model is what the journal must do, without a database and one operation at a time.
type model map[topup.ID]*modelOrder

type modelOrder struct {
	state       topup.State
	outcomes    []topup.Outcome
	events      int
	resolutions int
	corrections int
	disputed    bool
	sale        string // its transaction id
	// waiting: it is deferred. Whatever moves it ends that.
	waiting bool
	// held: a statement charges it.
	held      bool
	resolved  topup.ResolvedAs // the last
	corrected topup.ResolvedAs // the last
}

func (m model) find(id topup.ID) *modelOrder {
	if o := m[id]; o != nil {
		return o
	}
	return &modelOrder{}
}

func (o *modelOrder) move(to topup.State, by topup.Operation) bool {
	if !topup.Allowed(o.state, to, by) {
		return false
	}
	o.state, o.waiting, o.held = to, false, false
	if topup.EventTypeOf(to) != "" {
		o.events++
	}
	return true
}

func (o *modelOrder) doubt() bool { return slices.Contains(o.outcomes, topup.OutcomeUnknown) }

// forget is a decision without receipts: only a purchase that was charged keeps those that it has.
func (o *modelOrder) forget(v topup.ResolvedAs) {
	if v != topup.ResolvedSucceeded {
		o.sale = ""
	}
}

func (m model) accept(id topup.ID) string {
	if m[id] != nil {
		return "replayed"
	}
	m[id] = &modelOrder{state: topup.StateQueued}
	return "ok"
}

func (m model) begin(id topup.ID, attempts int) string {
	o := m.find(id)
	if attempts != len(o.outcomes) || !o.move(topup.StateSubmitting, topup.OpBegin) {
		return "lost"
	}
	o.outcomes = append(o.outcomes, "")
	return "ok"
}

func (m model) finish(s topup.Settlement) string {
	o := m.find(s.ID)
	if s.Number < 1 || s.Number > len(o.outcomes) {
		return "lost"
	}
	was, latest := o.outcomes[s.Number-1], s.Number == len(o.outcomes)
	if was != "" && was != topup.OutcomeUnknown {
		return "lost"
	}
	o.outcomes[s.Number-1] = s.Result.Outcome
	to, by := s.State, topup.OpFinish
	if to == topup.StateFailed && o.doubt() {
		to = topup.StateUnknown
	}
	before := topup.StateSubmitting
	if was == topup.OutcomeUnknown {
		before = topup.StateUnknown
	}
	again := was == topup.OutcomeUnknown && s.Result.Outcome == topup.OutcomeUnknown
	if !latest || o.state != before || again {
		by = topup.OpFinishLate
	}
	switch {
	case s.Result.Outcome == topup.OutcomeApproved && o.state.Final():
		sold := slices.DeleteFunc(slices.Clone(o.outcomes), func(x topup.Outcome) bool { return x != topup.OutcomeApproved })
		again := o.sale != s.Result.TransactionID && (o.sale != "" || len(sold) > 1)
		o.disputed = o.disputed || o.state != topup.StateSucceeded || again
		return "lost"
	case o.held && s.Result.Outcome != topup.OutcomeApproved: // the statement says more
	case (by == topup.OpFinish || s.Result.Outcome == topup.OutcomeApproved) && o.move(to, by):
		o.sale = s.Result.TransactionID
		if last := len(o.outcomes) - 1; o.outcomes[last] == "" {
			o.outcomes[last] = topup.OutcomeUnknown
		}
		return "ok"
	case o.state == topup.StateUnknown && !o.doubt() && o.move(topup.StateFailed, topup.OpFinishLate):
		return "ok"
	}
	if latest && o.state == topup.StateUnknown {
		return "ok"
	}
	return "lost"
}

func (m model) hold(id topup.ID) string {
	o := m[id]
	switch {
	case o == nil:
		return "not found"
	case o.state == topup.StateUnknown && o.resolved == topup.ResolvedHeld:
		return "ok" // a repeat
	case !o.move(topup.StateUnknown, topup.OpHold):
		return "refused"
	}
	o.held, o.resolved = true, topup.ResolvedHeld
	o.resolutions++
	return "ok"
}

func (m model) end(id topup.ID, now time.Time) string {
	o := m.find(id)
	to := topup.StateFailed
	if o.doubt() {
		to = topup.StateUnknown
	}
	if now.Before(timeIsUp) || !o.move(to, topup.OpEnd) {
		return "lost"
	}
	return "ok"
}

func (m model) correct(id topup.ID, v topup.ResolvedAs) string {
	o := m[id]
	switch {
	case o == nil:
		return "not found"
	case topup.Allowed(o.state, v.State(), topup.OpCorrect):
		o.state, o.disputed, o.corrected = v.State(), false, v
		o.corrections++
		o.forget(v)
		o.events++
	case o.corrected != v:
		return "refused"
	}
	return "ok"
}

func (m model) dispute(id topup.ID) string {
	o := m[id]
	switch {
	case o == nil:
		return "not found"
	case !o.state.Final():
		return "refused"
	}
	o.disputed = true
	return "ok"
}

func (m model) resolve(id topup.ID, v topup.ResolvedAs, late bool) string {
	o := m[id]
	switch {
	case o == nil:
		return "not found"
	case !topup.Allowed(o.state, v.State(), topup.OpResolve) && o.resolved == v:
		return "ok"
	case !topup.Allowed(o.state, v.State(), topup.OpResolve):
		return "refused"
	case !late && v != topup.ResolvedSucceeded && len(o.outcomes) > 0:
		return "too early"
	}
	o.move(v.State(), topup.OpResolve)
	o.forget(v)
	o.resolutions++
	o.resolved = v
	return "ok"
}

func (m model) deferred(id topup.ID, attempts int) string {
	o := m.find(id)
	if attempts != len(o.outcomes) || o.state != topup.StateQueued && o.state != topup.StateRetrying {
		return "lost"
	}
	o.waiting = true
	return "ok"
}

func (m model) release(id topup.ID) string {
	o := m.find(id)
	if !o.waiting {
		return "lost"
	}
	o.waiting = false
	return "ok"
}

func (m model) cancel(id topup.ID) string {
	o := m[id]
	switch {
	case o == nil:
		return "not found"
	case o.state == topup.StateCanceled:
		return "ok"
	case o.doubt() || !o.move(topup.StateCanceled, topup.OpCancel):
		return "refused"
	}
	return "ok"
}

// step does one random operation to both, and returns what it was and both answers.
func (s store) step(t *testing.T, m model, r *rand.Rand) (what, got, want string) {
	id, attempts := topup.ID(fmt.Sprintf("ORD-%d", r.IntN(60))), 0
	if o := m[id]; o != nil {
		attempts = len(o.outcomes) - r.IntN(4)/3 // now and then a stale number
	}
	var err error
	all := []topup.Operation{
		topup.OpAccept, topup.OpBegin, topup.OpBegin, topup.OpFinish, topup.OpFinish, topup.OpFinish, topup.OpEnd,
		topup.OpCancel, topup.OpResolve, topup.OpCorrect, topup.OpDispute, topup.OpHold, opDefer, opRelease,
	}
	switch all[r.IntN(len(all))] {
	case topup.OpAccept:
		var replayed bool
		if _, replayed, err = s.Accept(t.Context(), request(string(id)), noon); replayed {
			return "accept", "replayed", m.accept(id)
		}
		return "accept", kind(err), m.accept(id)
	case topup.OpBegin:
		_, err = s.Begin(t.Context(), id, attempts, workerName, noon, noon)
		return fmt.Sprint("begin ", id, attempts), kind(err), m.begin(id, attempts)
	case topup.OpFinish:
		o := topup.Order{ID: id, AttemptCount: attempts}
		choices := []topup.Settlement{
			settlement(o, topup.StateSucceeded), settlement(o, topup.StateFailed), settlement(o, topup.StateRetrying),
			settlement(o, topup.StateRetrying), settlement(o, topup.StateUnknown), resent(o), resent(o),
		}
		choice := choices[r.IntN(len(choices))]
		if choice.State == topup.StateSucceeded && r.IntN(3) > 0 {
			choice = sale(choice, attempts)
		}
		_, _, err = s.Finish(t.Context(), choice, noon)
		return fmt.Sprint("finish ", id, attempts, choice.State, choice.Result.Outcome), kind(err), m.finish(choice)
	case topup.OpResolve:
		v := []topup.ResolvedAs{topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend,
			topup.ResolvedResend}[r.IntN(4)]
		late := r.IntN(2) == 0
		now := noon // the deadline of every attempt of the walk
		if !late {
			now = noon.Add(-time.Second)
		}
		_, _, err = s.Resolve(t.Context(), id, topup.Resolution{Outcome: v, Reason: "a walk"}, now)
		return fmt.Sprint("resolve ", id, v, late), kind(err), m.resolve(id, v, late)
	case opDefer:
		err = s.Defer(t.Context(), id, attempts, topup.WaitRate, noon)
		return fmt.Sprint("defer ", id, attempts), kind(err), m.deferred(id, attempts)
	case topup.OpHold:
		_, _, err = s.Hold(t.Context(), id, topup.Hold{Evidence: "line 7"}, noon)
		return fmt.Sprint("hold ", id), kind(err), m.hold(id)
	case opRelease:
		_, err = s.Release(t.Context(), id, noon)
		return fmt.Sprint("release ", id), kind(err), m.release(id)
	case topup.OpCancel:
		_, _, err = s.Cancel(t.Context(), id, "", noon)
		return fmt.Sprint("cancel ", id), kind(err), m.cancel(id)
	case topup.OpCorrect:
		v := []topup.ResolvedAs{topup.ResolvedSucceeded, topup.ResolvedFailed}[r.IntN(2)]
		_, _, err = s.Correct(t.Context(), id, topup.Correction{Outcome: v, Reason: "a walk"}, noon)
		return fmt.Sprint("correct ", id, v), kind(err), m.correct(id, v)
	case topup.OpDispute:
		_, err = s.Dispute(t.Context(), id, topup.Dispute{Evidence: fmt.Sprint("line ", r.Uint64())}, noon)
		return fmt.Sprint("dispute ", id), kind(err), m.dispute(id)
	default:
		now := []time.Time{noon, timeIsUp}[r.IntN(2)]
		_, _, err = s.End(t.Context(), id, now)
		return fmt.Sprint("end ", id, now), kind(err), m.end(id, now)
	}
}

func testModel(t *testing.T, s store) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r, m := rand.New(rand.NewPCG(seed, 0)), model{}
	answers := map[string]int{}
	for range testkit.Times(500, 2500) {
		what, got, want := s.step(t, m, r)
		if got != want {
			t.Fatalf("%s: %s, want %s", what, got, want)
		}
		answers[got]++
	}
	if len(answers) < 5 {
		t.Errorf("the walk was poor: %v", answers)
	}
	counts, waiting := map[topup.State]int64{}, int64(0)
	for id, want := range m {
		counts[want.state]++
		if want.waiting {
			waiting++
		}
		d, err := s.Details(t.Context(), id)
		must(t, err)
		if d.State != want.state || d.AttemptCount != len(want.outcomes) || len(d.Attempts) != len(want.outcomes) ||
			len(d.Events) != want.events || len(d.Resolutions) != want.resolutions ||
			len(d.Corrections) != want.corrections || (d.DisputedAt != nil) != want.disputed {
			t.Errorf("%s is %s with %d attempts and %d events; want %+v", id, d.State, len(d.Attempts), len(d.Events), want)
		}
		for i, a := range d.Attempts {
			if a.Outcome != want.outcomes[i] {
				t.Errorf("%s attempt %d is %q, want %q", id, i+1, a.Outcome, want.outcomes[i])
			}
		}
	}
	if got, err := s.WaitingByPriority(t.Context()); err != nil || got[topup.PriorityNormal] != waiting {
		t.Errorf("%v wait, %v; want %d", got, err, waiting)
	}
	got, err := s.CountByState(t.Context())
	maps.DeleteFunc(got, func(_ topup.State, n int64) bool { return n == 0 }) // all have left a state
	if err != nil || !maps.Equal(got, counts) {
		t.Errorf("counts %v, %v; want %v", got, err, counts)
	}
}
