package sim

import (
	"context"
	"slices"
	"time"

	"recarga/internal/audit"
	"recarga/internal/controls"
	"recarga/producer"
	"recarga/tasks"
	"recarga/topup"
	"recarga/topup/desk"
)

// limited is what a process may do by what people have set, as `recarga serve` has it.
type limited struct {
	rate   topup.Rate
	places int
}

// use has the process do what people have set.
func (p *process) use(now desk.Controls) {
	p.limits.Store(&limited{now.Rate(p.w.rate), now.Concurrency(p.w.places)})
}

// full reports whether the process has no place for another purchase.
func (p *process) full() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	purchases := 0
	for t := range p.handling {
		if !t.event {
			purchases++
		}
	}
	return purchases >= p.limits.Load().places
}

// controlled learns that the book has set a pause or a limit, or ended it.
func (w *world) controlled(call string, c desk.Control) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.set, func(o desk.Control) bool { return o.Kind == c.Kind && o.Name == c.Name })
	switch {
	case call == "journal.EndControl" && i >= 0:
		w.set = slices.Delete(slices.Clone(w.set), i, i+1)
	case call == "journal.SetControl" && i < 0:
		c.Since = time.Now()
		w.set = append(slices.Clone(w.set), c)
	}
}

func (w *world) standing() desk.Controls {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.set
}

// keeps is what keeps everybody from beginning an attempt of an order; empty: nothing does.
func (w *world) keeps(o *order) string {
	c, paused := w.standing().PurchasePause(o.request.Caller, o.request.Product)
	switch {
	case paused:
		return c.Says()
	case o.heldBack:
		return "an operator held it back"
	}
	return ""
}

// watched is a process's deliverer, which delivers nothing that is paused: a process knows of a pause within a second.
type watched struct {
	controls.Deliverer
	w *world
}

func (d watched) judge(id string) {
	if c, paused := d.w.standing().Of(desk.PauseWebhooks); paused && time.Since(c.Since) > time.Second {
		d.w.fail("%s is delivered %s after all webhooks were paused", d.w.named(id), time.Since(c.Since))
	}
}

// DeliverNow implements controls.Deliverer.
func (d watched) DeliverNow(ctx context.Context, ev topup.Event, notDelivered func(topup.Event, time.Time)) bool {
	d.judge(ev.ID)
	return d.Deliverer.DeliverNow(ctx, ev, notDelivered)
}

// Deliver implements controls.Deliverer.
func (d watched) Deliver(ctx context.Context, id string) (time.Time, error) {
	d.judge(id)
	return d.Deliverer.Deliver(ctx, id)
}

// control has the operator set a control, or end it.
func (w *world) control(what string, c desk.Control, do func(controls.Desk, context.Context, desk.Control) error) bool {
	p := w.at(0)
	if p == nil {
		return false
	}
	c.By, c.Reason = "ana", "maintenance"
	w.note("operator", what, c.String(), string(c.Value))
	ctx := audit.With(context.Background(), desk.Act{By: "ana", Role: "operator", Action: what})
	go func() { _ = do(p.desk, ctx, c) }() // the process may die
	return true
}

// pause stops the purchases of an order, alone or with others, or all webhooks.
func (w *world) pause(o *order) bool {
	return w.control("pauses", pick(w.tape, ofPeople, 0.3,
		desk.Control{Kind: desk.PausePurchases},
		desk.Control{Kind: desk.PauseCaller, Name: topup.NullString(o.request.Caller)},
		desk.Control{Kind: desk.PauseProduct, Name: topup.NullString(o.request.Product)},
		desk.Control{Kind: desk.PauseOperator, Name: "MOVISTAR"},
		desk.Control{Kind: desk.PauseWebhooks}), controls.Desk.Set)
}

func (w *world) limit() bool {
	return w.control("limits", pick(w.tape, ofPeople, 0.3,
		desk.Control{Kind: desk.LimitRate, Value: "1/s"},
		desk.Control{Kind: desk.LimitRate, Value: "6/m"},
		desk.Control{Kind: desk.LimitRate, Value: desk.NoLimit},
		desk.Control{Kind: desk.LimitConcurrency, Value: "1"},
		desk.Control{Kind: desk.LimitConcurrency, Value: "64"}), controls.Desk.Set)
}

// endOne ends one of what is set.
func (w *world) endOne() bool {
	all := w.standing()
	return len(all) > 0 && w.control("ends", all[w.tape.uniform(ofPeople, len(all))], controls.Desk.End)
}

// lift has the operator end, once a minute, all that is set or paused; it reports whether anything is.
func (w *world) lift() bool {
	all := w.standing()
	for _, of := range []struct {
		queue string
		kind  desk.ControlKind
	}{{tasks.QueueTopups, desk.PausePurchases}, {tasks.QueueWebhooks, desk.PauseWebhooks}} {
		if _, set := all.Of(of.kind); !set && w.queue.paused[of.queue] {
			all = append(slices.Clone(all), desk.Control{Kind: of.kind})
		}
	}
	if len(all) > 0 && time.Since(w.lifted) > time.Minute {
		w.lifted = time.Now()
		for _, c := range all {
			w.control("ends", c, controls.Desk.End)
		}
	}
	return len(all) > 0
}

func (w *world) holdBack(o *order) bool {
	if o.state != topup.StateQueued && o.state != topup.StateRetrying {
		return false
	}
	return w.by("operator", "holds back", o, "", func(p *process) error {
		_, err := p.producer.HoldBack(context.Background(), o.request.ID, producer.Actor{By: "ana", Reason: "a wrong number"})
		return err
	})
}

func (w *world) letGoOn(o *order) bool {
	return w.by("operator", "lets go", o, "", func(p *process) error {
		_, err := p.producer.LetGo(context.Background(), o.request.ID, producer.Actor{By: "ana", Reason: "the right number"})
		return err
	})
}
