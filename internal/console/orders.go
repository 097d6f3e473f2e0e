package console

import (
	"cmp"
	"context"
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
	// Form is the filter, Next the link to older orders (empty: there are none), Wrong what is wrong with the filter.
	Form  filterForm
	Next  string
	Wrong string
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
	State, Disputed, Caller, Product, Phone, Since, Until, FinishedSince, FinishedUntil string
	Products                                                                            []string
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
	f, err := c.filterOf(r.Context(), q)
	status := http.StatusOK
	if err == nil {
		var next string
		if v.Orders, next, err = c.cfg.Journal.List(r.Context(), f); next != "" {
			v.Next = address(older(q, filterNames, next), "orders")
		}
	}
	if err == nil {
		err = c.cfg.Journal.Conclude(r.Context(), v.Orders)
	}
	if err != nil {
		if len(topup.FieldErrors(err)) == 0 {
			return err
		}
		status, v.Wrong = http.StatusUnprocessableEntity, err.Error()
	}
	c.show(w, r, status, "orders", view{Title: "Orders", Data: v})
	return nil
}

// found shows what a text names: the order itself when there is one only.
func (c *Console) found(w http.ResponseWriter, r *http.Request, name string) error {
	orders, err := c.cfg.Journal.Find(r.Context(), "", name)
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
	v := ordersView{Orders: orders, Chips: chips(url.Values{})}
	v.Form.Products = c.productIDs("")
	if len(orders) == 0 {
		v.Wrong = "No order has this id, transaction id, reference or phone number: " + name
	}
	c.show(w, r, http.StatusOK, "orders", view{Title: "Search", Data: v})
	return nil
}

var filterNames = []string{"state", "disputed", "caller", "product", "phone", "since", "until", "finished_since",
	"finished_until"}

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

// older is the query of the next page of what a query chooses.
func older(q url.Values, names []string, cursor string) url.Values {
	q = kept(q, names)
	q.Set("cursor", cursor)
	return q
}

func (c *Console) formOf(q url.Values) filterForm {
	return filterForm{
		State: q.Get("state"), Disputed: q.Get("disputed"), Caller: q.Get("caller"), Product: q.Get("product"),
		Phone: q.Get("phone"),
		Since: q.Get("since"), Until: q.Get("until"), FinishedSince: q.Get("finished_since"),
		FinishedUntil: q.Get("finished_until"), Products: c.productIDs(q.Get("product")),
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
func (c *Console) filterOf(ctx context.Context, q url.Values) (search.Filter, error) {
	given := params.Reader{Values: kept(q, filterNames)}
	f := search.Filter{
		State: params.Read(&given, "state", topup.ParseState), Caller: given.Get("caller"), Product: given.Get("product"),
		Disputed: params.Read(&given, "disputed", params.Flag("disputed")),
		Phone:    params.Read(&given, "phone", topup.ParsePhone), Cursor: q.Get("cursor"),
	}
	f.Since, f.Until = span(&given)
	f.FinishedSince = params.Read(&given, "finished_since", timeOf("finished_since"))
	f.FinishedUntil = params.Read(&given, "finished_until", timeOf("finished_until"))
	err := search.ProductFilter(ctx, c.cfg.Catalog, c.cfg.Journal.List, f.Caller, "product", f.Product)
	return f, errors.Join(given.Err(), err)
}

// span reads the two ends of a time.
func span(given *params.Reader) (since, until time.Time) {
	return params.Read(given, "since", timeOf("since")), params.Read(given, "until", timeOf("until"))
}

// timeOf reads what a browser's field of date and time gives, in the local time of this machine, or RFC 3339.
func timeOf(name string) func(string) (time.Time, error) {
	return func(s string) (time.Time, error) {
		if t, err := time.ParseInLocation("2006-01-02T15:04", s, time.Local); err == nil {
			return t.UTC(), nil
		}
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return t, &topup.FieldError{Field: name, Value: s, Allowed: "a date and time, as in 2026-01-31T18:00"}
		}
		return t.UTC(), nil
	}
}
