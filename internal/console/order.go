package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"recarga/internal/story"
	"recarga/producer"
	"recarga/topup"
)

// orderView is an order's page.
type orderView struct {
	topup.Details
	// Facts are what its state means, and Steps its life, the oldest first.
	Facts topup.StateFacts
	Steps []story.Step
	// CanCancel and CanResolve say which actions make sense now.
	CanCancel, CanResolve bool
	// CanHold and CanRelease: it waits, and can be held back, or let go.
	CanHold, CanRelease bool
	// Trace leads to its trace; empty: nobody says where that is.
	Trace string
	// CanBecome is what a person may still make of its final state; nothing while it is open.
	CanBecome []topup.ResolvedAs
	// SafeAt is when failed and resend are possible without force; zero: they are.
	SafeAt time.Time
	// Form is what was typed, Wrong why it was not taken, and Done the message of the action before.
	Form  resolveForm
	Wrong string
	Done  string
}

// Disputed is the open dispute; nil when there is none.
func (v orderView) Disputed() *topup.Dispute {
	for i := range v.Disputes {
		if v.Disputes[i].EndedAt == nil {
			return &v.Disputes[i]
		}
	}
	return nil
}

type resolveForm struct {
	// As they were typed, without spaces around them; Force is "yes" where the box is ticked.
	Outcome, Reason, TransactionID, Reference, AuthCode, Force string
	// Attempt is the one that was shown.
	Attempt int
}

func (c *Console) order(w http.ResponseWriter, r *http.Request, _ operator) error {
	v, err := c.orderView(r)
	if err != nil {
		return err
	}
	v.Done = messages[r.URL.Query().Get("done")]
	live := !v.State.Final() || pending(v.Events)
	c.show(w, r, http.StatusOK, "order", view{Title: string(v.ID), Order: v.ID, Live: live, Data: v})
	return nil
}

// messages are those after an action: a link cannot put others on the page.
var messages = map[string]string{
	"resolved":    "Resolved.",
	"canceled":    "Canceled. Its caller is notified.",
	"corrected":   "Corrected. Its caller is notified.",
	"upheld":      "The dispute has ended: the order's state is right.",
	"redelivered": "The event is due again.",
	"held":        "Held back: it is not bought until it is released.",
	"released":    "Released: it is bought when it is due.",
}

func pending(events []topup.Event) bool {
	return slices.ContainsFunc(events, func(ev topup.Event) bool { return ev.State == topup.EventPending })
}

func (c *Console) orderView(r *http.Request) (orderView, error) {
	d, err := c.details(r)
	if err != nil {
		return orderView{}, err
	}
	v := orderView{Details: d, Facts: factsOf(d.State), Steps: story.In(zoneOf(r), d)}
	v.CanCancel = d.State == topup.StateQueued || d.State == topup.StateRetrying
	v.CanResolve = d.State == topup.StateUnknown
	v.CanRelease = d.WaitsFor == topup.NullString(topup.WaitOperator)
	v.CanHold = v.CanCancel && !v.CanRelease
	if c.cfg.TraceURL != "" {
		v.Trace = strings.ReplaceAll(c.cfg.TraceURL, "{id}", url.QueryEscape(string(d.ID)))
	}
	for _, outcome := range []topup.ResolvedAs{topup.ResolvedSucceeded, topup.ResolvedFailed} {
		if topup.Allowed(d.State, outcome.State(), topup.OpCorrect) {
			v.CanBecome = append(v.CanBecome, outcome)
		}
	}
	return v, nil
}

// details are an order as operators are shown it.
func (c *Console) details(r *http.Request) (d topup.Details, err error) {
	if d, err = c.cfg.Journal.Details(r.Context(), topup.ID(r.PathValue("id"))); err != nil {
		return d, err
	}
	shown := []topup.Order{d.Order}
	err = c.cfg.Journal.Conclude(r.Context(), shown)
	actions, unread := c.cfg.Journal.Actions(r.Context(), d.ID)
	d.Order, d.Actions = shown[0], actions
	return d, errors.Join(err, unread)
}

func factsOf(s topup.State) topup.StateFacts {
	for _, f := range topup.StateTable() {
		if f.State == s {
			return f
		}
	}
	return topup.StateFacts{State: s}
}

func (c *Console) resolvePage(w http.ResponseWriter, r *http.Request, _ operator) error {
	v, err := c.orderView(r)
	if err != nil {
		return err
	}
	return c.askResolve(w, r, http.StatusOK, v)
}

func (c *Console) askResolve(w http.ResponseWriter, r *http.Request, status int, v orderView) error {
	if !v.CanResolve {
		return &problem{http.StatusConflict, "Order " + string(v.ID) + " is " + string(v.State) +
			": only an order that is held as unknown can be resolved."}
	}
	c.show(w, r, status, "resolve", view{Title: "Resolve " + string(v.ID), Data: v})
	return nil
}

func (c *Console) resolve(w http.ResponseWriter, r *http.Request, who operator) error {
	v, err := c.orderView(r)
	if err != nil {
		return err
	}
	f := readResolveForm(r)
	if attempt := r.PostFormValue("attempt"); attempt != "" {
		if f.Attempt, err = strconv.Atoi(attempt); err != nil {
			return &topup.FieldError{Field: "attempt", Value: attempt, Allowed: "the number of the attempt that was shown"}
		}
	}
	v.Form = f
	_, err = c.cfg.Orders.Resolve(r.Context(), v.ID, f.resolution(who))
	var early *topup.TooEarlyError
	switch {
	case err == nil:
		http.Redirect(w, r, done(v.ID, "resolved"), http.StatusSeeOther)
		return nil
	case errors.As(err, &early):
		v.SafeAt = early.Until
		return c.askResolve(w, r, http.StatusConflict, v)
	case len(topup.FieldErrors(err)) > 0:
		v.Wrong = err.Error()
		return c.askResolve(w, r, http.StatusUnprocessableEntity, v)
	}
	return err
}

func readResolveForm(r *http.Request) resolveForm {
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	return resolveForm{
		Outcome: field("outcome"), Reason: field("reason"), TransactionID: field("transaction_id"),
		Reference: field("reference"), AuthCode: field("auth_code"), Force: field("force"),
	}
}

func (f resolveForm) resolution(who operator) topup.Resolution {
	return topup.Resolution{
		Outcome: topup.ResolvedAs(f.Outcome), Reason: f.Reason, By: who.Name,
		Forced: f.Force == "yes", Attempt: f.Attempt,
		TransactionID: topup.NullString(f.TransactionID), Reference: topup.NullString(f.Reference),
		AuthCode: topup.NullString(f.AuthCode),
	}
}

func (c *Console) cancelPage(w http.ResponseWriter, r *http.Request, _ operator) error {
	v, err := c.orderView(r)
	if err != nil {
		return err
	}
	if !v.CanCancel {
		return &problem{http.StatusConflict, "Order " + string(v.ID) + " is " + string(v.State) + ": it cannot be canceled."}
	}
	c.show(w, r, http.StatusOK, "cancel", view{Title: "Cancel " + string(v.ID), Data: v})
	return nil
}

func (c *Console) cancel(w http.ResponseWriter, r *http.Request, who operator) error {
	reason, err := reasonOf(r)
	if err != nil {
		return err
	}
	id := topup.ID(r.PathValue("id"))
	if _, err := c.cfg.Orders.Cancel(r.Context(), id, producer.Actor{By: who.Name, Reason: reason}); err != nil {
		return err
	}
	http.Redirect(w, r, done(id, "canceled"), http.StatusSeeOther)
	return nil
}

// holdView asks before an order is held back, or released.
type holdView struct {
	topup.Order
	// Release: the question is whether to release it.
	Release bool
}

func (c *Console) holdPage(release bool) page {
	return func(w http.ResponseWriter, r *http.Request, _ operator) error {
		v, err := c.orderView(r)
		if err != nil {
			return err
		}
		what := "held back"
		if release {
			what = "released"
		}
		if release && !v.CanRelease || !release && !v.CanHold {
			return &problem{http.StatusConflict, "Order " + string(v.ID) + " cannot be " + what + ": it is " + string(v.State) +
				", and waits for " + cmp.Or(string(v.WaitsFor), "nothing") + "."}
		}
		c.show(w, r, http.StatusOK, "hold", view{Title: title(what) + ": " + string(v.ID), Data: holdView{v.Order, release}})
		return nil
	}
}

func (c *Console) hold(release bool) page {
	return func(w http.ResponseWriter, r *http.Request, who operator) error {
		do, message := c.cfg.Orders.HoldBack, "held"
		if release {
			do, message = c.cfg.Orders.LetGo, "released"
		}
		reason, err := reasonOf(r)
		if err != nil {
			return err
		}
		id := topup.ID(r.PathValue("id"))
		if _, err := do(r.Context(), id, producer.Actor{By: who.Name, Reason: reason}); err != nil {
			return err
		}
		http.Redirect(w, r, done(id, message), http.StatusSeeOther)
		return nil
	}
}

// raw is an order as the API answers it.
func (c *Console) raw(w http.ResponseWriter, r *http.Request, _ operator) error {
	d, err := c.details(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(d)
}

// eventView is an event with all that its endpoint answered.
type eventView struct {
	topup.Event
	// Payload is what is sent, in lines.
	Payload string
}

func (c *Console) event(w http.ResponseWriter, r *http.Request, _ operator) error {
	ev, err := c.cfg.Journal.Event(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	v := eventView{Event: ev, Payload: string(ev.Body)}
	var lines bytes.Buffer
	if json.Indent(&lines, ev.Body, "", "  ") == nil {
		v.Payload = lines.String()
	}
	live := ev.State == topup.EventPending
	c.show(w, r, http.StatusOK, "event", view{Title: "Event " + string(ev.Type), Live: live, Data: v})
	return nil
}

// reasonOf is why somebody acts; every action has one.
func reasonOf(r *http.Request) (string, error) {
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	if reason == "" {
		return "", &problem{http.StatusUnprocessableEntity, "Say why: the reason is empty."}
	}
	return reason, nil
}
