package sim

import (
	"context"
	"slices"
	"time"

	"recarga/tasks"
	"recarga/topup"
)

const (
	// patience is how long everything has to end once nothing goes wrong any more.
	patience = 30 * time.Minute
	// turbulent is how long things may go wrong.
	turbulent = 12 * time.Minute
	// afterwards is how long the world goes on when all is settled.
	afterwards = 40 * time.Second
)

// live lets the life happen, and judges it.
func (w *world) live() {
	w.start()
	settled := time.Time{}
	for {
		w.apart()
		if w.gather(); w.wrong != "" {
			return
		}
		if w.leavers() {
			continue
		}
		w.moves++
		if !w.calm && (w.moves > w.length || w.idle() || time.Since(w.began) > turbulent) {
			w.heal()
		}
		if w.calm {
			switch {
			case !w.settled():
				settled = time.Time{}
			case settled.IsZero():
				settled = time.Now()
			case time.Since(settled) > afterwards:
				w.judge()
				return
			}
			if time.Since(w.calmSince) > patience {
				w.fail("something has neither ended nor is held %s after everything works: %s", patience, w.unsettled())
				return
			}
			w.plainMove()
			continue
		}
		w.move()
	}
}

// idle reports whether nothing has been left to do for a while.
func (w *world) idle() bool {
	open := len(w.waiting) > 0 || w.staying() == 0 || slices.ContainsFunc(w.planned, func(o *order) bool {
		return !o.refused && (!o.placed || !o.confirmed || !o.state.Final() && o.state != topup.StateUnknown)
	})
	if w.idled++; open {
		w.idled = 0
	}
	return w.idled > 20
}

// kindsOfMoves counts them, the plain one included.
const kindsOfMoves = 6

// move lets one thing happen. The plain one is that which has waited longest.
func (w *world) move() {
	switch w.tape.among(ofTurns, 1-w.wild, w.turns) {
	case 0:
		w.plainMove()
	case 1: // another step
		if free := w.free(true); len(free) > 0 {
			w.letGo(free[w.tape.uniform(ofTurns, len(free))])
			return
		}
		w.plainMove()
	case 2: // another task, perhaps one that is being handled
		w.handOver(w.tape.uniform(ofTurns, 8), w.tape.yes(ofTurns, 0.3))
	case 3:
		w.people(w.tape.one(ofPeople, w.deeds))
	case 4: // time passes while steps wait
		w.mustHurry(pick(w.tape, ofTurns, 0, time.Millisecond, time.Second, 5*time.Second, 12*time.Second, 40*time.Second,
			2*time.Minute))
	case 5:
		w.accident(w.tape.one(ofTurns, w.accidents))
	}
}

// plainMove lets happen what would come first, if nothing is slow.
func (w *world) plainMove() {
	free := w.free(false)
	switch {
	case len(free) > 0:
		w.letGo(free[0])
	case w.staying() == 0:
		if w.restarts.IsZero() {
			w.restarts = time.Now().Add(pick(w.tape, ofTurns, 0.5, time.Second, 20*time.Second, 2*time.Minute))
		}
		if wait := time.Until(w.restarts); wait > 0 {
			w.passTime(wait)
			return
		}
		w.restarts = time.Time{}
		w.start()
	case w.handOver(0, false):
	case w.placeNext():
	default:
		d := 5 * time.Second
		if at := w.queue.next(); !at.IsZero() {
			d = min(d, max(time.Until(at), time.Millisecond))
		}
		w.passTime(d)
	}
}

// stop stops a process for a while, as a debugger or a host without memory does. Who watches it takes it for dead.
func (w *world) stop(p *process) {
	wait := pick(w.tape, ofTurns, 0.2, 45*time.Second, 3*time.Minute, 8*time.Minute)
	w.note(p.name, "is stopped", "", "for "+wait.String())
	p.stopped = time.Now().Add(wait)
	if w.staying() < 2 {
		w.start()
	}
}

// free are the steps that wait, but those of processes that are stopped. One that takes long may come at any time.
func (w *world) free(any bool) (free []*step) {
	now := time.Now()
	for _, s := range w.waiting {
		running := s.proc == nil || s.who != s.proc.name || !now.Before(s.proc.stopped)
		if running && (any || !now.Before(s.until)) {
			free = append(free, s)
		}
	}
	return free
}

// mustHurry lets time pass, but leaves no request with the vendor for longer than it may think.
func (w *world) mustHurry(d time.Duration) {
	for _, s := range w.waiting {
		if s.who == "vendor" && s.Name == "product_purchase" {
			d = min(d, max(slowest-time.Since(s.since), 0))
		}
	}
	if d == 0 {
		w.plainMove()
		return
	}
	w.note("time", "passes", "", d.String())
	w.sleep(d)
}

// handOver gives a task that is due to a process.
func (w *world) handOver(n int, twice bool) bool {
	due, p := w.queue.due(), w.at(n)
	if p == nil {
		return false
	}
	due = slices.DeleteFunc(due, func(t *task) bool { return !t.event && p.full() })
	if len(due) == 0 {
		return false
	}
	t := due[n%len(due)]
	if !twice {
		t.by = p
	}
	p.do(t)
	return true
}

// placeNext has the next order placed, or placed again whose caller has no answer.
func (w *world) placeNext() bool {
	for _, o := range w.planned {
		switch {
		case o.lost && !o.placed:
			return w.restore(o)
		case !o.confirmed && !o.refused:
			return w.place(o)
		}
	}
	return false
}

// accidents are what happens by itself. Each reports whether it could.
var accidents = []struct {
	name string
	do   func(*world) bool
}{
	{"a process is killed", func(w *world) bool {
		if len(w.procs) == 0 {
			return false
		}
		p := w.procs[w.tape.uniform(ofTurns, len(w.procs))]
		w.note(p.name, "is killed", "", "")
		p.die()
		return true
	}},
	{"a process is asked to end", func(w *world) bool {
		p := w.at(w.tape.uniform(ofTurns, 8))
		if p == nil {
			return false
		}
		w.note(p.name, "is asked to end", "", "")
		p.leave()
		return true
	}},
	{"another process starts", func(w *world) bool {
		if w.staying() >= w.most {
			return false
		}
		w.start()
		return true
	}},
	{"Redis forgets everything", func(w *world) bool {
		w.note("Redis", "forgets everything", "", "")
		w.queue.flush()
		w.redis.forget()
		return true
	}},
	{"a task is lost", func(w *world) bool {
		w.queue.mu.Lock()
		n := len(w.queue.tasks)
		w.queue.mu.Unlock()
		if n == 0 {
			return false
		}
		i := w.tape.uniform(ofTurns, n)
		w.note("queue", "loses a task", w.queue.tasks[i].id, "")
		w.queue.tasks = slices.Delete(w.queue.tasks, i, i+1)
		return true
	}},
	{"a queue is paused, or resumed", func(w *world) bool {
		name := pick(w.tape, ofTurns, 0.5, tasks.QueueTopups, tasks.QueueWebhooks)
		paused := !w.queue.paused[name]
		w.queue.pause(name, paused)
		w.note("queue "+name, "is paused or resumed", "", map[bool]string{true: "paused", false: "resumed"}[paused])
		return true
	}},
	{"the balance is low, or not any more", func(w *world) bool {
		if !w.reserve.set {
			return false
		}
		low := !w.reserve.low.Load()
		w.reserve.low.Store(low)
		w.note("balance", "changes", "", map[bool]string{true: "low", false: "enough"}[low])
		return true
	}},
	{"another worker declares an outage", func(w *world) bool {
		w.note("Redis", "has an outage of MOVISTAR", "", "")
		w.redis.mu.Lock()
		defer w.redis.mu.Unlock()
		w.redis.setOutage("MOVISTAR", topup.Outage{Since: time.Now(), Why: "another worker says so"})
		return true
	}},
	{"a clock jumps", func(w *world) bool {
		p := w.at(w.tape.uniform(ofTurns, len(clocks)))
		if p == nil || !w.skewed {
			return false
		}
		by := clocks[w.tape.uniform(ofTurns, len(clocks))]
		w.note(p.name, "has a clock that jumps", "", "it is wrong by "+by.String())
		p.jump(by)
		return true
	}},
	{"the vendor refuses every login, or not any more", func(w *world) bool {
		w.vendor.refuses, w.vendor.refusedTokens = !w.vendor.refuses, true
		w.note("vendor", "changes", "", map[bool]string{true: "refuses logins", false: "accepts logins"}[w.vendor.refuses])
		return true
	}},
	{"the vendor ends all sessions", func(w *world) bool {
		w.note("vendor", "ends all sessions", "", "")
		clear(w.vendor.tokens)
		return true
	}},
}

func (w *world) accident(n int) {
	if !accidents[n].do(w) {
		w.plainMove()
	}
}

// heal ends all that goes wrong.
func (w *world) heal() {
	w.calm, w.calmSince = true, time.Now()
	w.note("world", "heals", "", "nothing goes wrong from now on")
	w.reserve.low.Store(false)
	w.vendor.refuses = false
	for _, p := range w.procs {
		p.stopped = time.Time{}
		p.jump(0)
	}
	w.skewed = false
	for _, s := range w.waiting {
		s.until = time.Time{}
		if o := w.orders[topup.ID(s.About)]; o != nil {
			o.begun = true
		}
	}
}

// settled reports whether nothing is left to do, and has the operator do what is left for a person.
func (w *world) settled() bool {
	if len(w.waiting) > 0 || w.staying() == 0 || w.lift() {
		return false
	}
	for _, o := range w.planned {
		switch {
		case w.diligent && o.heldBack && time.Since(o.asked) > time.Minute: // otherwise it ends in its time
			o.asked = time.Now()
			w.letGoOn(o)
			return false
		case o.refused:
		case o.byQueue && !o.placed && time.Since(o.asked) > time.Minute: // only its producer knows of it
			o.asked = time.Now()
			w.place(o)
			return false
		case !o.confirmed, !o.placed, !o.state.Final() && o.state != topup.StateUnknown:
			return false
		case w.diligent && o.state == topup.StateUnknown && time.Since(o.asked) > time.Minute:
			o.asked = time.Now() // it may be too early
			return !w.resolve(o, false)
		}
	}
	pending, err := w.book.DueEvents(context.Background(), ever, topup.DueEvent{}, 1000)
	switch {
	case err != nil:
		w.fail("%v", err)
	case len(pending) > 0:
		return false
	case !w.redone && w.exhausted():
		w.redone = w.redeliverAll(topup.EventExhausted)
		return false
	}
	return true
}

// exhausted reports whether an event of an order is.
func (w *world) exhausted() bool {
	return slices.ContainsFunc(w.planned, func(o *order) bool {
		d, err := w.journal.Details(context.Background(), o.request.ID)
		return err == nil && slices.ContainsFunc(d.Events, func(ev topup.Event) bool {
			return ev.State == topup.EventExhausted
		})
	})
}

// unsettled says what is not.
func (w *world) unsettled() string {
	for _, o := range w.planned {
		if !o.refused && (!o.confirmed || !o.state.Final() && o.state != topup.StateUnknown) {
			return string(o.request.ID) + " is " + string(o.state)
		}
	}
	events, _ := w.journal.DueEvents(context.Background(), ever, topup.DueEvent{}, 1)
	for _, ev := range events {
		return w.named(ev.ID) + " is pending"
	}
	if len(w.waiting) > 0 {
		return "steps wait for ever: " + w.waiting[0].Name
	}
	return "something"
}
