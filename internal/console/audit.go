package console

import (
	"encoding/csv"
	"net/http"
	"net/url"

	"recarga/internal/csvsafe"
	"recarga/internal/params"
	"recarga/topup/desk"
)

// auditView is a page of what people and programs did.
type auditView struct {
	// Acts are those of this page, the latest first; Next leads to older ones (empty: there are none).
	Acts []desk.Act
	Next string
	// Filter is the query, and CSV the same list as a file.
	Filter url.Values
	CSV    string
	// Vias are what can be chosen.
	Vias []string
	// Wrong is why the filter was not taken.
	Wrong string
}

var auditNames = []string{"act", "by", "action", "on", "via", "since", "until"}

// actFilter reads a filter. The error joins a *topup.FieldError for each wrong field.
func actFilter(r *http.Request) (f desk.ActFilter, err error) {
	given := params.Reader{Values: r.URL.Query()}
	text := func(name string) string { return params.Read(&given, name, params.AsIs) }
	f = desk.ActFilter{ID: text("act"), By: text("by"), Action: text("action"), On: text("on"),
		Via: params.Read(&given, "via", params.OneOf("via", desk.Vias()...))}
	f.Since, f.Until = span(r, &given)
	return f, given.Err()
}

func (c *Console) audit(w http.ResponseWriter, r *http.Request, _ operator) error {
	q := r.URL.Query()
	v := auditView{Filter: kept(q, auditNames), Vias: desk.Vias()}
	v.CSV = address(v.Filter, "audit.csv")
	f, err := actFilter(r)
	f.Cursor = q.Get("cursor")
	var next string
	if err == nil {
		v.Acts, next, err = c.cfg.Journal.Acts(r.Context(), f)
	}
	status, wrong, err := ofFilter(err)
	if err != nil {
		return err
	}
	v.Wrong, v.Next = wrong, beside(q, auditNames, "cursor", next, "audit")
	c.show(w, r, status, "audit", view{Title: "Audit", Data: v})
	return nil
}

// csvPage is how many actions are read at once for a file.
const csvPage = 1000

// auditFile is the whole list of a filter as CSV. The connection is cut where the book fails half-way, so that a part
// is not taken for the whole.
func (c *Console) auditFile(w http.ResponseWriter, r *http.Request, _ operator) error {
	f, err := actFilter(r)
	if err != nil {
		return err
	}
	f.Limit = csvPage
	acts, next, err := c.cfg.Journal.Acts(r.Context(), f)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="audit.csv"`)
	to := csv.NewWriter(w)
	_ = to.Write(desk.ActColumns()) // the browser may be gone; the request's context says so
	for {
		for _, a := range acts {
			_ = to.Write(csvsafe.Row(a.Columns()))
		}
		to.Flush()
		if f.Cursor = next; next == "" {
			return nil
		}
		if acts, next, err = c.cfg.Journal.Acts(r.Context(), f); err != nil {
			c.cfg.Log.ErrorContext(r.Context(), "audit cut off", "error", err)
			panic(http.ErrAbortHandler)
		}
	}
}
