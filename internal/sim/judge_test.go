package sim

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"recarga/internal/boundary"
	"recarga/internal/journal"
	"recarga/internal/journal/search"
	"recarga/topup"
	"recarga/topup/desk"
)

// operations are the calls that change an order's state.
var operations = map[string]topup.Operation{
	"journal.Accept": topup.OpAccept, "journal.AcceptInvalid": topup.OpAccept, "journal.BeginFirst": topup.OpBegin,
	"journal.Begin": topup.OpBegin, "journal.Finish": topup.OpFinish, "journal.End": topup.OpEnd,
	"journal.Cancel": topup.OpCancel, "journal.Hold": topup.OpHold, "journal.Resolve": topup.OpResolve,
	"journal.Correct": topup.OpCorrect, "journal.Restore": topup.OpRestore,
}

// observe learns what a call of the journal has done, whoever hears of it.
func (w *world) observe(p *process, c boundary.Call, f fate, out any, own error) {
	if !strings.HasPrefix(c.Name, "journal.") {
		return
	}
	w.mu.Lock()
	w.version++
	w.mu.Unlock()
	if copies, ok := out.([]topup.Event); ok && own == nil {
		for _, ev := range copies {
			w.name(ev)
		}
	}
	if disabled, ok := out.(boundary.Disabled); ok && disabled.Event != nil {
		w.name(*disabled.Event)
	}
	if control, ok := c.Asked.(desk.Control); ok && own == nil {
		w.controlled(c.Name, control)
	}
	o := w.orders[topup.ID(c.About)]
	if o == nil {
		return
	}
	if s, ok := c.Asked.(topup.Settlement); ok && (own == nil || errors.Is(own, topup.ErrLost)) {
		o.finished(p, s.Number)
	}
	if own != nil {
		return
	}
	if why, ok := c.Asked.(topup.Wait); ok {
		o.waits = why
	}
	switch out := out.(type) {
	case boundary.Accepted:
		w.changed(p, c, f, o, out.Order, nil)
	case boundary.Changed:
		w.changed(p, c, f, o, out.Order, out.Event)
	case *topup.Event:
		invalid := topup.Order{ID: o.request.ID, State: topup.StateFailed, Reason: topup.ReasonInvalid}
		w.changed(p, c, f, o, invalid, out)
	case topup.Order:
		w.changed(p, c, f, o, out, nil)
	}
}

// finished: a process has brought the result of an attempt, or the sweep has called it unknown.
func (o *order) finished(p *process, number int) {
	for _, a := range o.attempts {
		a.recorded = a.recorded || a.number == number && a.proc == p
	}
}

func (w *world) changed(p *process, c boundary.Call, f fate, o *order, now topup.Order, ev *topup.Event) {
	if ev != nil {
		w.name(*ev)
	}
	by, from, kept := operations[c.Name], o.state, w.keeps(o)
	o.calm = o.calm || !o.placed && w.calm && !o.begun
	o.placed = true
	if o.unclaimed && !now.Unclaimed {
		o.unclaimed, o.expected = false, append(o.expected, topup.EventTypeOf(now.State))
	}
	if o.heldBack = now.WaitsFor == topup.NullString(topup.WaitOperator); o.heldBack {
		o.waits = topup.WaitOperator
	}
	if by == "" || now.State == from {
		return
	}
	if s, ok := c.Asked.(topup.Settlement); ok &&
		(s.Number != now.AttemptCount || from != topup.StateSubmitting && from != topup.StateUnknown) {
		by = topup.OpFinishLate
	}
	if !topup.Allowed(from, now.State, by) {
		w.fail("%s goes from %q to %s by %s, which the table does not allow", now.ID, from, now.State, by)
	}
	if due := o.due; by == topup.OpBegin && !due.IsZero() && time.Now().Before(due.Add(-w.wrongClocks)) {
		w.fail("%s is tried again %s too early", now.ID, time.Until(due))
	}
	o.state, o.due = now.State, time.Time{}
	if now.NextAttemptAt != nil {
		o.due = *now.NextAttemptAt
	}
	w.reachTransition(o, from, by, f)
	w.note("order", "becomes "+string(now.State), string(now.ID), string(by)+" "+string(now.Reason))
	switch by {
	case topup.OpRestore: // nobody is notified before somebody claims it
		o.unclaimed, o.confirmed = true, false
		o.attempts = append(o.attempts, &attempt{number: 1, proc: p, sent: o.sent[0]})
		return
	case topup.OpBegin:
		a := &attempt{number: now.AttemptCount, proc: p, kept: kept}
		o.attempts, p.begun[now.ID] = append(o.attempts, a), a
	case topup.OpResolve:
		r, _ := c.Asked.(topup.Resolution)
		o.blind = o.blind || r.Reason == onFaith
		if r.Outcome == topup.ResolvedResend {
			o.resends++
		}
	case topup.OpHold:
		o.held, o.heldBefore = true, o.resends
	case topup.OpCorrect:
		c, _ := c.Asked.(topup.Correction)
		o.blind = o.blind || c.Reason == onFaith
		o.expected = append(o.expected, topup.EventCorrected)
		return
	}
	if kind := topup.EventTypeOf(now.State); kind != "" {
		o.expected = append(o.expected, kind)
	}
}

// unheard: the answer to a call did not arrive. An attempt whose beginning is not heard of is not made.
func (p *process) unheard(c boundary.Call) {
	if operations[c.Name] == topup.OpBegin {
		if a := p.begun[topup.ID(c.About)]; a != nil && a.sent == nil {
			a.recorded = true
		}
	}
}

// mayBeSent judges a request as it reaches the vendor: it is the last of the order's.
func (w *world) mayBeSent(o *order, s *sent) {
	if o.state == topup.StateQueued || o.state == topup.StateRetrying || s.number == 0 {
		w.fail("%s is sent without a record of the attempt: it is %s", o.request.ID, o.state)
	}
	if latest := len(o.attempts); o.state == topup.StateUnknown || latest > 0 && s.number != o.attempts[latest-1].number {
		w.fail("%s is sent, and its attempt %d is over", o.request.ID, s.number)
	}
	if latest := len(o.attempts); latest > 0 && o.attempts[latest-1].kept != "" {
		w.fail("%s is sent, and when its attempt began %s", o.request.ID, o.attempts[latest-1].kept)
	}
	if at := o.request.ExpiresAt; at != nil && time.Now().After(*at) {
		w.fail("%s is sent, and has expired", o.request.ID)
	}
	if o.held && s.resends <= o.heldBefore {
		w.fail("%s is sent again, though a statement charges it", o.request.ID)
	}
	for _, e := range o.sent[:len(o.sent)-1] {
		switch {
		case w.policy.ResendUnknown, s.resends > e.resends, o.blind, o.misled:
		case e.charged && (!e.known || !e.answer.lies):
			w.fail("%s is sent again, and is charged already", o.request.ID)
		case !e.known:
			w.fail("%s is sent again, though nobody knows what became of attempt %d", o.request.ID, e.number)
		}
		if e.known && s.resends == e.resends && time.Since(e.decided)+w.wrongClocks < e.answer.wait {
			w.fail("%s is sent again sooner than the vendor asked for", o.request.ID)
		}
	}
}

// judge asks the vendor's ledger whether all promises were kept.
func (w *world) judge() {
	for _, o := range w.planned {
		if !o.placed {
			if o.charged() > 0 {
				w.fail("%s was refused, and is charged", o.request.ID)
			}
			continue
		}
		d, err := w.journal.Details(context.Background(), o.request.ID)
		if err != nil {
			w.fail("%s is lost: %v", o.request.ID, err)
			return
		}
		w.judgeMoney(o, d)
		w.judgeAttempts(o, d)
		w.judgeSale(o, d)
		w.judgeEvents(o, d)
	}
	w.judgeTenants()
	for _, p := range w.procs {
		for t, since := range p.handling {
			if time.Since(since) > time.Minute {
				w.fail("%s has handled %s for %s, and nothing ends it", p.name, w.named(t.id), time.Since(since))
			}
		}
	}
}

// judgeMoney: once, and the truth.
func (w *world) judgeMoney(o *order, d topup.Details) {
	charged, id := o.charged(), o.request.ID
	excused := o.blind || o.misled || o.lied()
	switch {
	case charged > 1 && !excused && (!w.policy.ResendUnknown || w.vendor.idempotent):
		w.fail("%s is charged %d times", id, charged)
	case d.State == topup.StateSucceeded && charged == 0 && !excused:
		w.fail("%s is %s, and was never charged", id, d.State)
	case (d.State == topup.StateFailed || d.State == topup.StateCanceled) && charged > 0 && !excused:
		w.fail("%s is %s/%s, and is charged", id, d.State, d.Reason)
	case !d.State.Final() && d.State != topup.StateUnknown:
		w.fail("%s is %s, and has neither ended nor is it held", id, d.State)
	case d.State != o.state:
		w.fail("%s is %s in the journal, and was last seen as %s", id, d.State, o.state)
	}
	if len(d.Disputes) == 0 && o.approvedTwice(d) {
		w.fail("%s was approved twice, and nobody is asked about it", id)
	}
}

// approvedTwice reports whether the record has approvals of two purchases.
func (o *order) approvedTwice(d topup.Details) bool {
	first := ""
	for _, a := range d.Attempts {
		i := slices.IndexFunc(o.attempts, func(of *attempt) bool { return of.number == a.Number })
		if a.Outcome != topup.OutcomeApproved || i < 0 || o.attempts[i].sent == nil {
			continue
		}
		switch transaction := o.attempts[i].sent.transaction; first {
		case "":
			first = transaction
		case transaction:
		default:
			return true
		}
	}
	return false
}

// judgeSale: while nothing goes wrong, what is accepted is bought.
func (w *world) judgeSale(o *order, d topup.Details) {
	excused := w.vendor.halfOpen || w.vendor.refusedTokens
	if o.calm && len(o.attempts) > 0 && !excused && d.State != topup.StateSucceeded && d.Reason != topup.ReasonExpired {
		w.fail("%s was accepted while nothing went wrong, and is %s/%s", o.request.ID, d.State, d.Reason)
	}
}

// judgeAttempts: what the record says of each attempt is what the vendor did, and is unknown only where it could not be
// known.
func (w *world) judgeAttempts(o *order, d topup.Details) {
	for _, a := range d.Attempts {
		i := slices.IndexFunc(o.attempts, func(of *attempt) bool { return of.number == a.Number })
		if i < 0 {
			w.fail("%s has an attempt %d that nobody began", d.ID, a.Number)
			return
		}
		made := o.attempts[i]
		if wrong := made.contradicts(a); wrong != "" {
			w.fail("attempt %d of %s is recorded as %s, and %s", a.Number, d.ID, a.Outcome, wrong)
		}
	}
	if len(d.Attempts) < len(o.attempts) {
		w.fail("%s has %d attempts, and the journal has forgotten some of them: %d", d.ID, len(o.attempts), len(d.Attempts))
	}
	if n := len(d.Attempts); w.policy.MaxAttempts < n && o.resends == 0 && !slices.ContainsFunc(d.Attempts, free) {
		w.fail("%s had %d attempts, and %d are allowed", d.ID, n, w.policy.MaxAttempts)
	}
}

// free reports whether an attempt may have spent no try.
func free(a topup.Attempt) bool {
	return a.Probe || a.HTTPStatus != nil && (*a.HTTPStatus == 429 || *a.HTTPStatus == 401)
}

// contradicts says what of an attempt's record is not so; empty: nothing.
func (made *attempt) contradicts(a topup.Attempt) string {
	s := made.sent
	switch {
	case a.FinishedAt == nil:
		return "has no result"
	case s == nil && a.Outcome != topup.OutcomeNotSent && a.Outcome != topup.OutcomeUnknown:
		return "never reached the vendor"
	case s == nil:
		return ""
	case s.known && made.recorded && !made.proc.dead && a.Outcome != s.answer.means:
		return "the vendor's answer, which arrived, means " + string(s.answer.means) + ": " + s.answer.name
	case a.Outcome == topup.OutcomeUnknown, s.known && a.Outcome == s.answer.means:
		return ""
	case s.answer == nil:
		return "the vendor got the request, and did not answer"
	}
	return "the answer, which did not arrive whole, was: " + s.answer.name
}

// judgeEvents: the caller is notified of every change of state, in order, at each of its endpoints.
func (w *world) judgeEvents(o *order, d topup.Details) {
	for _, r := range w.allReceivers {
		if r.caller != o.request.Caller {
			continue
		}
		if r.gone || r.moved {
			w.judgeCopies(o, d, r)
			continue
		}
		var types []topup.EventType
		var last topup.Event
		for _, ev := range d.Events {
			if ev.Endpoint != r.name {
				continue
			}
			types, last = append(types, ev.Type), ev
			heard, ok := r.heard[ev.ID]
			if !ok {
				w.fail("%s was never notified of %s (%s), which is %s", r.who(), w.named(ev.ID), ev.Type, ev.State)
			} else if heard.Type != ev.Type || heard.Data.Sequence != ev.Sequence {
				w.fail("%s got another event than %s", r.who(), w.named(ev.ID))
			}
		}
		var want []topup.EventType
		for _, kind := range o.expected {
			if len(r.types) == 0 || slices.Contains(r.types, kind) {
				want = append(want, kind)
			}
		}
		if !slices.Equal(types, want) {
			w.fail("%s has the events %v of %s, and its states were %v", r.who(), types, d.ID, want)
		}
		if heard := r.heard[last.ID]; len(r.types) == 0 && len(types) > 0 && heard.Data.State != d.State {
			w.fail("%s last heard that %s is %s, and it is %s", r.who(), d.ID, heard.Data.State, d.State)
		}
	}
}

// judgeCopies: whatever its caller changes, an endpoint has one copy of an event at most.
func (w *world) judgeCopies(o *order, d topup.Details, r *receiver) {
	copies := map[int]bool{}
	for _, ev := range d.Events {
		if ev.Endpoint == r.name && copies[ev.Sequence] {
			w.fail("%s has two copies of event %d of %s", r.who(), ev.Sequence, o.request.ID)
		}
		copies[ev.Sequence] = copies[ev.Sequence] || ev.Endpoint == r.name
	}
}

// judgeTenants: a caller's list and its feed have its own orders and events, all of them, and no others.
func (w *world) judgeTenants() {
	book, ok := w.journal.(*journal.Journal)
	if !ok {
		return // the reference has no lists
	}
	for _, caller := range []string{"default", "shop", "branch"} {
		orders, _, err := book.List(context.Background(), search.Filter{Caller: caller})
		if err != nil {
			w.fail("%v", err)
		}
		listed := map[topup.ID]bool{}
		for _, o := range orders {
			listed[o.ID] = true
			if w.orders[o.ID].request.Caller != caller {
				w.fail("%s sees %s, an order of another", caller, o.ID)
			}
		}
		events, _, err := book.Events(context.Background(), topup.EventFilter{Caller: caller, Limit: 1000})
		if err != nil {
			w.fail("%v", err)
		}
		fed := map[topup.ID]int{}
		for _, ev := range events {
			fed[ev.OrderID]++
			if o := w.orders[ev.OrderID]; o == nil || o.request.Caller != caller {
				w.fail("%s sees %s, an event of another", caller, w.named(ev.ID))
			}
		}
		for _, o := range w.planned {
			if o.placed && o.request.Caller == caller && (!listed[o.request.ID] || fed[o.request.ID] < len(o.expected)) {
				w.fail("%s does not see all of its order %s", caller, o.request.ID)
			}
		}
	}
}
