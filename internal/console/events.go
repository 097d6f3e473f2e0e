package console

import (
	"net/http"
	"net/url"
	"strings"

	"recarga/internal/journal/search"
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
	// State, Caller, Type, Since and Until are the filter as typed, Wrong what is wrong with it; Filter is its query.
	State, Caller, Type, Since, Until, Wrong string
	Filter                                   url.Values
	// Types are those that events can have.
	Types []topup.EventType
}

func (c *Console) events(w http.ResponseWriter, r *http.Request, _ operator) error {
	q := r.URL.Query()
	f, err := eventFilter(r, q)
	f.Cursor, f.MostRead = q.Get("cursor"), search.InTime
	v := eventsView{Types: topup.EventTypes(), State: string(f.State), Caller: f.Caller, Type: string(f.Type),
		Since: q.Get("since"), Until: q.Get("until"), Filter: kept(q, eventNames)}
	for _, s := range []topup.EventState{"", topup.EventPending, topup.EventDelivered, topup.EventKept,
		topup.EventExhausted} {
		v.Chips = append(v.Chips, newChip("events", kept(q, eventNames), string(s)))
	}
	var next string
	if err == nil {
		v.Events, next, err = c.cfg.Journal.Events(r.Context(), f)
	}
	status, wrong, err := ofFilter(err)
	if err != nil {
		return err
	}
	v.Wrong, v.Next = wrong, beside(q, eventNames, "cursor", next, "events")
	c.show(w, r, status, "events", view{Title: "Events", Live: v.Wrong == "", Data: v})
	return nil
}

// eventFilter reads a filter. The error joins a *topup.FieldError for each wrong field.
func eventFilter(r *http.Request, q url.Values) (f topup.EventFilter, err error) {
	f = topup.EventFilter{
		State: topup.EventState(q.Get("state")), Caller: strings.TrimSpace(q.Get("caller")),
		Type: topup.EventType(strings.TrimSpace(q.Get("type"))),
	}
	given := params.Reader{Values: q}
	f.Since, f.Until = span(r, &given)
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
