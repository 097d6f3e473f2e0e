package sim

import (
	"fmt"
	"time"

	"recarga/topup"
	"recarga/webhook"
	"recarga/worker"
)

// plan decides the settings, the callers and their orders. The first of each choice is the plain one.
func (w *world) plan() {
	t := w.tape
	w.settings = settings{
		policy: worker.Policy{
			Initial:     pick(t, ofPlan, 0.3, time.Second, 5*time.Second, 20*time.Second, 100*time.Millisecond),
			Max:         30 * time.Second,
			MaxAttempts: pick(t, ofPlan, 0.4, 3, 1, 2, 6), ResendUnknown: t.yes(ofPlan, 0.3),
		},
		rate:      pick(t, ofPlan, 0.6, topup.Rate{}, topup.Rate{Count: 30, Per: time.Minute}, topup.Rate{Count: 5, Per: time.Second}),
		places:    pick(t, ofPlan, 0.7, 64, 1, 3),
		alone:     t.yes(ofPlan, 0.3),
		trouble:   pick(t, ofPlan, 0.2, 0, 0.02, 0.05, 0.15),
		slow:      pick(t, ofPlan, 0.2, 0, 0.1, 0.3, 0.6),
		honest:    pick(t, ofPlan, 0.2, 1, 0.8, 0.5, 0.1),
		friendly:  pick(t, ofPlan, 0.3, 1, 0.7, 0.3),
		wild:      pick(t, ofPlan, 0.1, 0, 0.1, 0.3, 0.5),
		length:    pick(t, ofPlan, 0.2, 60, 150, 400),
		variation: pick(t, ofPlan, 0.4, 0.5, 0, 0.99),
		diligent:  t.yes(ofPlan, 0.5),
		skewed:    t.yes(ofPlan, 0.3),
		most:      pick(t, ofPlan, 0.4, 1, 2, 3),
		turns:     t.some(kindsOfMoves),
		deeds:     t.some(len(deeds)),
		accidents: t.some(len(accidents)),
		fates:     t.some(int(fates)),
	}
	if w.skewed {
		w.wrongClocks = 8 * time.Second
	}
	w.vendor.has = t.some(len(w.vendor.kinds))
	w.vendor.login = t.choose(ofPlan, len(logins), 0.6)
	w.vendor.idempotent = t.yes(ofPlan, 0.5)
	w.reserve.set = t.yes(ofPlan, 0.5)
	w.receiver("default", "")
	w.receiver("shop", "")
	w.receiver("shop", "crm")
	w.receiver("branch", "only", topup.EventTypeOf(topup.StateSucceeded), topup.EventTypeOf(topup.StateFailed),
		topup.EventCorrected)
	w.receiver(topup.OperatorCaller, "")
	for i := range pick(t, ofPlan, 0.3, 1, 2, 3, 4, 9) {
		w.order(topup.ID(fmt.Sprint("ORD-", i+1)))
	}
	if t.yes(ofPlan, 0.35) { // processes live long
		w.fates[diesBefore], w.fates[diesAfter] = false, false
	}
	if t.yes(ofPlan, 0.25) {
		w.tardy()
	}
}

// tardy makes it a life of late answers: they meet what followed from their absence.
func (w *world) tardy() {
	t := w.tape
	w.policy.Initial = pick(t, ofPlan, 0.5, 5*time.Second, 20*time.Second)
	w.policy.MaxAttempts = pick(t, ofPlan, 0.4, 2, 3, 6)
	w.policy.ResendUnknown = t.yes(ofPlan, 0.8)
	w.trouble, w.slow, w.length = pick(t, ofPlan, 0.5, 0, 0.02), 0.5, 400
	w.fates = make([]bool, fates)
	w.fates[lost], w.fates[late], w.fates[diesAfter] = true, true, t.yes(ofPlan, 0.5)
	w.reserve.set = w.reserve.set || t.yes(ofPlan, 0.5)
}

// secrets are the same in each run.
var secrets = func() (all []string) {
	for range 8 {
		all = append(all, webhook.NewSecret())
	}
	return all
}()

func (w *world) receiver(caller, name string, types ...topup.EventType) {
	host := caller + ".test"
	if name != "" {
		host = name + "." + host
	}
	r := &receiver{w: w, caller: caller, name: name, host: host, url: "http://" + host + "/hooks",
		secret: secrets[len(w.allReceivers)], types: types, heard: map[string]webhook.Event{}}
	w.receivers[host], w.allReceivers = r, append(w.allReceivers, r)
}

func (w *world) order(id topup.ID) {
	t := w.tape
	r := topup.Request{ID: id, Caller: pick(t, ofPlan, 0.4, "default", "shop", "branch"), Phone: "5537686660",
		Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
	r.Phone = topup.Phone(fmt.Sprint("553768666", len(w.planned)))
	r.Amount = topup.Pesos(int64(pick(t, ofPlan, 0.7, 10, 20, 500)))
	r.Priority = pick(t, ofPlan, 0.6, topup.PriorityNormal, topup.PriorityBulk, topup.PriorityHigh)
	if wait := pick(t, ofPlan, 0.8, 0, 10*time.Second, 2*time.Minute); wait > 0 {
		r.ProcessAt = new(w.began.Add(wait))
	}
	if life := pick(t, ofPlan, 0.8, 0, time.Minute, 5*time.Minute); life > 0 {
		at := w.began.Add(life)
		if r.ProcessAt != nil {
			at = r.ProcessAt.Add(life)
		}
		r.ExpiresAt = &at
	}
	if r.Caller != "branch" && t.yes(ofPlan, 0.15) {
		r.CallbackURL = "http://" + r.Caller + ".test/of-one-order"
	}
	o := &order{request: r, byQueue: t.yes(ofPlan, 0.15)}
	switch { // that is not valid: its producer has only Redis
	case !o.byQueue:
	case t.yes(ofPlan, 0.15):
		o.request.Product = "NO_SUCH"
	case t.yes(ofPlan, 0.15):
		o.request.CallbackURL = "http://stranger.test/hooks"
	}
	w.orders[id], w.planned = o, append(w.planned, o)
}
