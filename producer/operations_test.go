package producer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/sim/reference"
	"recarga/producer"
	"recarga/topup"
)

// quotas give what a test says, and remember what became of the room that was taken.
type quotas struct {
	err     error
	settled []bool
}

func (q *quotas) Take(context.Context, string) (func(placed bool), error) {
	if q.err != nil {
		return nil, q.err
	}
	return func(placed bool) { q.settled = append(q.settled, placed) }, nil
}

// walk is a producer with all that it does.
type walk struct {
	*rand.Rand
	p      *producer.Producer
	book   *reference.Journal
	waker  *waker
	quotas *quotas
	lines  *bytes.Buffer // of the log
}

func newWalk(seed uint64) *walk {
	w := &walk{
		Rand: rand.New(rand.NewPCG(seed, 0)), waker: &waker{}, quotas: &quotas{}, lines: &bytes.Buffer{},
		book: reference.New(reference.Config{Tried: time.Hour, Catalog: topup.AnyProduct()}),
	}
	w.p = producer.New(w.book, w.waker, slog.New(slog.NewTextHandler(w.lines, nil))).WithQuotas(w.quotas)
	return w
}

// TestOperationsWakeForWhatTheyChange: of random operations, each that changes an order is logged once and enqueues
// the events that it made, and the order if that is due; each other one does neither. Room for an order is taken for a
// new one alone.
func TestOperationsWakeForWhatTheyChange(t *testing.T) {
	ids := []topup.ID{"A", "B", "C"}
	for seed := range uint64(100) {
		w := newWalk(seed)
		for n := range 40 {
			id := ids[w.IntN(len(ids))]
			w.attempt(t, id)
			before, missing := w.book.Details(t.Context(), id)
			w.waker.orders, w.waker.events, w.quotas.settled = nil, nil, nil
			w.lines.Reset()
			what, o, err := w.operation(t, id, before.Order)
			after, _ := w.book.Details(t.Context(), id)
			changed := !cmp.Equal(before, after)
			var events []string
			for _, ev := range after.Events[min(len(before.Events), len(after.Events)):] {
				events = append(events, ev.ID)
			}
			var orders []topup.ID
			placed := missing != nil && after.ID != ""
			again := what == "resolve" && err == nil && after.State == topup.StateRetrying // also when it is repeated
			if placed && after.WaitsFor == "" || again {
				orders = []topup.ID{id}
			}
			name := fmt.Sprintf("seed %d, step %d, %s %s (was %s, %v)", seed, n, what, id, before.State, err)
			if !slices.Equal(w.waker.events, events) || !slices.Equal(w.waker.orders, orders) {
				t.Fatalf("%s: enqueued %v and %v, want %v and %v", name, w.waker.orders, w.waker.events, orders, events)
			}
			if logged := bytes.Count(w.lines.Bytes(), []byte("\n")); logged == 1 != (changed || again) || logged > 1 {
				t.Fatalf("%s: changed %v, logged %d lines:\n%s", name, changed, logged, w.lines)
			}
			if err == nil && !cmp.Equal(o, after.Order) || err != nil && changed {
				t.Fatalf("%s: it is another: %s", name, cmp.Diff(o, after.Order))
			}
			w.checkRoom(t, name, what == "place" && w.quotas.err == nil, placed)
		}
	}
}

func (w *walk) checkRoom(t *testing.T, name string, asked, placed bool) {
	t.Helper()
	if want := []bool{placed}[:map[bool]int{true: 1}[asked]]; !slices.Equal(w.quotas.settled, want) {
		t.Fatalf("%s: the room was settled as %v, want %v", name, w.quotas.settled, want)
	}
}

// attempt now and then makes an attempt for an order, so that it can be in any state.
func (w *walk) attempt(t *testing.T, id topup.ID) {
	t.Helper()
	now := time.Now()
	o, err := w.book.Order(t.Context(), id)
	if err != nil || w.IntN(2) == 0 {
		return
	}
	if o, err = w.book.Begin(t.Context(), id, o.AttemptCount, "worker", now, now); err != nil || w.IntN(6) == 0 {
		return
	}
	s := []topup.Settlement{
		{State: topup.StateUnknown, Result: topup.Result{Outcome: topup.OutcomeUnknown}},
		{State: topup.StateRetrying, Result: topup.Result{Outcome: topup.OutcomeUnavailable}},
		{State: topup.StateSucceeded, Result: topup.Result{Outcome: topup.OutcomeApproved}},
	}[w.IntN(3)]
	s.ID, s.Number = id, o.AttemptCount
	if _, _, err := w.book.Finish(t.Context(), s, now); err != nil {
		t.Fatal(err)
	}
}

// operation does one, on an order that was so before.
func (w *walk) operation(t *testing.T, id topup.ID, was topup.Order) (what string, o topup.Order, err error) {
	t.Helper()
	ctx, who := t.Context(), producer.Actor{Caller: []string{"", topup.DefaultCaller, "another"}[w.IntN(3)], By: "ana"}
	reason := []string{"seen", "seen", ""}[w.IntN(3)]
	as := []topup.ResolvedAs{topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend}[w.IntN(3)]
	switch w.IntN(8) {
	case 0:
		o, err = w.p.Cancel(ctx, id, who)
		return "cancel", o, err
	case 1, 2:
		o, err = w.p.Resolve(ctx, id, topup.Resolution{Outcome: as, Reason: reason})
		return "resolve", o, err
	case 3:
		o, err = w.p.Hold(ctx, id, topup.Hold{Evidence: reason})
		return "hold", o, err
	case 4:
		o, err = w.p.Correct(ctx, id, topup.Correction{Outcome: as, Reason: reason})
		return "correct", o, err
	}
	return w.place(t, id, was)
}

// place places an order, or one that was placed again, with other content or too many of them.
func (w *walk) place(t *testing.T, id topup.ID, was topup.Order) (what string, o topup.Order, err error) {
	t.Helper()
	over, away := &topup.QuotaError{Reason: "too many"}, errors.New("no quotas today")
	w.quotas.err = []error{nil, nil, nil, over, away}[w.IntN(5)]
	r := topUp
	if r.ID, r.Caller = id, ""; w.IntN(3) == 0 {
		r.Priority = topup.PriorityBulk
	}
	if was.Amount == r.Amount && w.IntN(4) == 0 {
		r.Amount++
	}
	if w.IntN(8) == 0 {
		r.ExpiresAt = new(time.Now().Add(-time.Hour))
	}
	o, replayed, err := w.p.Place(t.Context(), r)
	conflict := errors.Is(err, topup.ErrConflict)
	switch stored := was.ID != ""; {
	case errors.Is(w.quotas.err, away) && !errors.Is(err, away),
		errors.Is(w.quotas.err, over) && !stored && !errors.Is(err, over):
		t.Fatalf("quotas say %v, and %s of %s is placed: %v", w.quotas.err, r.Amount, id, err)
	case !errors.Is(w.quotas.err, away) && stored && !conflict && (err != nil || !replayed),
		err == nil && replayed != stored:
		t.Fatalf("an order that was placed (%v) is placed again: replayed %v, %v", stored, replayed, err)
	case err == nil && o.Caller != topup.DefaultCaller:
		t.Fatalf("an order without a caller is of %q", o.Caller)
	}
	return "place", o, err
}
