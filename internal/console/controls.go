package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"recarga/internal/controls"
	"recarga/internal/journal/search"
	"recarga/internal/known"
	"recarga/tasks"
	"recarga/topup"
	"recarga/topup/desk"
)

// Controls is what people set at run time: controls.Desk, which documents its errors.
type Controls interface {
	Standings(ctx context.Context) ([]desk.ControlStanding, error)
	Set(ctx context.Context, c desk.Control) error
	End(ctx context.Context, c desk.Control) error
}

// controlsView is all that is set, and what can be.
type controlsView struct {
	// Pauses and Limits are what is set, the oldest first.
	Pauses, Limits []desk.ControlStanding
	// Products and Operators are those of the catalogue.
	Products, Operators []string
	// Rate is the limit of the settings, in words; empty: there is none.
	Rate string
}

func (c *Console) controls(w http.ResponseWriter, r *http.Request, _ operator) error {
	all, err := c.cfg.Controls.Standings(r.Context())
	if err != nil {
		return err
	}
	v := controlsView{Rate: c.cfg.Rate}
	for _, one := range all {
		if one.Kind.IsLimit() {
			v.Limits = append(v.Limits, one)
			continue
		}
		v.Pauses = append(v.Pauses, one)
	}
	seen := map[string]bool{}
	for _, p := range c.cfg.Catalog.Products() {
		v.Products = append(v.Products, p.ID)
		if operator := topup.OperatorOf(p.ID); !seen[operator] {
			seen[operator] = true
			v.Operators = append(v.Operators, operator)
		}
	}
	c.show(w, r, http.StatusOK, "controls", view{Title: "Pauses and limits", Data: v})
	return nil
}

// controlAction is what a person does to a control.
type controlAction string

const (
	pauseControl  controlAction = "pause"
	resumeControl controlAction = "resume"
	limitControl  controlAction = "limit"
)

// bySettings is the value of a limit that the settings say.
const bySettings = "default"

// controlView asks before something is paused, resumed or limited.
type controlView struct {
	desk.Control
	// Action is what is asked about, and Touched what waits now that it acts on.
	Action  controlAction
	Touched known.Figure[touched]
}

// touched is what a pause, its end or a limit acts on.
type touched struct {
	// Webhooks: it acts on events, and on no orders. Resumes: it ends a pause of orders.
	Webhooks, Resumes bool
	// Count is how many of them wait, and Amount what the orders buy; of an end, those that are bought then.
	Count  int64
	Amount topup.Amount
	// Others are the orders of an ended pause that still wait, for something else.
	Others int64
}

// touched reads what waits now that an action on a control touches.
func (c *Console) touched(r *http.Request, action controlAction, of desk.Control) known.Figure[touched] {
	ctx := r.Context()
	return seen(ctx, c, "what waits", func() (t touched, err error) {
		if of.Kind == desk.PauseWebhooks {
			events, err := c.cfg.Journal.CountEvents(ctx)
			return touched{Webhooks: true, Count: events[topup.EventPending]}, err
		}
		t.Resumes = action == resumeControl
		stays, err := c.staysWithout(ctx, of)
		if err != nil && t.Resumes {
			return t, err
		}
		all, err := c.cfg.Journal.Unbought(ctx, time.Now())
		for _, u := range all {
			if _, paused := (desk.Controls{of}).PurchasePause(u.Caller, u.Product); !paused && !of.Kind.IsLimit() {
				continue
			}
			count, amount := u.Count, u.Amount
			if t.Resumes {
				if count, amount = u.Ready, u.ReadyAmount; stays(u) {
					count, amount = 0, 0
				}
			}
			t.Count += count
			t.Amount += amount
			t.Others += u.Count - count
		}
		return t, err
	})
}

// staysWithout reports whether another pause, or an outage, keeps orders from being bought once a pause has ended.
func (c *Console) staysWithout(ctx context.Context, ended desk.Control) (func(search.Unbought) bool, error) {
	set, err := c.cfg.Journal.Controls(ctx)
	now, unread := c.cfg.Purchases.Restrictions(ctx)
	if err = errors.Join(err, unread); err != nil {
		return nil, err
	}
	others := set.Without(ended.Kind, ended.Name)
	return func(u search.Unbought) bool {
		_, paused := others.PurchasePause(u.Caller, u.Product)
		_, out := now.Outages[topup.OperatorOf(u.Product)]
		return paused || out
	}, nil
}

// What is the action in words.
func (v controlView) What() string {
	what := v.Control.String()
	switch v.Kind {
	case desk.PausePurchases, desk.PauseWebhooks:
		what = "all " + what
	}
	if v.Action == limitControl {
		return "Limit the " + what + " to " + string(v.Value)
	}
	return title(string(v.Action)) + " " + what
}

// controlOf reads what is asked for. It checks nothing but what a mistyped address has wrong.
func controlOf(r *http.Request) (v controlView, err error) {
	v.Action = controlAction(r.PathValue("action"))
	v.Kind = desk.ControlKind(r.FormValue("kind"))
	v.Name, v.Value = topup.NullString(r.FormValue("name")), topup.NullString(r.FormValue("value"))
	switch {
	case v.Action != pauseControl && v.Action != resumeControl && v.Action != limitControl:
		return v, topup.ErrNotFound
	case v.Kind.IsLimit() != (v.Action == limitControl):
		return v, &topup.FieldError{Field: "kind", Value: string(v.Kind), Allowed: "one that can be " + string(v.Action) +
			"ed"}
	case !v.Kind.Named():
		v.Name = "" // the field is there for every kind
	}
	return v, nil
}

var controlNames = []string{"kind", "name", "value"}

func (c *Console) controlPage(w http.ResponseWriter, r *http.Request, _ operator) error {
	v, err := controlOf(r)
	if err == nil {
		asked := v.Control
		asked.Reason = "to be asked for"
		if err = asked.Check(); v.Value == bySettings {
			err = asked.CheckEnd()
		}
	}
	if err != nil {
		return err
	}
	v.Touched = c.touched(r, v.Action, v.Control)
	c.show(w, r, http.StatusOK, "control", view{Title: v.What(), Data: v})
	return nil
}

func (c *Console) control(w http.ResponseWriter, r *http.Request, who operator) error {
	v, err := controlOf(r)
	if err == nil {
		err = c.setControl(r, v, who)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, address(nil, "controls"), http.StatusSeeOther)
	return nil
}

// setControl does what was asked for.
func (c *Console) setControl(r *http.Request, v controlView, who operator) error {
	reason, err := reasonOf(r)
	if err != nil {
		return err
	}
	v.By, v.Reason = who.Name, topup.NullString(reason)
	do := c.cfg.Controls.Set
	if v.Action == resumeControl || v.Value == bySettings {
		do = c.cfg.Controls.End
	}
	err = do(r.Context(), v.Control)
	if stays := new(controls.QueueError); errors.As(err, &stays) {
		err = &problem{http.StatusServiceUnavailable, title(stays.Error())}
	}
	c.now.forget()
	return err
}

// switchOf is the pause of a queue.
func switchOf(r *http.Request) (switchView, error) {
	v := switchView{Queue: r.PathValue("queue"), Action: controlAction(r.PathValue("action"))}
	kind := pauseOf(v.Queue)
	if kind == "" || v.Action != pauseControl && v.Action != resumeControl {
		return v, topup.ErrNotFound
	}
	return v, nil
}

func pauseOf(queue string) desk.ControlKind {
	return map[string]desk.ControlKind{
		tasks.QueueTopups: desk.PausePurchases, tasks.QueueWebhooks: desk.PauseWebhooks,
	}[queue]
}

// switchView asks before a queue is paused or resumed.
type switchView struct {
	// Queue is its name, Action what is asked about, and Touched what waits now that it acts on.
	Queue   string
	Action  controlAction
	Touched known.Figure[touched]
}

func (c *Console) queuePage(w http.ResponseWriter, r *http.Request, _ operator) error {
	v, err := switchOf(r)
	if err != nil {
		return err
	}
	v.Touched = c.touched(r, v.Action, desk.Control{Kind: pauseOf(v.Queue)})
	c.show(w, r, http.StatusOK, "queue", view{Title: title(string(v.Action)) + " " + v.Queue, Data: v})
	return nil
}

func (c *Console) switchQueue(w http.ResponseWriter, r *http.Request, who operator) error {
	v, err := switchOf(r)
	if err == nil {
		pause := controlView{Action: v.Action, Control: desk.Control{Kind: pauseOf(v.Queue)}}
		err = c.setControl(r, pause, who)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, address(nil), http.StatusSeeOther)
	return nil
}
