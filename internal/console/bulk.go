package console

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"recarga/internal/journal"
	"recarga/topup"
)

const (
	// countUpTo bounds the count that is shown before a bulk action.
	countUpTo = 100_000
	// bulkPage is how many orders are read at once.
	bulkPage = 500
	// refusalsShown bounds the refusals that are named one by one.
	refusalsShown = 200
)

// bulkView asks before something is done to all that a filter matches.
type bulkView struct {
	Action, Filter string
	Count          int
	More           bool
	Form           resolveForm
	Wrong          string
}

// bulkFilter reads the filter of an action. Only orders in a state that the action is for are chosen.
func (c *Console) bulkFilter(action string, q url.Values) (f journal.Filter, err error) {
	f, err = filterOf(q)
	if err != nil {
		return f, err
	}
	switch action {
	case "resolve":
		f.State = topup.StateUnknown
	case "cancel":
		if f.State != topup.StateQueued && f.State != topup.StateRetrying {
			return f, &topup.FieldError{Field: "state", Value: string(f.State), Allowed: "queued or retrying: only these can be canceled"}
		}
	case "redeliver":
	default:
		return f, topup.ErrNotFound
	}
	f.Limit, f.Cursor = bulkPage, ""
	return f, nil
}

func (c *Console) bulkPage(w http.ResponseWriter, r *http.Request, _ operator) error {
	v := bulkView{Action: r.PathValue("action"), Filter: r.URL.RawQuery}
	var err error
	if v.Action == "redeliver" {
		v.Count, v.More, err = c.countEvents(r.Context(), eventFilter(r.URL.Query()))
	} else {
		var f journal.Filter
		if f, err = c.bulkFilter(v.Action, r.URL.Query()); err == nil {
			v.Count, v.More, err = c.countOrders(r.Context(), f)
		}
	}
	if err != nil {
		return err
	}
	c.show(w, r, http.StatusOK, "bulk", view{Title: title(v.Action) + " all", Data: v})
	return nil
}

func (c *Console) countOrders(ctx context.Context, f journal.Filter) (n int, more bool, err error) {
	for n < countUpTo {
		page, next, err := c.cfg.Book.List(ctx, f)
		n += len(page)
		if err != nil || next == "" {
			return n, false, err
		}
		f.Cursor = next
	}
	return n, true, nil
}

func (c *Console) countEvents(ctx context.Context, f journal.EventFilter) (n int, more bool, err error) {
	for f.Limit = 1000; n < countUpTo; {
		page, next, err := c.cfg.Events.Events(ctx, f)
		n += len(page)
		if err != nil || next == "" {
			return n, false, err
		}
		f.Cursor = next
	}
	return n, true, nil
}

// bulk does it, to the end, and says how far it is while it does. A browser that goes away stops it; the same
// form goes on then.
func (c *Console) bulk(w http.ResponseWriter, r *http.Request, who operator) error {
	action := r.PathValue("action")
	reason, err := reasonOf(r)
	if err != nil {
		return err
	}
	p := &progress{w: w, flush: http.NewResponseController(w)}
	q := r.URL.Query()
	var do func(context.Context) error
	if action == "redeliver" {
		f := eventFilter(q)
		do = func(ctx context.Context) error { return c.redeliverAll(ctx, r, f, p) }
	} else {
		f, err := c.bulkFilter(action, q)
		if err != nil {
			return err
		}
		form := resolveForm{Outcome: r.PostFormValue("outcome"), Reason: reason, Force: r.PostFormValue("force")}
		act := func(ctx context.Context, o topup.Order) error {
			_, err := c.cfg.Orders.Cancel(ctx, o.ID, "")
			return err
		}
		if action == "resolve" {
			resolution := form.resolution(who)
			if err := resolution.Check(); err != nil {
				return err
			}
			act = func(ctx context.Context, o topup.Order) error {
				_, err := c.cfg.Orders.Resolve(ctx, o.ID, resolution)
				return err
			}
		}
		do = func(ctx context.Context) error { return c.actOnAll(ctx, f, act, p) }
	}
	c.cfg.Log.WarnContext(r.Context(), "bulk action begins", "action", action, "by", who.Name, "reason", reason, "filter", filterQuery(q).Encode())
	c.begin(w, r, p, action)
	err = do(r.Context())
	p.end(err)
	c.cfg.Log.WarnContext(r.Context(), "bulk action ended", "action", action, "by", who.Name, "done", p.done, "refused", p.refused, "error", err)
	return nil
}

func (c *Console) actOnAll(ctx context.Context, f journal.Filter, act func(context.Context, topup.Order) error, p *progress) error {
	for {
		page, next, err := c.cfg.Book.List(ctx, f)
		if err != nil {
			return err
		}
		for _, o := range page {
			if err := act(ctx, o); err != nil {
				p.refuse(o.ID, err)
			} else {
				p.done++
			}
			p.say()
		}
		if f.Cursor = next; next == "" || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (c *Console) redeliverAll(ctx context.Context, r *http.Request, f journal.EventFilter, p *progress) error {
	now := time.Now()
	for f.Limit = bulkPage; ; {
		count, next, err := c.cfg.Events.RedeliverAll(ctx, f, now, func(ev topup.Event) { c.ring(r, ev) })
		p.done += count
		p.say()
		if f.Cursor = next; err != nil || next == "" {
			return err
		}
	}
}

// progress is a page that grows while a bulk action runs.
type progress struct {
	w             http.ResponseWriter
	flush         *http.ResponseController
	done, refused int
	said          time.Time
}

// marker is where the page is cut in two, to be filled in between.
const marker = "<!--progress-->"

func (c *Console) begin(w http.ResponseWriter, r *http.Request, p *progress, action string) {
	rest := &cut{ResponseWriter: w}
	c.show(rest, r, http.StatusOK, "progress", view{Title: title(action) + " all", Data: template.HTML(marker)}) //nolint:gosec // a constant
	head, tail, _ := strings.Cut(rest.page.String(), marker)
	_, _ = fmt.Fprint(w, head)
	p.w = &tailed{ResponseWriter: w, tail: tail}
	p.write("<p>Begun.</p>")
}

// cut keeps a page back.
type cut struct {
	http.ResponseWriter
	page strings.Builder
}

func (c *cut) Write(data []byte) (int, error) { return c.page.Write(data) }

type tailed struct {
	http.ResponseWriter
	tail string
}

func (p *progress) write(html string) {
	_, _ = fmt.Fprintln(p.w, html) // the browser may be gone; the request's context says so
	_ = p.flush.Flush()
}

func (p *progress) say() {
	if time.Since(p.said) < time.Second {
		return
	}
	p.said = time.Now()
	p.write(fmt.Sprintf("<p>%d done, %d refused …</p>", p.done, p.refused))
}

func (p *progress) refuse(id topup.ID, err error) {
	if p.refused++; p.refused <= refusalsShown {
		p.write("<p class=bad>" + template.HTMLEscapeString(string(id)+": "+err.Error()) + "</p>")
	}
}

func (p *progress) end(err error) {
	p.write(fmt.Sprintf("<p class=done><strong>%d done, %d refused.</strong></p>", p.done, p.refused))
	if p.refused > refusalsShown {
		p.write(fmt.Sprintf("<p>The first %d refusals are named above.</p>", refusalsShown))
	}
	if err != nil {
		p.write("<p class=bad>Stopped: " + template.HTMLEscapeString(err.Error()) + ". What was done stays; the same action goes on.</p>")
	}
	if t, ok := p.w.(*tailed); ok {
		p.write(t.tail)
	}
}
