package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"recarga/internal/bulk"
	"recarga/topup"
)

// maxBulkForm is what is read of the form of a bulk action: a fingerprint for each member, in base64.
const maxBulkForm = 2 << 20

// bulkView asks before something is done to all that a filter matches.
type bulkView struct {
	// Action is what will be done to all of them.
	Action topup.BulkKind
	// Filter is what the list showed, and Parts all that it could have chosen by.
	Filter url.Values
	Parts  []filterPart
	// Count is how many the filter matches now, Amount what these orders buy (none of events), and Callers whose they
	// are.
	Count   int
	Amount  topup.Amount
	Callers []bulk.CallerCount
	// Seal is the confirmation that the form sends back.
	Seal string
	// Wrong is why the answer before was not taken; empty: this is the first question.
	Wrong string
}

// filterPart is a part of a filter; without a Value it chooses nothing.
type filterPart struct{ Name, Value string } // as in the query

// Any are the names of the parts that chose nothing.
func (v bulkView) Any() (names []string) {
	for _, p := range v.Parts {
		if p.Value == "" {
			names = append(names, p.Name)
		}
	}
	return names
}

// Back is the list.
func (v bulkView) Back() string {
	if v.Action == topup.BulkRedeliver {
		return address(v.Filter, "events")
	}
	return address(v.Filter, "orders")
}

// chosenIDs are the rows of a list that were chosen one by one, and chosenPart what they are called.
const chosenIDs, chosenPart = "id[]", "chosen"

// namesOf are those of an action's filter.
func namesOf(action topup.BulkKind) []string {
	if action == topup.BulkRedeliver {
		return eventNames
	}
	return filterNames
}

// choose reads what the filter of an action matches now.
func (c *Console) choose(r *http.Request, action topup.BulkKind, filter url.Values) (bulk.Set, error) {
	if ids := filter[chosenIDs]; len(ids) > 0 {
		return bulk.Named(r.Context(), c.cfg.Journal, action, ids)
	}
	if action == topup.BulkRedeliver {
		f, err := eventFilter(r, filter)
		if err != nil {
			return bulk.Set{}, err
		}
		return bulk.ChooseEvents(r.Context(), c.cfg.Journal, f)
	}
	f, err := c.filterOf(r, filter)
	if err != nil {
		return bulk.Set{}, err
	}
	return bulk.ChooseOrders(r.Context(), c.cfg.Journal, action, f)
}

func (c *Console) bulkPage(action topup.BulkKind) page {
	return func(w http.ResponseWriter, r *http.Request, who operator) error {
		filter := kept(r.URL.Query(), namesOf(action))
		if ids := r.URL.Query()[chosenIDs]; len(ids) > 0 { // rows of a list, whatever this was filtered by
			filter = url.Values{chosenIDs: ids}
		}
		set, err := c.choose(r, action, filter)
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
		Action: ask.Action, Filter: ask.Filter, Count: set.Count(), Amount: set.Amount(), Callers: set.Callers(),
		Seal: seal, Wrong: wrong,
	}
	for _, name := range namesOf(ask.Action) {
		v.Parts = append(v.Parts, filterPart{name, ask.Filter.Get(name)})
	}
	if ids := ask.Filter[chosenIDs]; len(ids) > 0 {
		v.Parts = []filterPart{{chosenPart, strings.Join(ids, ", ")}}
	}
	c.show(w, r, status, "bulk", view{Title: title(string(ask.Action)) + " all", Data: v})
	return nil
}

// bulk has done what was confirmed, to exactly what was shown: when others match now, or what was shown has changed,
// it does nothing and asks again. What matches no more is left out. It goes on whoever leaves.
func (c *Console) bulk(action topup.BulkKind) page {
	return func(w http.ResponseWriter, r *http.Request, who operator) error {
		reason, err := reasonOf(r)
		if err != nil {
			return err
		}
		asked, err := openConfirmation(c.sessions.box, r.PostFormValue("seal"), action, who.Name)
		if err != nil {
			return err
		}
		a := topup.BulkAction{Action: action, Filter: apiQuery(asked.Filter).Encode(), Reason: reason, By: who.Name,
			Outcome: topup.NullString(r.PostFormValue("outcome")), Forced: r.PostFormValue("force") == "yes"}
		if err := bulk.Check(a); err != nil {
			return err
		}
		set, err := c.choose(r, action, asked.Filter)
		if err != nil {
			return err
		}
		if wrong := asked.wrong(set); wrong != "" {
			return c.askBulk(w, r, http.StatusConflict, asked, set, wrong)
		}
		if a, err = c.cfg.Bulk.Start(r.Context(), a, set); err != nil {
			return err
		}
		http.Redirect(w, r, address(nil, "bulk", a.ID), http.StatusSeeOther)
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

// bulkPages is how many actions a page lists.
const bulkPages = 50

// bulksView is a page of actions.
type bulksView struct {
	// Actions are the newest first, and Next leads to older ones (empty: there are none).
	Actions []topup.BulkAction
	Next    string
}

func (c *Console) bulks(w http.ResponseWriter, r *http.Request, _ operator) error {
	all, err := c.cfg.Bulk.Actions(r.Context(), r.URL.Query().Get("cursor"), bulkPages)
	if err != nil {
		return err
	}
	v := bulksView{Actions: all}
	if len(all) == bulkPages {
		v.Next = address(query("cursor", all[bulkPages-1].ID), "bulk")
	}
	c.show(w, r, http.StatusOK, "bulks", view{Title: "Bulk actions", Live: len(all) > 0 && running(all[0]), Data: v})
	return nil
}

func running(a topup.BulkAction) bool {
	return a.State == topup.BulkRunning || a.State == topup.BulkStopping
}

// bulkActionView is one action.
type bulkActionView struct {
	topup.BulkAction
	// Parts are what it chose by, and List leads to what this chooses now.
	Parts []filterPart
	List  string
	// Percent is how much of it is done, and Running: it goes on.
	Percent int
	Running bool
}

func (c *Console) bulkActionPage(w http.ResponseWriter, r *http.Request, _ operator) error {
	a, err := c.cfg.Bulk.Action(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	v := bulkActionView{BulkAction: a, Percent: 100, Running: running(a)}
	if a.Count > 0 {
		v.Percent = 100 * (a.Done + a.Refused) / a.Count
	}
	filter, err := url.ParseQuery(a.Filter)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		one := filterPart{name, strings.Join(filter[name], ", ")}
		if name == chosenIDs {
			one.Name = chosenPart
		}
		v.Parts = append(v.Parts, one)
	}
	v.List = bulkView{Action: a.Action, Filter: consoleQuery(filter)}.Back()
	c.show(w, r, http.StatusOK, "bulkaction", view{Title: title(string(a.Action)) + " all", Live: v.Running, Data: v})
	return nil
}

func (c *Console) stopBulk(w http.ResponseWriter, r *http.Request, who operator) error {
	a, err := c.cfg.Bulk.Stop(r.Context(), r.PathValue("id"), who.Name)
	if err == nil {
		http.Redirect(w, r, address(nil, "bulk", a.ID), http.StatusSeeOther)
	}
	return err
}

// apiNames are those parts of a filter that have another name in the API.
var apiNames = map[string]string{"phone": "phone_number", "product": "product_id"}

// apiQuery is a filter of the console in the words of the API, as the book keeps it.
func apiQuery(filter url.Values) url.Values { return renamed(filter, apiNames) }

func consoleQuery(filter url.Values) url.Values {
	names := map[string]string{}
	for ours, theirs := range apiNames {
		names[theirs] = ours
	}
	return renamed(filter, names)
}

func renamed(q url.Values, names map[string]string) url.Values {
	out := url.Values{}
	for name, values := range q {
		out[cmp.Or(names[name], name)] = values
	}
	return out
}
