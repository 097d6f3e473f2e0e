package console

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"recarga/internal/bulk"
	"recarga/producer"
	"recarga/topup"
)

const (
	// refusalsShown bounds the refusals that are named one by one.
	refusalsShown = 200
	// maxBulkForm is what is read of the form of a bulk action: a fingerprint for each member, in base64.
	maxBulkForm = 2 << 20
)

// bulkView asks before something is done to all that a filter matches.
type bulkView struct {
	// Action is what will be done to all of them.
	Action bulk.Action
	// Filter is what the list showed, and Parts all that it could have chosen by.
	Filter url.Values
	Parts  []filterPart
	// Count is how many the filter matches now, and Callers whose they are.
	Count   int
	Callers []bulk.CallerCount
	// Seal is the confirmation that the form sends back.
	Seal string
	// Wrong is why the answer before was not taken; empty: this is the first question.
	Wrong string
}

// filterPart is a part of a filter; without a Value it chooses nothing.
type filterPart struct{ Name, Value string } // as in the query

// Back is the list.
func (v bulkView) Back() string {
	if v.Action == bulk.Redeliver {
		return address(v.Filter, "events")
	}
	return address(v.Filter, "orders")
}

// namesOf are those of an action's filter.
func namesOf(action bulk.Action) []string {
	if action == bulk.Redeliver {
		return eventNames
	}
	return filterNames
}

// choose reads what the filter of an action matches now.
func (c *Console) choose(ctx context.Context, action bulk.Action, filter url.Values) (bulk.Set, error) {
	if action == bulk.Redeliver {
		f, err := eventFilter(filter)
		if err != nil {
			return bulk.Set{}, err
		}
		return bulk.ChooseEvents(ctx, c.cfg.Journal, f)
	}
	f, err := c.filterOf(ctx, filter)
	if err != nil {
		return bulk.Set{}, err
	}
	return bulk.ChooseOrders(ctx, c.cfg.Journal, action, f)
}

func (c *Console) bulkPage(action bulk.Action) page {
	return func(w http.ResponseWriter, r *http.Request, who operator) error {
		filter := kept(r.URL.Query(), namesOf(action))
		set, err := c.choose(r.Context(), action, filter)
		if err != nil {
			return err
		}
		return c.askBulk(w, r, http.StatusOK, confirmation{Action: action, By: who.Name, Filter: filter}, set, "")
	}
}

// askBulk shows a set, and seals what it shows.
func (c *Console) askBulk(
	w http.ResponseWriter, r *http.Request, status int, ask confirmation, set bulk.Set, wrong string,
) error {
	ask.Until, ask.shown = time.Now().Add(confirmationLasts), set.Fingerprints()
	seal, err := ask.seal(c.sessions.box)
	if err != nil {
		return err
	}
	v := bulkView{
		Action: ask.Action, Filter: ask.Filter, Count: set.Count(), Callers: set.Callers(), Seal: seal, Wrong: wrong,
	}
	for _, name := range namesOf(ask.Action) {
		v.Parts = append(v.Parts, filterPart{name, ask.Filter.Get(name)})
	}
	c.show(w, r, status, "bulk", view{Title: title(string(ask.Action)) + " all", Data: v})
	return nil
}

// bulk does what was confirmed to exactly what was shown: when others match now, or what was shown has changed, it
// does nothing and asks again. What matches no more is left out. It runs to the end, and says how far it is. A browser
// that goes away stops it.
func (c *Console) bulk(action bulk.Action) page {
	return func(w http.ResponseWriter, r *http.Request, who operator) error {
		reason, err := reasonOf(r)
		if err != nil {
			return err
		}
		asked, err := openConfirmation(c.sessions.box, r.PostFormValue("seal"), action, who.Name)
		if err != nil {
			return err
		}
		do, err := c.bulkAction(r, who, action, reason)
		if err != nil {
			return err
		}
		set, err := c.choose(r.Context(), action, asked.Filter)
		if err != nil {
			return err
		}
		if wrong := asked.wrong(set); wrong != "" {
			return c.askBulk(w, r, http.StatusConflict, asked, set, wrong)
		}
		c.runBulk(w, r, asked, set, reason, do)
		return nil
	}
}

// wrong says why a confirmation does not hold for what would be acted on now.
func (c confirmation) wrong(now bulk.Set) string {
	n := now.New(c.shown)
	switch {
	case time.Now().After(c.Until):
		return "You were asked more than an hour ago. Nothing was done. Review them again."
	case n == 1:
		return "One of these has come, or has changed, since you were asked. Nothing was done. Review them again."
	case n > 1:
		return fmt.Sprintf("%d of these have come, or have changed, since you were asked. Nothing was done. Review them "+
			"again.", n)
	}
	return ""
}

func (c *Console) runBulk(
	w http.ResponseWriter, r *http.Request, asked confirmation, set bulk.Set, reason string, do act,
) {
	log := c.cfg.Log.With("action", string(asked.Action), "by", asked.By, "filter", maskedFilter(asked.Filter))
	log.WarnContext(r.Context(), "bulk action begins", "reason", reason, "count", set.Count())
	p := c.begin(w, r, string(asked.Action))
	err := set.Each(r.Context(), do, p.count)
	p.end(err)
	log.WarnContext(r.Context(), "bulk action ended", "done", p.done, "refused", p.refused, "error", err)
}

// maskedFilter is a filter as it may be logged.
func maskedFilter(filter url.Values) string {
	masked := kept(filter, slices.Concat(filterNames, eventNames))
	if phone := masked.Get("phone"); phone != "" {
		masked.Set("phone", topup.MaskPhone(phone))
	}
	return masked.Encode()
}

// act does something to one order or event.
type act func(context.Context, bulk.Member) error

// bulkAction is what a form asks for.
func (c *Console) bulkAction(r *http.Request, who operator, action bulk.Action, reason string) (act, error) {
	actor := producer.Actor{By: who.Name, Reason: reason}
	switch action {
	case bulk.Resolve:
		form := resolveForm{Outcome: r.PostFormValue("outcome"), Reason: reason, Force: r.PostFormValue("force")}
		decision := form.resolution(who)
		return func(ctx context.Context, m bulk.Member) error {
			one := decision
			one.Attempt = m.Attempt
			_, err := c.cfg.Orders.Resolve(ctx, m.Order, one)
			return err
		}, decision.Check()
	case bulk.Cancel:
		return func(ctx context.Context, m bulk.Member) error {
			_, err := c.cfg.Orders.Cancel(ctx, m.Order, actor)
			return err
		}, nil
	default:
		return func(ctx context.Context, m bulk.Member) error {
			_, err := c.cfg.Orders.Redeliver(ctx, m.ID, actor)
			return err
		}, nil
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
	v := view{Title: title(action) + " all", Data: template.HTML(marker)} //nolint:gosec // a constant
	c.show(rest, r, http.StatusOK, "progress", v)
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

// Write implements http.ResponseWriter, and sends nothing.
func (c *cut) Write(data []byte) (int, error) { return c.page.Write(data) }

func (p *progress) write(html string) {
	_, _ = fmt.Fprintln(p.w, html) // the browser may be gone; the request's context says so
	_ = p.flush.Flush()
}

func (p *progress) count(m bulk.Member, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.done++
	} else if p.refused++; p.refused <= refusalsShown {
		p.write(`<p class="bad">` + template.HTMLEscapeString(m.ID+": "+err.Error()) + "</p>")
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
		p.write("<p class=\"bad\">Stopped: " + template.HTMLEscapeString(err.Error()) +
			". What was done stays; begin again with the list to continue.</p>")
	}
	p.write(p.tail)
}
