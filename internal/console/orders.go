package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"recarga/internal/journal/search"
	"recarga/internal/params"
	"recarga/topup"
)

// ordersView is a page of orders, or what a search found.
type ordersView struct {
	// Orders are those of this page, the newest first.
	Orders []topup.Order
	// Chips are links to the same list by state.
	Chips []chip
	// Form is the filter, Next and Newer the links to older and newer orders (empty: there are none), Wrong what is wrong
	// with the filter.
	Form        filterForm
	Next, Newer string
	Wrong       string
	// Choose is what can be done to rows that are chosen; empty: nothing.
	Choose topup.BulkKind
	// Filter is the query of what the page lists.
	Filter url.Values
}

type chip struct {
	// Name is the state, or "all". On: the page is that list.
	Name, Link string
	On         bool
}

// filterForm is the filter as it was typed.
type filterForm struct {
	// Texts of the query, also those that are wrong; Products are what the field offers.
	State, Disputed, Caller, Product, Phone, Code, Reason, Metadata, WaitsFor, Since, Until string

	FinishedSince, FinishedUntil string
	Products                     []string
	Codes                        []topup.Code
	Reasons                      []topup.Reason
	Waits                        []topup.Wait
}

func (c *Console) orders(w http.ResponseWriter, r *http.Request, _ operator) error {
	q := r.URL.Query()
	if name := strings.TrimSpace(q.Get("q")); name != "" {
		if len(kept(q, filterNames)) > 0 {
			return &problem{http.StatusBadRequest, "A search (q) finds all orders of a name, whatever the filter: send one " +
				"or the other."}
		}
		return c.found(w, r, name)
	}
	v := ordersView{Form: c.formOf(q), Chips: chips(q), Filter: kept(q, filterNames)}
	v.Choose = chosenAction(topup.State(v.Form.State))
	f, err := c.filterOf(r, q)
	if err == nil {
		err = c.list(r.Context(), &v, f, q)
	}
	status, wrong, err := ofFilter(err)
	if err != nil {
		return err
	}
	v.Wrong = wrong
	c.show(w, r, status, "orders", view{Title: "Orders", Live: v.Wrong == "", Data: v})
	return nil
}

// chosenAction is what can be done to rows of a state.
func chosenAction(s topup.State) topup.BulkKind {
	switch s {
	case topup.StateUnknown:
		return topup.BulkResolve
	case topup.StateQueued, topup.StateRetrying:
		return topup.BulkCancel
	}
	return ""
}

// list reads the page that a query asks for: by the cursor of the page after it, or of the one before.
func (c *Console) list(ctx context.Context, v *ordersView, f search.Filter, q url.Values) error {
	read := c.cfg.Journal.Page
	if newer := q.Get("newer"); newer != "" {
		read, f.Cursor = c.cfg.Journal.PageBefore, newer
	}
	page, err := read(ctx, f)
	if err != nil {
		return err
	}
	v.Orders, v.Next = page.Orders, beside(q, filterNames, "cursor", page.Older, "orders")
	v.Newer = beside(q, filterNames, "newer", page.Newer, "orders")
	return c.cfg.Journal.Conclude(ctx, v.Orders)
}

// suggest answers the ids that a text may become, for who is typing.
func (c *Console) suggest(w http.ResponseWriter, r *http.Request, _ operator) error {
	orders, err := c.cfg.Journal.FindPart(r.Context(), strings.TrimSpace(r.URL.Query().Get("q")), suggestions)
	if err != nil {
		return err
	}
	ids := make([]topup.ID, len(orders))
	for i, o := range orders {
		ids[i] = o.ID
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(ids)
}

// suggestions are shown at most so many.
const suggestions = 10

// found shows what a text names: the order itself when there is one only.
func (c *Console) found(w http.ResponseWriter, r *http.Request, name string) error {
	orders, err := c.cfg.Journal.Find(r.Context(), "", name)
	if err == nil && len(orders) == 0 {
		orders, err = c.cfg.Journal.FindPart(r.Context(), name, suggestions)
	}
	if err != nil {
		return err
	}
	if len(orders) == 1 {
		http.Redirect(w, r, orderPath(orders[0].ID), http.StatusSeeOther)
		return nil
	}
	if err := c.cfg.Journal.Conclude(r.Context(), orders); err != nil {
		return err
	}
	v := ordersView{Orders: orders, Chips: chips(url.Values{}), Form: c.formOf(url.Values{})}
	if len(orders) == 0 {
		v.Wrong = "No order has this id, transaction id, reference or phone number: " + name
	}
	c.show(w, r, http.StatusOK, "orders", view{Title: "Search", Data: v})
	return nil
}

var filterNames = []string{"state", "disputed", "caller", "product", "phone", "code", "reason", "metadata",
	"waits_for", "since", "until", "finished_since", "finished_until"}

// kept is what of a query chooses things, whatever page of them.
func kept(q url.Values, names []string) url.Values {
	kept := url.Values{}
	for _, name := range names {
		if value := strings.TrimSpace(q.Get(name)); value != "" {
			kept.Set(name, value)
		}
	}
	return kept
}

func (c *Console) formOf(q url.Values) filterForm {
	return filterForm{
		State: q.Get("state"), Disputed: q.Get("disputed"), Caller: q.Get("caller"), Product: q.Get("product"),
		Phone: q.Get("phone"), Code: q.Get("code"), Reason: q.Get("reason"), Metadata: q.Get("metadata"),
		WaitsFor: q.Get("waits_for"), Since: q.Get("since"), Until: q.Get("until"),
		FinishedSince: q.Get("finished_since"), FinishedUntil: q.Get("finished_until"),
		Products: c.productIDs(q.Get("product")), Codes: topup.Codes(), Reasons: topup.Reasons(), Waits: topup.Waits(),
	}
}

// productIDs are the catalogue's, and the one that is chosen: it may have left.
func (c *Console) productIDs(chosen string) (ids []string) {
	for _, p := range c.cfg.Catalog.Products() {
		ids = append(ids, p.ID)
	}
	if chosen != "" && !slices.Contains(ids, chosen) {
		ids = append(ids, chosen)
	}
	return ids
}

func chips(q url.Values) []chip {
	all := []chip{newChip("orders", kept(q, filterNames), "")}
	for _, f := range topup.StateTable() {
		all = append(all, newChip("orders", kept(q, filterNames), string(f.State)))
	}
	disputed := kept(q, filterNames)
	disputed.Set("disputed", "true")
	return append(all, chip{"disputed", address(disputed, "orders"), q.Get("disputed") == "true"})
}

// newChip leads to what the query chooses, but of the state; an empty one means all.
func newChip(page string, q url.Values, state string) chip {
	on := q.Get("state") == state
	if q.Set("state", state); state == "" {
		q.Del("state")
	}
	return chip{cmp.Or(state, "all"), address(q, page), on}
}

// filterOf reads a filter. The error joins a *topup.FieldError for each wrong field.
func (c *Console) filterOf(r *http.Request, q url.Values) (search.Filter, error) {
	given := params.Reader{Values: kept(q, filterNames)}
	f := search.Filter{
		State: params.Read(&given, "state", topup.ParseState), Caller: given.Get("caller"), Product: given.Get("product"),
		Disputed: params.Read(&given, "disputed", params.Flag("disputed")),
		Phone:    params.Read(&given, "phone", topup.ParsePhone), Cursor: q.Get("cursor"), MostRead: search.InTime,
		Code:     params.Read(&given, "code", topup.ParseCode),
		Reason:   params.Read(&given, "reason", topup.ParseReason),
		Metadata: params.Read(&given, "metadata", search.ParseLabel),
		WaitsFor: params.Read(&given, "waits_for", topup.ParseWait),
	}
	f.Since, f.Until = span(r, &given)
	f.FinishedSince = params.Read(&given, "finished_since", timeOf("finished_since", time.Now().In(zoneOf(r))))
	f.FinishedUntil = params.Read(&given, "finished_until", timeOf("finished_until", time.Now().In(zoneOf(r))))
	err := search.ProductFilter(r.Context(), c.cfg.Catalog, c.cfg.Journal.List, f.Caller, "product", f.Product)
	return f, errors.Join(given.Err(), err)
}

// span reads the two ends of a time.
func span(r *http.Request, given *params.Reader) (since, until time.Time) {
	now := time.Now().In(zoneOf(r))
	return params.Read(given, "since", timeOf("since", now)), params.Read(given, "until", timeOf("until", now))
}

// lately are words for a time that has just passed.
var lately = map[string]string{"last hour": "1h", "last day": "1d", "last week": "1w"}

// timeOf reads what params.Moment does, what a browser's field of date and time gives, in the operator's time zone,
// and words such as "last hour".
func timeOf(name string, now time.Time) func(string) (time.Time, error) {
	return func(s string) (time.Time, error) {
		for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04"} {
			if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
				return t.UTC(), nil
			}
		}
		t, err := params.Moment(name, now)(cmp.Or(lately[s], s))
		if err != nil {
			return t, &topup.FieldError{Field: name, Value: s,
				Allowed: "1h, 2d, last hour, today, yesterday, or a date and time, as in 2026-01-31 18:00"}
		}
		return t, nil
	}
}
