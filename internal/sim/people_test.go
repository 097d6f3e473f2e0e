package sim

import (
	"context"
	"errors"
	"slices"
	"time"

	"recarga/producer"
	"recarga/topup"
)

// at is one of the processes that run; nil: none does.
func (w *world) at(n int) *process {
	run := slices.DeleteFunc(slices.Clone(w.procs), func(p *process) bool {
		return p.leaving || time.Now().Before(p.stopped)
	})
	if len(run) == 0 {
		return nil
	}
	return run[(w.moves+n)%len(run)]
}

// place has an order placed by its caller, or by a task alone.
func (w *world) place(o *order) bool {
	p := w.at(0)
	if p == nil {
		return false
	}
	id := string(o.request.ID)
	o.tried = true
	if o.byQueue {
		w.note("producer", "enqueues", id, "")
		_ = w.queue.EnqueueOrder(context.Background(), o.request, time.Time{})
		o.confirmed = true
		return true
	}
	w.note(o.request.Caller, "places", id, "at "+p.name)
	o.confirmed = true // until the answer says otherwise
	ctx, hangUp := context.WithCancel(context.Background())
	o.hangUp = hangUp
	go func() {
		defer hangUp()
		_, _, err := p.producer.Place(ctx, o.request)
		if errors.Is(err, topup.ErrConflict) {
			w.fail("%s is placed again, and conflicts with itself: %v", id, err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case err == nil:
		case len(topup.FieldErrors(err)) > 0:
			o.refused = !o.placed
		default:
			o.confirmed = false // it is placed again
		}
	}()
	return true
}

// hangUp ends a caller's request before it is answered.
func (w *world) hangUp(o *order) bool {
	if o.hangUp == nil {
		return false
	}
	w.note(o.request.Caller, "hangs up", string(o.request.ID), "")
	o.hangUp()
	o.hangUp = nil
	return true
}

// relocate changes one of a caller's endpoints: it moves, goes away, or comes back.
func (w *world) relocate(caller string) bool {
	own := slices.DeleteFunc(slices.Clone(w.allReceivers), func(r *receiver) bool { return r.caller != caller })
	r := own[w.tape.uniform(ofPeople, len(own))]
	w.mu.Lock()
	r.moved = true
	if r.away = !r.away; !r.away {
		r.url = "http://" + r.host + "/moved"
	}
	w.mu.Unlock()
	w.note(caller, "changes its endpoint", r.who(), map[bool]string{true: "removed", false: r.url}[r.away])
	return true
}

// deeds are what people do. Each reports whether there was occasion for it.
var deeds = []struct {
	name string
	do   func(*world, *order) bool
}{
	{"a caller places its next order", func(w *world, _ *order) bool { return w.placeNext() }},
	{"a caller places an order again", func(w *world, o *order) bool { return !o.byQueue && o.placed && w.place(o) }},
	{"a caller hangs up", func(w *world, o *order) bool { return w.hangUp(o) }},
	{"a caller changes where it is notified", func(w *world, o *order) bool { return w.relocate(o.request.Caller) }},
	{"a caller cancels its order", func(w *world, o *order) bool { return w.cancel(o, o.request.Caller) }},
	{"the operator cancels an order", func(w *world, o *order) bool { return w.cancel(o, "") }},
	{"a caller cancels another's order", func(w *world, o *order) bool { return w.cancelOthers(o) }},
	{"the operator resolves what is held", func(w *world, o *order) bool { return w.resolve(o, false) }},
	{"the operator resolves what is held without looking", func(w *world, o *order) bool { return w.resolve(o, true) }},
	{"the operator resolves all that is held", func(w *world, _ *order) bool {
		return w.all(func(o *order) bool { return w.resolve(o, false) })
	}},
	{"the operator cancels all that can be", func(w *world, _ *order) bool {
		return w.all(func(o *order) bool { return !o.state.Final() && w.cancel(o, "") })
	}},
	{"the operator redelivers all events", func(w *world, _ *order) bool { return w.redeliverAll("") }},
	{"the operator corrects a final state", func(w *world, o *order) bool { return w.correct(o, false) }},
	{"the operator corrects a final state without looking", func(w *world, o *order) bool { return w.correct(o, true) }},
	{"the operator upholds a disputed state", func(w *world, o *order) bool { return w.uphold(o) }},
	{"a statement charges an order that waits", func(w *world, o *order) bool { return w.hold(o) }},
	{"a statement charges an order that the book has lost", func(w *world, o *order) bool {
		return !o.tried && !o.placed && w.restore(o)
	}},
	{"the operator pauses something", func(w *world, o *order) bool { return w.pause(o) }},
	{"the operator changes a limit", func(w *world, _ *order) bool { return w.limit() }},
	{"the operator ends a pause or a limit", func(w *world, _ *order) bool { return w.endOne() }},
	{"the operator holds an order back", func(w *world, o *order) bool { return w.holdBack(o) }},
	{"the operator lets an order go", func(w *world, o *order) bool { return o.heldBack && w.letGoOn(o) }},
	{"the operator reconciles a statement", func(w *world, _ *order) bool { return w.reconcile() }},
	{"an event is redelivered", func(w *world, o *order) bool { return w.redeliver(o, o.request.Caller) }},
	{"a caller redelivers another's event", func(w *world, o *order) bool { return w.redeliver(o, other(o.request.Caller)) }},
}

// other is another caller.
func other(caller string) string {
	if caller == "shop" {
		return "default"
	}
	return "shop"
}

// people has a person do something, with the first order that gives occasion for it.
func (w *world) people(deed int) {
	first := w.tape.choose(ofPeople, len(w.planned), 0.3)
	for i := range w.planned {
		if deeds[deed].do(w, w.planned[(first+i)%len(w.planned)]) {
			return
		}
	}
	w.plainMove()
}

// all has a person do something with all orders at once.
func (w *world) all(do func(*order) bool) (some bool) {
	for _, o := range w.planned {
		some = do(o) || some
	}
	return some
}

// redeliverAll has the events of a state sent again.
func (w *world) redeliverAll(of topup.EventState) bool {
	p := w.at(0)
	if p == nil {
		return false
	}
	w.note("operator", "redelivers all events", string(of), "")
	go func() {
		f := topup.EventFilter{State: of, Limit: 1000}
		_, _, _ = p.producer.RedeliverAll(context.Background(), f, producer.Actor{By: "ana", Reason: "healed"})
	}()
	return true
}

// by makes a person's request, at some process.
func (w *world) by(who, what string, o *order, then string, request func(*process) error) bool {
	p := w.at(0)
	if p == nil || !o.placed || o.unclaimed {
		return false
	}
	w.note(who, what, string(o.request.ID), then)
	go func() { _ = request(p) }() // it may be too late for it, or too early
	return true
}

func (w *world) cancel(o *order, caller string) bool {
	return w.by("person", "cancels", o, "as "+caller, func(p *process) error {
		_, err := p.producer.Cancel(context.Background(), o.request.ID, producer.Actor{Caller: caller, By: caller})
		return err
	})
}

func (w *world) cancelOthers(o *order) bool {
	stranger := other(o.request.Caller)
	return w.by(stranger, "cancels", o, "which is not its own", func(p *process) error {
		_, err := p.producer.Cancel(context.Background(), o.request.ID, producer.Actor{Caller: stranger})
		w.strangers(stranger, "cancel", o, err)
		return err
	})
}

// strangers: what is another caller's is not found.
func (w *world) strangers(who, what string, o *order, err error) {
	if !errors.Is(err, topup.ErrNotFound) && !errors.Is(err, errInjected) && !errors.Is(err, errDead) {
		w.fail("%s may %s %s, an order of %s: %v", who, what, o.request.ID, o.request.Caller, err)
	}
}

// onFaith is the reason of a decision that was made without looking.
const onFaith = "she believes it"

// resolve settles what is held: by the vendor's ledger, as it is at that moment, or blindly.
func (w *world) resolve(o *order, blindly bool) bool {
	if o.state != topup.StateUnknown {
		return false
	}
	now, err := w.journal.Order(context.Background(), o.request.ID)
	if err != nil || now.State != topup.StateUnknown {
		return false
	}
	r := topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "the ledger", By: "ana", Attempt: now.AttemptCount}
	switch {
	case blindly:
		r.Outcome = pick(w.tape, ofPeople, 0.33, topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedResend)
		r.Forced, r.Reason = w.tape.yes(ofPeople, 0.5), onFaith
	case o.charged() > 0:
		r.Outcome = topup.ResolvedSucceeded
	case !w.calm && w.tape.yes(ofPeople, 0.5):
		r.Outcome = topup.ResolvedResend
	}
	return w.by("operator", "resolves", o, string(r.Outcome), func(p *process) error {
		_, err := p.producer.Resolve(context.Background(), o.request.ID, r)
		return err
	})
}

// correct changes a final state that the ledger contradicts, or blindly.
func (w *world) correct(o *order, blindly bool) bool {
	c := topup.Correction{Outcome: topup.ResolvedFailed, Reason: "the ledger", By: "ana"}
	charged := o.charged() > 0
	if blindly {
		charged, c.Reason = o.state != topup.StateSucceeded, onFaith
	}
	if charged {
		c.Outcome = topup.ResolvedSucceeded
	}
	if !o.state.Final() || charged == (o.state == topup.StateSucceeded) {
		return false
	}
	return w.by("operator", "corrects", o, string(c.Outcome), func(p *process) error {
		_, err := p.producer.Correct(context.Background(), o.request.ID, c)
		return err
	})
}

func (w *world) uphold(o *order) bool {
	now, err := w.journal.Order(context.Background(), o.request.ID)
	if err != nil || now.DisputedAt == nil {
		return false
	}
	return w.by("operator", "upholds", o, string(now.State), func(p *process) error {
		u := topup.Upholding{Outcome: topup.DisputeUpheld, Reason: "the vendor pays back", By: "ana"}
		_, err := p.producer.Uphold(context.Background(), o.request.ID, u)
		return err
	})
}

// hold is what a statement does to an order that waits and that it charges, rightly or not.
func (w *world) hold(o *order) bool {
	if o.state != topup.StateQueued && o.state != topup.StateRetrying {
		return false
	}
	return w.by("statement", "charges", o, "", func(p *process) error {
		_, err := p.producer.Hold(context.Background(), o.request.ID, topup.Hold{Evidence: "line 1", By: "ana"})
		return err
	})
}

// restore makes an order known that was bought before the book was restored from a backup, which lacks it. Until that
// is done, nobody asks for it.
func (w *world) restore(o *order) bool {
	p := w.at(0)
	if p == nil || o.byQueue {
		return false
	}
	id := o.request.ID
	if !o.lost {
		bought := kinds()[0][0]
		o.lost, o.sent = true, []*sent{{at: w.began, answer: &bought, charged: true, decided: w.began,
			transaction: "LOST-" + string(id)}}
	}
	w.note("operator", "restores", string(id), "")
	go func() {
		_, _ = p.producer.Restore(context.Background(), topup.LostCharge{ID: id, Phone: o.request.Phone,
			Amount: o.request.Amount, From: w.began, Until: w.began, TransactionID: "LOST-" + topup.NullString(id),
			Evidence: "line 1", By: "ana"}) // the process may die
	}()
	return true
}

// redeliver has the latest event of an order sent again.
func (w *world) redeliver(o *order, caller string) bool {
	d, err := w.journal.Details(context.Background(), o.request.ID)
	if err != nil || len(d.Events) == 0 {
		return false
	}
	id := d.Events[len(d.Events)-1].ID
	return w.by(caller, "redelivers an event", o, "", func(p *process) error {
		_, err := p.producer.Redeliver(context.Background(), id, producer.Actor{Caller: caller})
		if caller != o.request.Caller {
			w.strangers(caller, "redeliver an event of", o, err)
		}
		return err
	})
}
