package reference_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"recarga/topup"
	"recarga/topup/desk"
)

// noon is when stories begin: later than the ids of the events are made, which the machine's clock makes.
var noon = time.Now().UTC().Truncate(24 * time.Hour).Add(60 * time.Hour)

// since is a time of a story as it is printed.
func since(t time.Time) string { return "noon+" + t.Sub(noon).String() }

func sinceOrNil(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return since(*t)
}

// The names of the stories.
var (
	ids     = []topup.ID{"A", "B", "C", "D", "E", "s-1", "s-2", "k.1"}
	tenants = []string{"shop", "kiosk", topup.DefaultCaller}
	urls    = []string{"https://shop.example/hook", "https://shop.example/other"}
	texts   = []string{"", "", "seen", "seen by the portal", "a\x00b", "\xff", "line 7"}
	names   = []string{"", "ana", "ben"}
	plain   = []string{"by the portal", "line 7", "line 8"}
)

// step is one call, or several at once, with all that it is called with.
type step struct {
	text string
	// do makes the call and returns what came of it.
	do func(*side) answer
	// atOnce are made side by side; do is nil then.
	atOnce []step
}

// answer is what came of a call: its error's kind, and without an error the values.
type answer struct {
	kind   string
	values []any
}

func answered(err error, values ...any) answer {
	if err != nil {
		return answer{kind: kind(err)}
	}
	for i, v := range values {
		switch v := v.(type) {
		case *topup.Event:
			if v != nil {
				ev := *v
				ev.ID = name(ev)
				values[i] = ev
			} else {
				values[i] = nil
			}
		case []topup.Event:
			list := slices.Clone(v)
			for i := range list {
				list[i].ID = name(list[i])
			}
			values[i] = noneIsNil(list)
		}
	}
	return answer{"ok", values}
}

// run makes the step. Its answers are in the order of the calls.
func (st step) run(s *side) []answer {
	if st.do != nil {
		return []answer{st.do(s)}
	}
	answers := make([]answer, len(st.atOnce))
	var all sync.WaitGroup
	for i, one := range st.atOnce {
		all.Go(func() { answers[i] = one.do(s) })
	}
	all.Wait()
	return answers
}

// author writes a story: it chooses each step by what the reference is then.
type author struct {
	*rand.Rand
	clock time.Time
	now   snapshot
	// instants are times at which something begins or ends.
	instants []time.Time
	// alone: no two calls are made at once, which would find what they read page by page in different states.
	alone bool
	// vain: the step that was chosen last is about no order that it could change.
	vain bool
}

var ctx = context.Background()

func pick[T any](a *author, from ...T) T { return from[a.IntN(len(from))] }

// seldom is true once in so many times.
func (a *author) seldom(n int) bool { return a.IntN(n) == 0 }

// at is when the next step is made: a little later as a rule, seldom much later, earlier, or exactly when something
// begins or ends.
func (a *author) at() time.Time {
	steps := []time.Duration{time.Second, time.Second, time.Second, time.Second, time.Minute, time.Minute, time.Minute,
		10 * time.Minute, time.Hour, 25 * time.Hour}
	a.clock = a.clock.Add(time.Duration(1+a.Int64N(int64(pick(a, steps...)/time.Microsecond))) * time.Microsecond)
	switch {
	case a.seldom(6) && len(a.instants) > 0:
		return pick(a, a.instants...).Add(pick(a, -time.Microsecond, 0, 0, 0, time.Microsecond, 700*time.Nanosecond))
	case a.seldom(25):
		return a.clock.Add(-time.Duration(a.Int64N(int64(30 * time.Hour)))).Truncate(time.Microsecond)
	}
	return a.clock
}

// order is one of the orders, five times out of six one in one of the states, if there is one.
func (a *author) order(states ...topup.State) (topup.Details, topup.ID) {
	var fit []topup.Details
	for _, d := range a.now.Orders {
		if slices.Contains(states, d.State) {
			fit = append(fit, d)
		}
	}
	if a.vain = len(fit) == 0; !a.vain && !a.seldom(6) {
		d := pick(a, fit...)
		return d, d.ID
	}
	id := pick(a, ids...)
	d, _ := a.placed(id)
	return d, id
}

// placed is the order of an id, if it was placed.
func (a *author) placed(id topup.ID) (topup.Details, bool) {
	i := slices.IndexFunc(a.now.Orders, func(d topup.Details) bool { return d.ID == id })
	if i < 0 {
		return topup.Details{}, false
	}
	return a.now.Orders[i], true
}

// over reports whether every id was placed and nearly all orders are final.
func (a *author) over() bool {
	open := 0
	for _, n := range a.now.Open {
		open += n
	}
	return len(a.now.Orders) == len(ids) && open < 2 && a.seldom(8)
}

// attempts is an order's number of attempts, seldom another one.
func (a *author) attempts(d topup.Details) int {
	if a.seldom(6) {
		return a.IntN(d.AttemptCount + 2)
	}
	return d.AttemptCount
}

// nobodys is an event that there is not.
const nobodys = "nobody/1/"

func (a *author) event() string {
	if len(a.now.Events) == 0 || a.seldom(30) {
		return nobodys
	}
	return pick(a, a.now.Events...)
}

// look notes what the reference is now.
func (a *author) look(now snapshot) {
	a.now, a.instants = now, nil
	for _, due := range now.Due {
		a.instants = append(a.instants, due.DueAt)
	}
	for _, d := range now.Orders {
		for _, t := range []*time.Time{d.EndsAt, d.ExpiresAt, d.NextAttemptAt, d.ProcessAt, d.FinishedAt} {
			if t != nil {
				a.instants = append(a.instants, *t)
			}
		}
	}
}

// acts are what a step may be, each as often as it says.
var acts = []struct {
	often int
	act   func(*author) step
}{
	{8, (*author).accept}, {1, (*author).acceptInvalid}, {9, (*author).begin}, {3, (*author).beginFirst},
	{18, (*author).finish}, {4, (*author).end}, {3, (*author).cancel}, {8, (*author).resolve}, {3, (*author).hold}, {1, (*author).restore},
	{4, (*author).correct}, {3, (*author).dispute}, {2, (*author).uphold}, {3, (*author).deferOrder},
	{3, (*author).holdBack}, {3, (*author).letGo}, {3, (*author).setControl}, {4, (*author).endControl},
	{3, (*author).release}, {1, (*author).addEvidence}, {5, (*author).try},
	{2, (*author).fanOut}, {2, (*author).redeliver}, {2, (*author).health}, {1, (*author).disable},
	{2, (*author).addCaller}, {2, (*author).changeCaller}, {1, (*author).read},
	// These read what they need in several steps.
	{1, (*author).redeliverAll}, {2, (*author).pages}, {2, (*author).around},
}

// inSteps are how many of them stand last.
const inSteps = 3

// next is the next step of the story, seldom one that can change nothing.
func (a *author) next() (st step) {
	acts, n := acts, 0
	if !a.alone {
		acts = acts[:len(acts)-inSteps]
	}
	for _, one := range acts {
		n += one.often
	}
	for a.vain = true; a.vain; {
		a.vain = false
		k := a.IntN(n)
		for _, one := range acts {
			if k -= one.often; k < 0 {
				st = one.act(a)
				break
			}
		}
		a.vain = a.vain && !a.seldom(8)
	}
	return st
}

// several are steps that are made at once: mostly of one kind, so that PostgreSQL makes one statement of them.
func (a *author) several(n int) step {
	usual := pick(a, (*author).accept, (*author).begin, (*author).beginFirst, (*author).finish, (*author).finish,
		(*author).try, (*author).release, (*author).deferOrder, (*author).next)
	var st step
	for range n {
		one := usual(a)
		if a.seldom(4) {
			one = a.next()
		}
		st.atOnce = append(st.atOnce, one)
	}
	return st
}

func (a *author) request() topup.Request {
	r := topup.Request{
		ID: pick(a, ids...), Caller: pick(a, tenants...), Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: 1050,
		Priority: pick(a, "", "", topup.PriorityHigh, topup.PriorityBulk, topup.PriorityNormal),
	}
	switch a.IntN(6) {
	case 0:
		r.Operator, r.Metadata = "MOVISTAR", map[string]string{"till": "7", "ñ": "\n"}
	case 1:
		r.CallbackURL = urls[1]
	case 2:
		r.Product, r.Amount = "TELCEL_TAE", pick[topup.Amount](a, 2000, 1, 3000)
	}
	at := a.clock
	if a.seldom(4) {
		r.ProcessAt = new(at.Add(time.Duration(a.IntN(40)-4) * time.Hour))
	}
	if a.seldom(3) {
		r.ExpiresAt = new(at.Add(time.Duration(a.IntN(60)-4)*time.Hour + 300*time.Nanosecond))
	}
	return r
}

func (a *author) accept() step {
	r, now := a.request(), a.at()
	d, found := a.placed(r.ID)
	if found && d.Unclaimed && !a.seldom(5) {
		r.Phone, r.Amount = d.Phone, d.Amount
		if d.Caller != "" && !a.seldom(5) {
			r.Caller = d.Caller
		}
		found = false
	} else if found {
		r = d.Order.Request()
		switch a.IntN(5) {
		case 0:
			r.Amount++
		case 1:
			r.Caller = pick(a, tenants...)
		case 2:
			r.CallbackURL = urls[0]
		}
	}
	a.vain = found
	text := fmt.Sprintf("accept %s of %s: %s for %s, priority %q, process %s, expires %s, callback %q, metadata %v, at %s",
		r.ID, r.Caller, r.Product, r.Amount, r.Priority, sinceOrNil(r.ProcessAt), sinceOrNil(r.ExpiresAt), r.CallbackURL,
		r.Metadata, since(now))
	return step{text: text, do: func(s *side) answer {
		o, replayed, err := s.Accept(ctx, r, now)
		return answered(err, o, replayed)
	}}
}

func (a *author) acceptInvalid() step {
	r, why, now := a.request(), pick(a, texts...), a.at()
	o := r.Order(now)
	_, a.vain = a.placed(r.ID)
	switch a.IntN(3) {
	case 0:
		o.Reason = topup.ReasonExpired
	case 1:
		o = topup.Order{ID: r.ID, Caller: r.Caller}
	}
	return step{text: fmt.Sprintf("accept invalid %s of %s, %q, reason %q, at %s", o.ID, o.Caller, why, o.Reason,
		since(now)), do: func(s *side) answer {
		ev, err := s.AcceptInvalid(ctx, o, why, now)
		return answered(err, ev)
	}}
}

func (a *author) begin() step {
	d, id := a.order(topup.StateQueued, topup.StateRetrying)
	n, now, by := a.attempts(d), a.at(), pick(a, "worker", "worker", topup.ProbeBy("worker"))
	deadline := now.Add(time.Duration(a.IntN(90)) * time.Second)
	return step{text: fmt.Sprintf("begin %s after %d by %s until %s at %s", id, n, by, since(deadline), since(now)),
		do: func(s *side) answer {
			o, err := s.Begin(ctx, id, n, by, deadline, now)
			return answered(err, o)
		}}
}

func (a *author) beginFirst() step {
	_, id := a.order(topup.StateQueued)
	now := a.at()
	deadline := now.Add(time.Duration(a.IntN(90)) * time.Second)
	return step{text: fmt.Sprintf("begin first %s until %s at %s", id, since(deadline), since(now)),
		do: func(s *side) answer {
			o, err := s.BeginFirst(ctx, id, "worker", deadline, now)
			return answered(err, o)
		}}
}

// settlement is what a worker may write of an attempt, seldom what none may.
func (a *author) settlement(d topup.Details, id topup.ID, now time.Time) topup.Settlement {
	s := topup.Settlement{ID: id, Number: a.attempts(d)}
	if late := slices.IndexFunc(d.Attempts, func(at topup.Attempt) bool { return at.Outcome == topup.OutcomeUnknown }); late >= 0 &&
		a.seldom(2) {
		s.Number = late + 1
	}
	r := &s.Result
	r.Error, r.Evidence, r.HTTPStatus = pick(a, texts...), pick(a, texts...), pick(a, 0, 0, 200, 402, 500)
	switch a.IntN(7) {
	case 0, 1:
		s.State, r.Outcome, r.Code, r.Message = topup.StateSucceeded, topup.OutcomeApproved, "00", "Aprobado"
		r.TransactionID, r.Reference, r.AuthCode = pick(a, "", "T1", "T2"), pick(a, "", "R1"), pick(a, "", "C1", "C2")
		if a.seldom(2) {
			r.BalanceAfter = new(json.Number(fmt.Sprint(a.IntN(1000), ".50")))
		}
	case 2:
		s.State, s.Reason, r.Outcome, r.Code = topup.StateFailed, topup.ReasonDeclined, topup.OutcomeDeclined, "51"
	case 3:
		s.State, s.Reason = topup.StateFailed, topup.ReasonRetriesExhausted
		r.Outcome = pick(a, topup.OutcomeUnavailable, topup.OutcomeNotSent)
	case 4:
		s.State, r.Outcome, r.Code = topup.StateRetrying, pick(a, topup.OutcomeUnavailable, topup.OutcomeNotSent), "91"
	case 5:
		s.State, r.Outcome = topup.StateRetrying, topup.OutcomeUnknown // RECARGA_ON_UNKNOWN=resend
	case 6:
		s.State, r.Outcome, r.Code = topup.StateUnknown, pick(a, topup.OutcomeUnknown, topup.OutcomeUnknown, "new"), "99"
	}
	if s.State == topup.StateRetrying && !a.seldom(5) {
		s.NextAttemptAt = new(now.Add(time.Duration(a.IntN(120)) * time.Minute))
	}
	switch a.IntN(40) {
	case 0:
		s.State = pick(a, topup.StateFailed, topup.StateUnknown, topup.StateSucceeded, topup.StateRetrying, "", "queued")
	case 1:
		s.Reason = pick(a, "", topup.ReasonExpired)
	case 2:
		s.NextAttemptAt = &now
	}
	return s
}

func (a *author) finish() step {
	d, id := a.order(topup.StateSubmitting)
	if a.seldom(4) { // a late answer
		d, id = a.order(topup.StateSubmitting, topup.StateRetrying, topup.StateUnknown, topup.StateUnknown, topup.StateSucceeded)
	}
	now := a.at()
	s := a.settlement(d, id, now)
	if s.Result.Outcome == topup.OutcomeApproved {
		now = a.clock // at no time of another's, so that the balances that answers gave have an order
	}
	r := s.Result
	text := fmt.Sprintf("finish %s attempt %d as %s %q, next %s, after %s %d code %q %q, receipts %q %q %q, balance %v, "+
		"error %q, evidence %q, at %s", id, s.Number, s.State, s.Reason, sinceOrNil(s.NextAttemptAt), r.Outcome, r.HTTPStatus,
		r.Code, r.Message, r.TransactionID, r.Reference, r.AuthCode, r.BalanceAfter, r.Error, r.Evidence, since(now))
	return step{text: text, do: func(side *side) answer {
		o, ev, err := side.Finish(ctx, s, now)
		return answered(err, o, ev)
	}}
}

func (a *author) end() step {
	_, id := a.order(topup.StateQueued, topup.StateRetrying)
	now := a.at()
	return step{text: fmt.Sprintf("end %s at %s", id, since(now)), do: func(s *side) answer {
		o, ev, err := s.End(ctx, id, now)
		return answered(err, o, ev)
	}}
}

func (a *author) cancel() step {
	_, id := a.order(topup.StateQueued, topup.StateRetrying, topup.StateCanceled)
	caller, now := pick(a, append(tenants, "", "")...), a.at()
	return step{text: fmt.Sprintf("cancel %s by %q at %s", id, caller, since(now)), do: func(s *side) answer {
		o, ev, err := s.Cancel(ctx, id, caller, now)
		return answered(err, o, ev)
	}}
}

func (a *author) resolve() step {
	d, id := a.order(topup.StateUnknown)
	r := topup.Resolution{
		Outcome: pick(a, topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedFailed, topup.ResolvedResend,
			topup.ResolvedResend),
		Reason: pick(a, plain...), By: pick(a, names...), Forced: a.seldom(2),
	}
	if n := len(d.Resolutions); n > 0 && a.seldom(3) {
		r = d.Resolutions[n-1]
		r.At, r.Attempt = time.Time{}, 0
	} else if r.Outcome == topup.ResolvedSucceeded && a.seldom(2) {
		r.TransactionID, r.Reference, r.AuthCode = pick[topup.NullString](a, "", "T1", "T3"), pick[topup.NullString](a, "", "R1"),
			pick[topup.NullString](a, "", "C1")
	}
	if a.seldom(4) {
		r.Attempt = a.attempts(d)
	}
	if a.seldom(30) {
		r.Outcome, r.AuthCode = pick(a, "paid", topup.ResolvedFailed), "C1"
	}
	now := a.at()
	return step{text: fmt.Sprintf("resolve %s as %+v at %s", id, r, since(now)), do: func(s *side) answer {
		o, ev, err := s.Resolve(ctx, id, r, now)
		return answered(err, o, ev)
	}}
}

func (a *author) hold() step {
	_, id := a.order(topup.StateQueued, topup.StateRetrying, topup.StateUnknown)
	h, now := topup.Hold{Evidence: pick(a, append(plain, "")...), By: pick(a, names...)}, a.at()
	return step{text: fmt.Sprintf("hold %s by %+v at %s", id, h, since(now)), do: func(s *side) answer {
		o, ev, err := s.Hold(ctx, id, h, now)
		return answered(err, o, ev)
	}}
}

func (a *author) restore() step {
	now := a.at()
	c := topup.LostCharge{
		ID: pick(a, ids...), Phone: "5537686660", Amount: pick[topup.Amount](a, 1050, 1050, 2000),
		From: pick(a, now, now.Add(-time.Hour)), TransactionID: pick[topup.NullString](a, "", "T1", "T4\x00"),
		AuthCode: pick[topup.NullString](a, "", "C1"), Evidence: pick(a, append(plain, "")...), By: pick(a, names...),
	}
	c.Until = c.From.Add(pick(a, 0, time.Minute, 24*time.Hour, -time.Minute))
	_, a.vain = a.placed(c.ID)
	return step{text: fmt.Sprintf("restore %s: %s, %s, from %s until %s, %q %q, by %q of %q at %s", c.ID, c.Phone.Digits(),
		c.Amount, since(c.From), since(c.Until), c.TransactionID, c.AuthCode, c.By, c.Evidence, since(now)),
		do: func(s *side) answer {
			o, err := s.Restore(ctx, c, now)
			return answered(err, o)
		}}
}

func (a *author) correct() step {
	_, id := a.order(topup.StateFailed, topup.StateCanceled, topup.StateSucceeded)
	c := topup.Correction{Outcome: pick(a, topup.ResolvedSucceeded, topup.ResolvedFailed, topup.ResolvedFailed),
		Reason: pick(a, plain...), By: pick(a, names...)}
	if c.Outcome == topup.ResolvedSucceeded {
		c.TransactionID, c.AuthCode = pick[topup.NullString](a, "", "T1", "T9"), pick[topup.NullString](a, "", "C9")
	}
	if a.seldom(20) {
		c.Outcome = topup.ResolvedResend
	}
	now := a.at()
	return step{text: fmt.Sprintf("correct %s to %+v at %s", id, c, since(now)), do: func(s *side) answer {
		o, ev, err := s.Correct(ctx, id, c, now)
		return answered(err, o, ev)
	}}
}

func (a *author) dispute() step {
	_, id := a.order(topup.StateFailed, topup.StateCanceled, topup.StateSucceeded)
	d, now := topup.Dispute{Evidence: pick(a, append(texts, plain...)...), RaisedBy: pick(a, names...)}, a.at()
	return step{text: fmt.Sprintf("dispute %s by %q of %q at %s", id, d.Evidence, d.RaisedBy, since(now)),
		do: func(s *side) answer {
			o, err := s.Dispute(ctx, id, d, now)
			return answered(err, o)
		}}
}

func (a *author) uphold() step {
	disputed := []topup.ID{pick(a, ids...)}
	for _, d := range a.now.Orders {
		if len(d.Disputes) > 0 {
			disputed = append(disputed, d.ID)
		}
	}
	u := topup.Upholding{Outcome: topup.DisputeUpheld, Reason: pick(a, plain...), By: pick(a, names...)}
	if a.seldom(20) {
		u.Outcome = topup.DisputeCorrected
	}
	id, now := pick(a, disputed...), a.at()
	return step{text: fmt.Sprintf("uphold %s by %+v at %s", id, u, since(now)), do: func(s *side) answer {
		o, err := s.Uphold(ctx, id, u, now)
		return answered(err, o)
	}}
}

func (a *author) deferOrder() step {
	d, id := a.order(topup.StateQueued, topup.StateRetrying)
	n, why, now := a.attempts(d), pick(a, topup.WaitRate, topup.WaitOutage, topup.WaitBalance, topup.WaitPaused), a.at()
	return step{text: fmt.Sprintf("defer %s after %d for %s at %s", id, n, why, since(now)), do: func(s *side) answer {
		return answered(s.Defer(ctx, id, n, why, now))
	}}
}

func (a *author) release() step {
	_, id := a.order(topup.StateQueued, topup.StateRetrying)
	if len(a.now.Waiting) > 0 && !a.seldom(4) {
		id = pick(a, a.now.Waiting...).ID
	}
	now := a.at()
	return step{text: fmt.Sprintf("release %s at %s", id, since(now)), do: func(s *side) answer {
		o, err := s.Release(ctx, id, now)
		return answered(err, o)
	}}
}

func (a *author) holdBack() step {
	_, id := a.order(topup.StateQueued, topup.StateRetrying)
	now := a.at()
	return step{text: fmt.Sprintf("hold back %s at %s", id, since(now)), do: func(s *side) answer {
		o, err := s.HoldBack(ctx, id, now)
		return answered(err, o)
	}}
}

func (a *author) letGo() step {
	_, id := a.order(topup.StateQueued, topup.StateRetrying)
	for _, d := range a.now.Orders {
		if d.WaitsFor == topup.NullString(topup.WaitOperator) && !a.seldom(4) {
			id = d.ID
		}
	}
	now := a.at()
	return step{text: fmt.Sprintf("let go %s at %s", id, since(now)), do: func(s *side) answer {
		o, err := s.LetGo(ctx, id, now)
		return answered(err, o)
	}}
}

// control is a pause or a limit of one of the kinds.
func (a *author) control() desk.Control {
	c := desk.Control{Kind: pick(a, append(desk.Pauses(), desk.Limits()...)...)}
	switch c.Kind {
	case desk.PauseCaller:
		c.Name = topup.NullString(pick(a, tenants...))
	case desk.PauseProduct:
		c.Name = pick[topup.NullString](a, "MOVISTAR_TAE", "TELCEL_TAE")
	case desk.PauseOperator:
		c.Name = pick[topup.NullString](a, "MOVISTAR", "TELCEL")
	case desk.LimitRate:
		c.Value = pick[topup.NullString](a, "5/s", desk.NoLimit)
	case desk.LimitConcurrency:
		c.Value = pick[topup.NullString](a, "1", "20")
	}
	return c
}

func (a *author) setControl() step {
	c := a.control()
	c.Since, c.By, c.Reason = a.at(), pick(a, "ana", "ben"), topup.NullString(pick(a, plain...))
	return step{text: fmt.Sprintf("control: %s, says %s at %s for %q", c.Says(), c.By, since(c.Since), c.Reason),
		do: func(s *side) answer { return answered(s.SetControl(ctx, c)) }}
}

func (a *author) endControl() step {
	c := a.control()
	if len(a.now.Controls) > 0 && !a.seldom(6) {
		c = pick(a, a.now.Controls...)
	}
	return step{text: "uncontrol " + c.String(), do: func(s *side) answer {
		return answered(s.EndControl(ctx, c.Kind, string(c.Name)))
	}}
}

func (a *author) addEvidence() step {
	d, id := a.order(topup.StateUnknown)
	n, text := a.attempts(d), pick(a, texts...)
	return step{text: fmt.Sprintf("add evidence %q to %s attempt %d", text, id, n), do: func(s *side) answer {
		return answered(s.AddEvidence(ctx, id, n, text))
	}}
}

func (a *author) around() step {
	d, id := a.order(topup.StateUnknown, topup.StateSucceeded)
	n, now := a.attempts(d), a.at()
	return step{text: fmt.Sprintf("look around %s attempt %d at %s", id, n, since(now)), do: func(s *side) answer {
		around, err := s.Around(ctx, id, n, now)
		return answered(err, around)
	}}
}

// withEvent is a step about an event of the story.
func withEvent(text, event string, do func(*side, topup.Event) answer) step {
	return step{text: text, do: func(s *side) answer {
		ev, found := s.events[event]
		if !found {
			ev.ID = "evt_01890a5d-ac96-774b-bcce-b302099a8057" // nobody's
		}
		return do(s, ev)
	}}
}
