package sim

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"recarga/internal/boundary"
	"recarga/topup"
)

// careless is a book of record that takes what nobody knows for a refusal, and has the order sent again.
type careless struct{ boundary.Journal }

// Finish implements boundary.Journal.
func (c careless) Finish(ctx context.Context, s topup.Settlement, now time.Time) (topup.Order, *topup.Event, error) {
	if s.State == topup.StateUnknown {
		s.Result.Outcome, s.State, s.NextAttemptAt = topup.OutcomeUnavailable, topup.StateRetrying, &now
	}
	return c.Journal.Finish(ctx, s, now)
}

// heedless is a book of record that begins what is paused.
type heedless struct{ boundary.Journal }

func (h heedless) without(ctx context.Context, begin func() (topup.Order, error)) (topup.Order, error) {
	all, err := h.Controls(ctx)
	for _, c := range all {
		err = errors.Join(err, h.EndControl(ctx, c.Kind, string(c.Name)))
	}
	o, began := begin()
	for _, c := range all {
		err = errors.Join(err, h.SetControl(ctx, c))
	}
	return o, cmp.Or(began, err)
}

// Begin implements boundary.Journal.
func (h heedless) Begin(
	ctx context.Context, id topup.ID, attempts int, worker string, deadline, now time.Time,
) (topup.Order, error) {
	return h.without(ctx, func() (topup.Order, error) { return h.Journal.Begin(ctx, id, attempts, worker, deadline, now) })
}

// BeginFirst implements boundary.Journal.
func (h heedless) BeginFirst(
	ctx context.Context, id topup.ID, worker string, deadline, now time.Time,
) (topup.Order, error) {
	return h.without(ctx, func() (topup.Order, error) { return h.Journal.BeginFirst(ctx, id, worker, deadline, now) })
}

// A program with a fault is caught without a scenario, and the life that catches it is shown without what has nothing
// to do with the fault.
func TestFindsAndShrinksAFault(t *testing.T) {
	for name, broken := range map[string]func(boundary.Journal) boundary.Journal{
		"sends again what may be charged": func(j boundary.Journal) boundary.Journal { return careless{j} },
		"begins what is paused":           func(j boundary.Journal) boundary.Journal { return heedless{j} },
	} {
		t.Run(name, func(t *testing.T) { findAndShrink(t, broken) })
	}
}

func findAndShrink(t *testing.T, broken func(boundary.Journal) boundary.Journal) {
	from := newTemplate(t)
	again := func(on *tape) *world { return run(t, from, on, broken) }
	var w *world // the one of five lives with a violation that shows it with the fewest decisions
	for seed, found := uint64(1), 0; found < 5; seed++ {
		if seed > 500 {
			t.Fatal("500 lives of a program with a fault, and hardly a violation")
		}
		if life := again(recording(seed)); life.wrong != "" {
			if found++; w == nil || life.tape.weight() < w.tape.weight() {
				w = life
			}
		}
	}
	short := shrink(w, 500, again)
	t.Logf("%d decisions, %d steps: %s\nshrunk to %d decisions:\n%s", w.tape.weight(), len(w.story), w.wrong,
		short.tape.weight(), short.journey())
	if short.kind != w.kind {
		t.Errorf("the short life fails by another fault: %s, and not %s", short.wrong, w.wrong)
	}
	if short.tape.weight() > 60 ||
		strings.Count(short.journey(), "is killed")+strings.Count(short.journey(), "cancels") > 0 {
		t.Errorf("the short life has %d decisions, some of which have nothing to do with its fault", short.tape.weight())
	}
	if same := again(replaying(short.tape.recorded())); same.journey() != short.journey() {
		t.Errorf("the short life is not repeated:\n%s", same.journey())
	}
}
