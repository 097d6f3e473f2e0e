package admission

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
)

// counted counts the rounds of the release loop.
type counted struct {
	*world
	rounds atomic.Int64
}

func (c *counted) Waiting(ctx context.Context, each int) ([]topup.Waiting, error) {
	c.rounds.Add(1)
	return c.world.Waiting(ctx, each)
}

// TestReleaseRests: orders that wait are looked for by the worker that leads, and by the others now and then.
func TestReleaseRests(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		var leads atomic.Bool
		w := &counted{world: &world{}}
		c := w.control()
		c.Queue, c.Leads = w, leads.Load
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go c.Run(ctx, nil)
		for _, step := range []struct {
			leads       bool
			least, most int64 // rounds in a minute
		}{{false, 10, 15}, {true, 100, 130}, {false, 10, 15}} {
			leads.Store(step.leads)
			before := w.rounds.Load()
			time.Sleep(time.Minute)
			if n := w.rounds.Load() - before; n < step.least || n > step.most {
				t.Errorf("leads: %v: %d rounds in a minute, want %d to %d", step.leads, n, step.least, step.most)
			}
		}
	})
}

// TestRestedWorkerKnows: an order that comes to a worker which has rested is decided by what the others know now.
func TestRestedWorkerKnows(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		w := &world{granted: 1, moneyFor: 1}
		c := w.control()
		c.Leads, c.RateLimiter, c.Reserves = func() bool { return false }, nil, nil
		ctx, end := context.WithCancel(t.Context())
		go c.Run(ctx, nil)
		time.Sleep(restPause + time.Second)
		if !c.Unrestricted(ctx) {
			t.Fatal("an order may not be bought")
		}
		end() // no other round of its own
		time.Sleep(time.Second)
		w.shared.PausedUntil = time.Now().Add(time.Minute)
		if c.Unrestricted(t.Context()) {
			t.Error("an order passes by the pause that another worker was asked for")
		}
		if d := c.Admit(t.Context(), order(topup.PriorityNormal, 0)); d.Buy {
			t.Error("an order is bought during the pause")
		}
	})
}
