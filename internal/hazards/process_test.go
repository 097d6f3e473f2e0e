package hazards

import "testing"

// TestHazard01KillMidCall: the distributor has charged, the worker is killed before the answer, and the
// next worker takes the task back.
func TestHazard01KillMidCall(t *testing.T) {
	both(t, func(w *world) {
		victim := w.startChild(w.setup)
		w.place("ORD-1", late, w.Redis)
		w.charged("ORD-1", 1)
		victim.kill()
		w.expireLeases()
		w.start(w.setup)
		w.twice("ORD-1")
	})
}

// TestHazard02Zombie: a worker is paused just before its request leaves; another one takes over; then
// the first one continues where it stopped. Ours had recorded its attempt already.
func TestHazard02Zombie(t *testing.T) {
	both(t, func(w *world) {
		last := 1 // login before the request
		if w.Ours {
			last = 2
		}
		zombie := w.pausedAt(last, w.setup)
		if w.Ours { // nobody may act until the attempt times out
			w.is("ORD-1", "unknown")
		} else {
			w.charged("ORD-1", 1)
		}
		w.revive(zombie)
		w.twice("ORD-1")
	})
}

// TestHazard03CheckThenPause: the same with a worker that checks its context first. It was good then.
// Ours is paused before it has recorded anything, so that the other worker buys.
func TestHazard03CheckThenPause(t *testing.T) {
	both(t, func(w *world) {
		s := w.setup
		s.CheckContext = true
		zombie := w.pausedAt(1, s)
		w.charged("ORD-1", 1)
		w.revive(zombie)
		w.twice("ORD-1")
	})
}

// pausedAt places an order, pauses the worker that takes it at its nth login, and starts another one
// as if its lease had run out.
func (w *world) pausedAt(n int, s setup) *child {
	w.Helper()
	var zombie *child
	started, paused := make(chan struct{}), make(chan struct{})
	pause := func(login int) {
		if login == n {
			<-started
			zombie.pause()
			close(paused)
		}
	}
	w.onLogin.Store(&pause)
	zombie = w.startChild(s)
	close(started)
	w.place("ORD-1", ordinary, w.Redis)
	w.wait(paused, "the worker logs in")
	w.expireLeases()
	w.start(w.setup)
	return zombie
}

// revive lets a paused worker continue, and waits until its handler has ended.
func (w *world) revive(zombie *child) {
	w.Helper()
	zombie.resume()
	w.wait(zombie.ended, "the paused worker ends its handler")
}
