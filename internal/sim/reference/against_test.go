package reference_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"recarga/internal/testkit"
	"recarga/topup"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "the seed of the stories; 0: by chance")
	stepsFlag = flag.Int("steps", 20_000, "how many steps of stories are run on SQLite; to PostgreSQL a tenth")
)

// length is how many steps a story has at most.
const length = 80

// TestAgainstEachOther: random stories run on the reference and on a database, step by step. After each step both
// must have answered the same, and both must show the same. A story on which they differ is shortened and printed.
func TestAgainstEachOther(t *testing.T) {
	steps := *stepsFlag
	if testing.Short() || testkit.RaceDetector {
		steps /= 10
	}
	for _, c := range []struct {
		name  string
		open  func(testing.TB) *side
		steps int
		// atOnce is how many calls are made side by side.
		atOnce int
	}{
		{"sqlite", sqlite, steps, 1}, {"sqlite at once", sqlite, steps / 10, 3},
		{"postgres", postgres, steps / 10, 1}, {"postgres at once", postgres, steps / 10, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.open(t)
			s.anyPlace = c.atOnce > 1
			reached := seek(t, s, c.steps, c.atOnce)
			reached.check(t, c.atOnce == 1 && c.steps >= 20_000)
		})
	}
}

// TestADifferenceIsFoundAndShortened: a short story finds a book with one fault.
func TestADifferenceIsFoundAndShortened(t *testing.T) {
	for name, c := range map[string]struct {
		wrong func(book) book
		// most are the steps of the story that shows the fault.
		most int
	}{
		"a hold of what is under way":   {func(b book) book { return holdsAll{b} }, 3},
		"a late approval that is lost":  {func(b book) book { return forgetsLate{b} }, 6},
		"a second worker that may send": {func(b book) book { return beginsTwice{b} }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inMemory()
			reset := func(testing.TB) { s.book = c.wrong(inMemory().book) }
			s.clear = reset
			for seed := range uint64(500) {
				story, found := play(t, s, rand.New(rand.NewPCG(seed, 0)), 1, newReached())
				if found == "" {
					continue
				}
				if story, _ = shorten(t, s, story, found); len(story) > c.most {
					t.Errorf("it takes %d steps to show it, want %d at most:\n%s", len(story), c.most, printed(story))
				}
				return
			}
			t.Error("it was not found")
		})
	}
}

// holdsAll says of every order that it is held.
type holdsAll struct{ book }

func (b holdsAll) Hold(ctx context.Context, id topup.ID, h topup.Hold, now time.Time) (topup.Order, *topup.Event, error) {
	o, ev, err := b.book.Hold(ctx, id, h, now)
	if refused := (*topup.TransitionError)(nil); errors.As(err, &refused) {
		o, err = b.Order(ctx, id)
	}
	return o, ev, err
}

// forgetsLate takes no approval of an order that is not under way.
type forgetsLate struct{ book }

func (b forgetsLate) Finish(ctx context.Context, s topup.Settlement, now time.Time) (topup.Order, *topup.Event, error) {
	if o, err := b.Order(ctx, s.ID); err == nil && o.State != topup.StateSubmitting && s.State == topup.StateSucceeded {
		return topup.Order{}, nil, topup.ErrLost
	}
	return b.book.Finish(ctx, s, now)
}

// beginsTwice gives an attempt that is under way to whoever asks.
type beginsTwice struct{ book }

func (b beginsTwice) Begin(ctx context.Context, id topup.ID, attempts int, worker string, deadline,
	now time.Time) (topup.Order, error) {
	o, err := b.book.Begin(ctx, id, attempts, worker, deadline, now)
	if at, readErr := b.Order(ctx, id); err != nil && readErr == nil && at.State == topup.StateSubmitting {
		return at, nil
	}
	return o, err
}

// seek runs stories of so many steps together on a book, and fails with the shortest that it answers wrongly.
func seek(t *testing.T, s *side, steps, atOnce int) reached {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	r := newReached()
	for ran := 0; ran < steps; {
		story, found := play(t, s, rand.New(rand.NewPCG(seed, uint64(ran))), atOnce, r)
		ran += len(story) * atOnce
		if found == "" {
			continue
		}
		story, found = shorten(t, s, story, found)
		t.Fatalf("-seed %d: after these steps, reference (-) and book (+) differ.\n%s\n%s", seed, printed(story), found)
	}
	return r
}

// play makes up a story while it runs it. found is how the two differ after the last step; empty: they do not.
func play(t *testing.T, s *side, r *rand.Rand, atOnce int, seen reached) (story []step, found string) {
	t.Helper()
	p := newPair(t, s)
	a := &author{Rand: r, clock: noon, alone: atOnce == 1}
	a.look(p.ref.snapshot(t))
	for len(story) < length/atOnce && !a.over() {
		st := a.next()
		if atOnce > 1 && !a.seldom(3) {
			st = a.several(atOnce)
		}
		story = append(story, st)
		before := a.now
		answers, found := p.play(st)
		if found != "" {
			return story, found
		}
		a.look(p.now)
		seen.note(st, answers, before, p.now)
	}
	return story, ""
}

// pair is a book and the reference, which have run the same.
type pair struct {
	t         *testing.T
	book, ref *side
	// log is what the reference ran, one call after the other; each part was one step of the book.
	log [][]step
	// now is what both show.
	now snapshot
}

// newPair begins with two empty books.
func newPair(t *testing.T, s *side) *pair {
	if s.clear != nil {
		s.clear(t)
	}
	return &pair{t: t, book: s, ref: beside(s)}
}

// beside is a reference that shows as little as the book does.
func beside(s *side) *side {
	ref := inMemory()
	ref.anyPlace = s.anyPlace
	return ref
}

// play has both make a step, and says how they differ then. Calls that the book made at once must have come to what
// some order of them comes to.
func (p *pair) play(st step) (answers []answer, found string) {
	p.t.Helper()
	answers = st.run(p.book)
	now := p.book.snapshot(p.t)
	if st.do != nil {
		p.log = append(p.log, []step{st})
		want := st.run(p.ref)
		p.now = p.ref.snapshot(p.t)
		return answers, differ(want, answers, p.now, now)
	}
	for order := range orders(len(st.atOnce)) {
		ref := beside(p.book)
		for _, part := range p.log {
			for _, one := range part {
				one.do(ref)
			}
			ref.snapshot(p.t)
		}
		want, part := make([]answer, len(st.atOnce)), []step{}
		for _, i := range order {
			want[i] = st.atOnce[i].do(ref)
			part = append(part, st.atOnce[i])
		}
		shown := ref.snapshot(p.t)
		different := differ(want, answers, shown, now)
		if different == "" {
			p.ref, p.now = ref, shown
			p.log = append(p.log, part)
			return answers, ""
		}
		if found == "" || len(different) < len(found) {
			found = different
		}
	}
	return answers, "as if one after the other, in the order that comes nearest:\n" + found
}

// differ compares answers and snapshots.
func differ(want, got []answer, wanted, shown snapshot) string {
	if reflect.DeepEqual(want, got) && reflect.DeepEqual(wanted, shown) {
		return ""
	}
	show := cmp.Options{cmp.AllowUnexported(answer{}), cmpopts.EquateComparable()}
	return cmp.Diff(want, got, show) + cmp.Diff(wanted, shown, show) + " "
}

// orders are all orders of n things.
func orders(n int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		var next func(done, left []int) bool
		next = func(done, left []int) bool {
			if len(left) == 0 {
				return yield(done)
			}
			for i, one := range left {
				rest := slices.Concat(left[:i], left[i+1:])
				if !next(append(slices.Clone(done), one), rest) {
					return false
				}
			}
			return true
		}
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		next(nil, all)
	}
}

// shorten leaves out of a story what is not needed for the two to differ.
func shorten(t *testing.T, s *side, story []step, found string) ([]step, string) {
	t.Helper()
	differs := func(story []step) (n int, found string) {
		p := newPair(t, s)
		for i, st := range story {
			if _, found := p.play(st); found != "" {
				return i + 1, found
			}
		}
		return 0, ""
	}
	for chunk := len(story) / 2; chunk > 0; {
		shorter := false
		for from := 0; from < len(story); {
			less := slices.Concat(story[:from], story[min(from+chunk, len(story)):])
			if n, still := differs(less); still != "" {
				story, found, shorter = less[:n], still, true
			} else {
				from += chunk
			}
		}
		if !shorter || chunk > 1 {
			chunk /= 2
		}
	}
	return story, found
}

func printed(story []step) string {
	var b strings.Builder
	for i, st := range story {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, st.text)
		for _, one := range st.atOnce {
			fmt.Fprintf(&b, "     at once: %s\n", one.text)
		}
	}
	return b.String()
}

// reached counts what stories came to, so that none of it is forgotten.
type reached struct {
	// done and refused count the kinds of calls, by the first word of their texts.
	done, refused map[string]int
	moved         map[[2]topup.State]int
}

func newReached() reached {
	return reached{done: map[string]int{}, refused: map[string]int{}, moved: map[[2]topup.State]int{}}
}

func (r reached) note(st step, answers []answer, before, now snapshot) {
	calls := st.atOnce
	if st.do != nil {
		calls = []step{st}
	}
	for i, one := range calls {
		what, _, _ := strings.Cut(one.text, " ")
		if answers[i].kind == "ok" {
			r.done[what]++
		} else {
			r.refused[what]++
		}
	}
	was := map[topup.ID]topup.State{}
	for _, d := range before.Orders {
		was[d.ID] = d.State
	}
	for _, d := range now.Orders {
		r.moved[[2]topup.State{was[d.ID], d.State}]++
	}
}

// check fails where a change of the state table never happened.
func (r reached) check(t *testing.T, all bool) {
	t.Helper()
	t.Logf("done %v, refused %v, moved %v", r.done, r.refused, r.moved)
	if !all {
		return
	}
	for _, tr := range topup.Transitions() {
		if r.moved[[2]topup.State{tr.From, tr.To}] == 0 {
			t.Errorf("no order went from %q to %s", tr.From, tr.To)
		}
	}
	for _, what := range strings.Fields("accept begin finish end cancel resolve hold restore correct dispute uphold defer release " +
		"add look record fan redeliver healthy failed disable change read control: uncontrol") {
		if r.done[what] == 0 {
			t.Errorf("%s was never done", what)
		}
	}
}
