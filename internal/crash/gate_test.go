package crash

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"recarga/internal/boundary"
)

// kind is what happens at a boundary.
type kind string

const (
	none kind = ""
	// failed: the call is refused and has no effect.
	failed kind = "error"
	// lost: the call has its effect, and its answer is lost.
	lost kind = "lost reply"
	// diesBefore and diesAfter: the process dies before, or after, the call has its effect.
	diesBefore kind = "death before"
	diesAfter  kind = "death after"
	// torn: the call has its effect, and half of its answer arrives. For what is read from a network.
	torn kind = "torn reply"
)

// fault is one kind at one boundary: the n-th call of its name.
type fault struct {
	boundary string
	kind     kind
}

func (f fault) String() string { return f.boundary + ", " + string(f.kind) }

var (
	errInjected = errors.New("injected fault")
	errDead     = errors.New("the process is dead")
)

// mostCalls is how many calls of one name are distinguished. A sweep repeats its own for ever, the same
// each time.
func mostCalls(name string) int {
	switch name {
	case "journal.Due", "journal.Overdue", "journal.DueEvents", "journal.Waiting", "journal.Released", "journal.Controls",
		"queue.Announce":
		return 1
	}
	return 4
}

// gate is all that a process has to do with the world: whatever it calls goes through here. Of a dead
// process nothing goes through any more, which is all that the world sees of a death.
type gate struct {
	fault fault

	mu   sync.Mutex
	seen map[string]int
	met  []string // every boundary, in the order of its first call
	hit  bool
	dead bool
	died chan struct{}
}

func newGate(f fault) *gate {
	return &gate{fault: f, seen: map[string]int{}, died: make(chan struct{})}
}

// enter notes a call and says what is to happen to it.
func (g *gate) enter(name string) (kind, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dead {
		return none, errDead
	}
	g.seen[name]++
	n := g.seen[name]
	if n > mostCalls(name) {
		return none, nil
	}
	boundary := fmt.Sprintf("%s#%d", name, n)
	g.met = append(g.met, boundary)
	if boundary != g.fault.boundary {
		return none, nil
	}
	g.hit = true
	return g.fault.kind, nil
}

func (g *gate) die() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.dead {
		g.dead = true
		close(g.died)
	}
}

func (g *gate) isDead() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dead
}

func (g *gate) wasHit() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hit
}

func (g *gate) boundaries() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.met...)
}

// Pass implements boundary.Gate: it makes a call that may fail, if the process lives and the fault lets it.
func (g *gate) Pass(_ context.Context, c boundary.Call, effect func() (any, error)) error {
	what, err := g.enter(c.Name)
	switch {
	case err != nil:
		return err
	case what == failed:
		return errInjected
	case what == diesBefore:
		g.die()
		return errDead
	}
	_, _ = effect() // its answer is its caller's
	switch {
	case what == diesAfter:
		g.die()
		return errDead
	case g.isDead(): // it died during the call
		return errDead
	case what == lost:
		return errInjected
	}
	return nil
}
