package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

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
	// Types are those that events can have.
	Types []topup.EventType
}

func (c *Console) events(w http.ResponseWriter, r *http.Request, _ operator) error {
	q := r.URL.Query()
	f, err := eventFilter(r, q)
	f.Cursor = q.Get("cursor")
	v := eventsView{Types: topup.EventTypes(), State: string(f.State), Caller: f.Caller, Type: string(f.Type), Since: q.Get("since"),
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
		older := kept(q, eventNames)
		older.Set("cursor", next)
		v.Next = address(older, "events")
	}
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

// switchView asks before a queue is paused or resumed.
type switchView struct {
	// Queue is its name, and Action what is asked about.
	Queue  string
	Action queueAction
}

// queueAction is what a person does to a queue.
type queueAction string

const (
	pauseQueue  queueAction = "pause"
	resumeQueue queueAction = "resume"
)

func switchOf(r *http.Request) (switchView, error) {
	v := switchView{Queue: r.PathValue("queue"), Action: queueAction(r.PathValue("action"))}
	if v.Action != pauseQueue && v.Action != resumeQueue {
		return v, topup.ErrNotFound
	}
	return v, nil
}

func (c *Console) queuePage(w http.ResponseWriter, r *http.Request, _ operator) error {
	v, err := switchOf(r)
	if err != nil {
		return err
	}
	c.show(w, r, http.StatusOK, "queue", view{Title: title(string(v.Action)) + " " + v.Queue, Data: v})
	return nil
}

func (c *Console) switchQueue(w http.ResponseWriter, r *http.Request, who operator) error {
	v, err := switchOf(r)
	if err != nil {
		return err
	}
	reason, err := reasonOf(r)
	if err != nil {
		return err
	}
	info, err := c.cfg.Queue.Glance(r.Context())
	if err != nil {
		return &problem{http.StatusServiceUnavailable, "Redis does not answer, so nothing can be paused or resumed: " +
			err.Error()}
	}
	if _, ours := info[v.Queue]; !ours {
		return topup.ErrNotFound
	}
	do := c.cfg.Queue.Pause
	if v.Action == resumeQueue {
		do = c.cfg.Queue.Resume
	}
	if err := do(r.Context(), v.Queue); err != nil {
		return errors.Join(&problem{http.StatusServiceUnavailable, err.Error()})
	}
	c.cfg.Log.WarnContext(r.Context(), "queue switched by the operator", "queue", v.Queue, "action", string(v.Action),
		"by",
		who.Name, "reason", reason)
	c.now.forget()
	http.Redirect(w, r, address(nil), http.StatusSeeOther)
	return nil
}

func (s *snapshot) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Time{}
}
