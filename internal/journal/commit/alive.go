package commit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// freshFor is for how long a commit proves that there can be others.
const freshFor = 3 * time.Second

// pulse is what is known of whether commits are answered.
type pulse struct {
	mu sync.Mutex
	// last is when the latest commit was made; the zero time where it was not.
	last time.Time
	// trial is the commit under way that proves it; nil: there is none.
	trial *trial
	// trials under way.
	trials sync.WaitGroup
}

type trial struct {
	began time.Time
	done  chan struct{} // closes when err is there
	err   error
}

// committed notes what a transaction came to.
func (p *pulse) committed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last = time.Now(); err != nil {
		p.last = time.Time{}
	}
}

// Alive reports whether the database answers commits: the latest one, if that is of this moment, or else one that is
// made for the purpose, one at a time, however many ask.
func (c *Committer) Alive(ctx context.Context) error {
	t := c.tried()
	if t == nil {
		return nil
	}
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return fmt.Errorf("a commit has had no answer for %s: %w", time.Since(t.began).Round(time.Millisecond), ctx.Err())
	}
}

// tried is the commit that proves it, begun now or before; nil where none is needed.
func (c *Committer) tried() *trial {
	c.pulse.mu.Lock()
	defer c.pulse.mu.Unlock()
	switch {
	case time.Since(c.pulse.last) < freshFor:
		return nil
	case c.pulse.trial != nil:
		return c.pulse.trial
	}
	t := &trial{began: time.Now(), done: make(chan struct{})}
	c.pulse.trial = t
	c.pulse.trials.Go(func() {
		nothing := func(*Tx) error { return nil }
		t.err = c.Do(context.Background(), "", nil, nothing) // whoever asks may be gone before
		close(t.done)
		c.pulse.mu.Lock()
		defer c.pulse.mu.Unlock()
		c.pulse.trial = nil
	})
	return t
}
