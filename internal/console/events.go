package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"recarga/internal/params"
	"recarga/producer"
	"recarga/topup"
)

// eventsView is a page of events.
type eventsView struct {
	// Events are those of this page, the newest first; Chips lead to the same list by state, Next to older ones
	// (empty: there are none).
	Events []topup.Event
	Chips  []chip
	Next   string
	// State, Caller, Type, Since and Until are the filter as it was typed; Filter is its query.
	State, Caller, Type, Since, Until string
	Filter                            url.Values
	Wrong                             string
}

func (c *Console) events(w http.ResponseWriter, r *http.Request, _ operator) error {
	q := r.URL.Query()
	f, err := eventFilter(q)
	f.Cursor = q.Get("cursor")
	v := eventsView{State: string(f.State), Caller: f.Caller, Type: string(f.Type), Since: q.Get("since"),
		Until: q.Get("until"), Filter: kept(q, eventNames)}
	for _, s := range []topup.EventState{"", topup.EventPending, topup.EventDelivered, topup.EventKept,
		topup.EventExhausted} {
		v.Chips = append(v.Chips, newChip("events", kept(q, eventNames), string(s)))
	}
	var next string
	if err == nil {
		v.Events, next, err = c.cfg.Journal.Events(r.Context(), f)
	}
	status := http.StatusOK
	switch {
	case len(topup.FieldErrors(err)) > 0:
		status, v.Wrong = http.StatusUnprocessableEntity, err.Error()
	case err != nil:
		return err
	}
	if next != "" {
		v.Next = address(older(q, eventNames, next), "events")
	}
	c.show(w, r, status, "events", view{Title: "Events", Data: v})
	return nil
}

// eventFilter reads a filter. The error joins a *topup.FieldError for each wrong field.
func eventFilter(q url.Values) (f topup.EventFilter, err error) {
	f = topup.EventFilter{
		State: topup.EventState(q.Get("state")), Caller: strings.TrimSpace(q.Get("caller")),
		Type: topup.EventType(strings.TrimSpace(q.Get("type"))),
	}
	given := params.Reader{Values: q}
	f.Since, f.Until = span(&given)
	return f, given.Err()
}

var eventNames = []string{"state", "caller", "type", "since", "until"}

func (c *Console) redeliverPage(w http.ResponseWriter, r *http.Request, _ operator) error {
	ev, err := c.cfg.Journal.Event(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	c.show(w, r, http.StatusOK, "redeliver", view{Title: "Send again", Data: ev})
	return nil
}

func (c *Console) redeliver(w http.ResponseWriter, r *http.Request, who operator) error {
	reason, err := reasonOf(r)
	if err != nil {
		return err
	}
	ev, err := c.cfg.Orders.Redeliver(r.Context(), r.PathValue("id"), producer.Actor{By: who.Name, Reason: reason})
	if err != nil {
		return err
	}
	back := address(nil, "events")
	if ev.OrderID != "" {
		back = done(ev.OrderID, "redelivered")
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
	return nil
}

// callerView is a caller with its endpoints; the first may be the callback URL.
type callerView struct {
	topup.Caller
	// Endpoints are all that are notified, each with whether it answers.
	Endpoints []endpointView
}

type endpointView struct {
	topup.CallerEndpoint
	topup.EndpointHealth
}

func (c *Console) callers(w http.ResponseWriter, r *http.Request, _ operator) error {
	callers, err := c.cfg.Callers.List(r.Context())
	if err != nil {
		return err
	}
	health, err := c.cfg.Journal.EndpointsHealth(r.Context())
	if err != nil {
		return err
	}
	// Of the one of the settings the registry has limits alone.
	callers = slices.DeleteFunc(callers, func(c topup.Caller) bool { return c.Name == topup.DefaultCaller })
	views := make([]callerView, len(callers))
	for i, caller := range callers {
		endpoints := caller.Endpoints
		if caller.CallbackURL != "" {
			endpoints = append([]topup.CallerEndpoint{{Name: topup.DefaultEndpoint, URL: caller.CallbackURL}}, endpoints...)
		}
		views[i].Caller = caller
		for _, e := range endpoints {
			h := health[topup.EndpointAddress{Caller: caller.Name, URL: e.URL}]
			views[i].Endpoints = append(views[i].Endpoints, endpointView{e, h})
		}
	}
	c.show(w, r, http.StatusOK, "callers", view{Title: "Callers", Data: views})
	return nil
}
