package worker_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/worker"
)

// idleBook has no order, and counts the sweeps.
type idleBook struct {
	worker.Journal
	sweeps atomic.Int64
}

func (b *idleBook) Overdue(context.Context, time.Time, int) ([]topup.Due, error) {
	b.sweeps.Add(1)
	return nil, nil
}
func (*idleBook) Due(context.Context, time.Time, topup.Due, int) ([]topup.Due, error) {
	return nil, nil
}
func (*idleBook) DueEvents(context.Context, time.Time, topup.DueEvent, int) ([]topup.DueEvent, error) {
	return nil, nil
}
func (*idleBook) Waiting(context.Context, int) ([]topup.Waiting, error) { return nil, nil }

// idleWaker has nobody to wake.
type idleWaker struct{ worker.Waker }

func (idleWaker) Announce(context.Context) error { return nil }

// TestSweepRests: every worker sweeps at its start; then the one that leads does, the others once in half a minute, and
// they take over at the first sweep for which nobody leads.
func TestSweepRests(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		var leads atomic.Bool
		book, rounds := &idleBook{}, atomic.Int64{}
		w := worker.New(worker.Config{
			Journal: book, Waker: idleWaker{}, Leads: leads.Load, Swept: func(time.Time) { rounds.Add(1) },
			Timeout: time.Second, Log: slog.New(slog.DiscardHandler),
		})
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go w.Sweep(ctx)
		for i, step := range []struct {
			leads bool
			after time.Duration
			want  int64 // sweeps in all
		}{{false, time.Second, 1}, {false, 28 * time.Second, 1}, {false, 2 * time.Second, 2}, {true, 20 * time.Second, 12},
			{false, 28 * time.Second, 12}} {
			leads.Store(step.leads)
			time.Sleep(step.after)
			if got := book.sweeps.Load(); got != step.want {
				t.Errorf("step %d: %d sweeps, want %d", i, got, step.want)
			}
		}
		if got := rounds.Load(); got != 40 {
			t.Errorf("%d signs of life in 79 s, want one every 2 s", got)
		}
	})
}
