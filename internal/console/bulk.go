package console

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

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
	// bulkAtOnce is how many orders are acted on side by side.
	bulkAtOnce = 16
)

// bulkView asks before something is done to all that a filter matches.
type bulkView struct {
	Action, Filter string
	Count          int
	More           bool
	Wrong          string
}

// bulkFilter reads the filter of an action. Only orders in a state that the action is for are chosen.
func (c *Console) bulkFilter(ctx context.Context, action string, q url.Values) (f journal.Filter, err error) {
	f, err = c.filterOf(ctx, q)
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
	v, err := c.bulkView(r)
	if err != nil {
		return err
	}
	c.askBulk(w, r, http.StatusOK, v)
	return nil
}

func (c *Console) askBulk(w http.ResponseWriter, r *http.Request, status int, v bulkView) {
	c.show(w, r, status, "bulk", view{Title: title(v.Action) + " all", Data: v})
}

// bulkView counts what the filter of a request matches.
func (c *Console) bulkView(r *http.Request) (v bulkView, err error) {
	q := r.URL.Query()
	v = bulkView{Action: r.PathValue("action"), Filter: r.URL.RawQuery}
	if v.Action == "redeliver" {
		f, err := eventFilter(q)
		if err != nil {
			return v, err
		}
		v.Count, v.More, err = c.countEvents(r.Context(), f)
		return v, err
	}
	f, err := c.bulkFilter(r.Context(), v.Action, q)
	if err != nil {
		return v, err
	}
	v.Count, v.More, err = c.countOrders(r.Context(), f)
	return v, err
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
	reason, err := reasonOf(r)
	if err != nil {
		return err
	}
	do, err := c.bulkAction(r, who, reason)
	if err != nil {
		return err
	}
	v, err := c.bulkView(r)
	if err != nil {
		return err
	}
	if confirmed, err := strconv.Atoi(r.PostFormValue("count")); err != nil || v.Count > confirmed {
		v.Wrong = fmt.Sprintf("They are %d now, more than the %s that you confirmed. Nothing was done; look again.", v.Count, r.PostFormValue("count"))
		c.askBulk(w, r, http.StatusConflict, v)
		return nil
	}
	filter := maskedFilter(r.URL.Query())
	c.cfg.Log.WarnContext(r.Context(), "bulk action begins", "action", v.Action, "by", who.Name, "reason", reason, "filter", filter)
	p := c.begin(w, r, v.Action)
	err = do(r.Context(), p)
	p.end(err)
	c.cfg.Log.WarnContext(r.Context(), "bulk action ended", "action", v.Action, "by", who.Name, "done", p.done, "refused", p.refused, "error", err)
	return nil
}

// maskedFilter is a filter as it may be logged.
func maskedFilter(q url.Values) string {
	q = kept(q, filterNames)
	if phone := q.Get("phone"); phone != "" {
		q.Set("phone", topup.MaskPhone(phone))
	}
	return q.Encode()
}

// bulkAction is what a form asks for.
func (c *Console) bulkAction(r *http.Request, who operator, reason string) (func(context.Context, *progress) error, error) {
	action := r.PathValue("action")
	if action == "redeliver" {
		f, err := eventFilter(r.URL.Query())
		return func(ctx context.Context, p *progress) error { return c.redeliverAll(ctx, r, f, p) }, err
	}
	f, err := c.bulkFilter(r.Context(), action, r.URL.Query())
	if err != nil {
		return nil, err
	}
	act := func(ctx context.Context, id topup.ID) error {
		_, err := c.cfg.Orders.Cancel(ctx, id, "")
		return err
	}
	if action == "resolve" {
		resolution := resolveForm{Outcome: r.PostFormValue("outcome"), Reason: reason, Force: r.PostFormValue("force")}.resolution(who)
		if err := resolution.Check(); err != nil {
			return nil, err
		}
		act = func(ctx context.Context, id topup.ID) error {
			_, err := c.cfg.Orders.Resolve(ctx, id, resolution)
			return err
		}
	}
	return func(ctx context.Context, p *progress) error { return c.actOnAll(ctx, f, act, p) }, nil
}

// actOnAll acts on a page's orders side by side, so that they share the journal's commits.
func (c *Console) actOnAll(ctx context.Context, f journal.Filter, act func(context.Context, topup.ID) error, p *progress) error {
	for {
		page, next, err := c.cfg.Book.List(ctx, f)
		if err != nil {
			return err
		}
		var all errgroup.Group
		all.SetLimit(bulkAtOnce)
		for _, o := range page {
			all.Go(func() error {
				p.count(o.ID, act(ctx, o.ID))
				return ctx.Err()
			})
		}
		if err := all.Wait(); err != nil {
			return err
		}
		if f.Cursor = next; next == "" {
			return nil
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
	w     io.Writer
	flush *http.ResponseController
	// tail is the end of the page.
	tail string

	mu            sync.Mutex
	done, refused int
	said          time.Time
}

// marker is where the page is cut in two, to be filled in between.
const marker = "<!--progress-->"

func (c *Console) begin(w http.ResponseWriter, r *http.Request, action string) *progress {
	rest := &cut{ResponseWriter: w}
	c.show(rest, r, http.StatusOK, "progress", view{Title: title(action) + " all", Data: template.HTML(marker)}) //nolint:gosec // a constant
	head, tail, _ := strings.Cut(rest.page.String(), marker)
	p := &progress{w: w, flush: http.NewResponseController(w), tail: tail}
	p.write(head + "<p>Begun.</p>")
	return p
}

// cut keeps a page back.
type cut struct {
	http.ResponseWriter
	page strings.Builder
}

func (c *cut) Write(data []byte) (int, error) { return c.page.Write(data) }

func (p *progress) write(html string) {
	_, _ = fmt.Fprintln(p.w, html) // the browser may be gone; the request's context says so
	_ = p.flush.Flush()
}

func (p *progress) count(id topup.ID, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.done++
	} else if p.refused++; p.refused <= refusalsShown {
		p.write(`<p class="bad">` + template.HTMLEscapeString(string(id)+": "+err.Error()) + "</p>")
	}
	p.say()
}

func (p *progress) say() {
	if time.Since(p.said) < time.Second {
		return
	}
	p.said = time.Now()
	p.write(fmt.Sprintf("<p>%d done, %d refused …</p>", p.done, p.refused))
}

func (p *progress) end(err error) {
	p.write(fmt.Sprintf("<p class=\"done\"><strong>%d done, %d refused.</strong></p>", p.done, p.refused))
	if p.refused > refusalsShown {
		p.write(fmt.Sprintf("<p>The first %d refusals are named above.</p>", refusalsShown))
	}
	if err != nil {
		p.write("<p class=\"bad\">Stopped: " + template.HTMLEscapeString(err.Error()) + ". What was done stays; the same action goes on.</p>")
	}
	p.write(p.tail)
}
