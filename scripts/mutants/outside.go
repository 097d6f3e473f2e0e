package main

const (
	reconcile = "internal/reconcile"
	bulk      = "internal/bulk"
	api       = "internal/api"
)

// outside break what others see and do: callers, receivers, people, statements.
var outside = []change{
	// Callers.
	{"producer", "Producer.Place", "a refused order takes room for ever",
		"settle(err == nil && !replayed)", "settle(true)"},
	{"producer", "Producer.Place", "the repeat of an order is enqueued",
		"if err != nil || replayed {", "if err != nil {"},
	{"producer", "Producer.room", "the repeat of an order is refused for its quota",
		"errors.Is(err, topup.ErrNotFound)", "err == nil || errors.Is(err, topup.ErrNotFound)"},
	{"producer", "Producer.Resolve", "an order that is to be sent again waits for the sweep",
		"p.waker.Order(ctx, o.Request(), time.Time{})\n", ""},
	{"producer", "Producer.Redeliver", "anybody redelivers it",
		`who.Caller != "" && ev.Caller != who.Caller`, `who.Caller == "?" && ev.Caller != who.Caller`},
	{"producer", "Producer.RedeliverAll", "anybody redelivers all", "f.Caller = who.Caller\n", "_ = f.Caller\n"},
	{"topup", "Request.Fingerprint", "another amount is the same order",
		`r.CallbackURL, r.Priority = "", ""`, `r.CallbackURL, r.Priority, r.Amount = "", "", 0`},
	{api, "Server.parse", "a caller places orders for another", "r.Caller = who.Caller\n", "_ = who.Caller\n"},
	{api, "Server.get", "a caller sees another's order",
		"d.Caller != who.Caller && !who.SeesAll()", `d.Caller == "?" && !who.SeesAll()`},
	{api, "Server.parseFilter", "a caller lists another's orders", "f.Caller = who.Caller\n", "_ = who.Caller\n"},
	{api, "Server.find", "a caller finds another's orders", "who.Only()", `who.Only()[:0]`},
	{api, "Server.events", "a caller lists another's events", "f.Caller = who.Caller\n", "_ = who.Caller\n"},
	{api, "Server.cancel", "a caller cancels another's order",
		"id, who.Actor())", "id, keys.Identity{Role: 100}.Actor())"},
	{api, "Server.startLine", "of two lines with one id the second may be the order",
		"<-before.done", "_ = before.done"},
	{api, "Server.authenticate", "any key may do anything", "err = who.Permit(permission)", "_ = permission"},

	// Receivers.
	{"webhook", "expand", "an endpoint gets what it does not want",
		"len(e.Types) == 0 || slices.Contains(e.Types, ev.Type)", "true"},
	{"webhook", "Deliverer.deliveries", "an event is expanded again at each try",
		`ev.TryCount > 0 || ev.Endpoint != ""`, `ev.Endpoint != ""`},
	{"webhook", "Deliverer.Deliver", "a delivered event is tried again",
		"if ev.State != topup.EventPending {", `if ev.State == "" {`},
	{"webhook", "due", "a retry does not wait for its time", "!now.Before(ev.DueAt)", "!now.IsZero()"},
	{"webhook", "Deliverer.after", "one try more than the schedule has",
		"done >= len(d.cfg.Schedule)", "done > len(d.cfg.Schedule)"},
	{"webhook", "Deliverer.after", "a redelivered event goes on where it ended",
		"ev.TryCount - ev.ScheduleStart", "ev.TryCount - 0*ev.ScheduleStart"},
	{"webhook", "Deliverer.try", "a try is not recorded after its context's end",
		"context.WithoutCancel(ctx)", "ctx"},
	{"webhook", "newClient", "a redirect is followed", "return http.ErrUseLastResponse", "return nil"},
	{"webhook", "PublicOnly", "private addresses are called",
		"guard.Safe(network, address, c) != nil", "guard.Safe(network, address, c) != nil && c == nil"},

	// Statements and people.
	{reconcile, "newAccount", "a charge that was reversed counts", "gone[i] = true\n", "_ = i\n"},
	{reconcile, "comparison.claims", "two charges of one attempt are one purchase",
		"len(a.charges) > o.Attempts ||", ""},
	{reconcile, "otherAmounts", "the amount is not compared", "*l.Amount != o.Amount", "*l.Amount < 0"},
	{reconcile, "otherPhones", "the phone is not compared", "l.Phone != o.Phone.Digits()", `l.Phone == "?"`},
	{reconcile, "comparison.otherTimes", "the time is not compared",
		"!l.At.Within(o.From.Add(-j.slop), o.Until.Add(j.slop))", "o.From.After(o.Until)"},
	{reconcile, "job.distrust", "a statement that contradicts us is believed", "against > j.supports", "against < 0"},
	{reconcile, "job.incomplete", "a statement that lacks orders proves absence",
		"case lacking > 0:", "case lacking < -1:"},
	{reconcile, "job.silent", "absence is proven outside of what is covered",
		"!j.sum.Covers.holds(a.From, a.Until, j.s.opts.Margin)", "j.sum.Covers.From.IsZero()"},
	{reconcile, "job.surrounded", "a stray charge is nobody's",
		"line, err := j.stage.stray(ctx, a, from.Add(-wide), until.Add(wide))",
		"line, err := j.stage.stray(ctx, a, until.Add(wide), from.Add(-wide))"},
	{reconcile, "job.found", "one charge settles two orders", `if other != "" {`, `if other == "?" {`},
	{reconcile, "job.absent", "a held order is settled by another statement's silence",
		"case a.Held:", "case a.Held && a.Attempts < 0:"},
	{bulk, "orderFingerprint", "an order that has changed is settled unseen",
		"o.UpdatedAt.UnixNano(), o.AttemptCount", ""},
	{bulk, "Set.New", "what has come since is settled unseen",
		"if !known[m.fingerprint] {", "if known[m.fingerprint] {"},
	{bulk, "ChooseEvents", "no filter means everything", "if f == (topup.EventFilter{}) {", `if f.State == "?" {`},
	{bulk, "ChooseOrders", "orders of any state are resolved",
		"if !slices.Contains(states, f.State) {", `if f.State == "?" {`},
}
