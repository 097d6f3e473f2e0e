package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"recarga/topup"
)

// address leads to one of the console's pages. Every link, form and redirect with a changing path or query is made
// here, so that each of their parts is escaped exactly once. A template writes it as a whole attribute:
// html/template escapes what stands after a "?" once more.
func address(query url.Values, parts ...any) string {
	var b strings.Builder
	b.WriteString(Path)
	for _, part := range parts {
		b.WriteString("/" + url.PathEscape(fmt.Sprint(part)))
	}
	if len(parts) == 0 {
		b.WriteString("/")
	}
	if len(query) > 0 {
		b.WriteString("?" + query.Encode())
	}
	return b.String()
}

func orderPath(id topup.ID) string { return address(nil, "orders", id) }

// done leads to an order's page, with the message of an action.
func done(id topup.ID, what string) string {
	return address(url.Values{"done": {what}}, "orders", id)
}

// beside is the address of the page before or after one of a list that names of a query choose.
func beside(q url.Values, names []string, name, cursor, list string) string {
	if cursor == "" {
		return ""
	}
	q = kept(q, names)
	q.Set(name, cursor)
	return address(q, list)
}

// ofFilter is how a list is answered: a filter that is wrong stands on its page, and any other fault is one.
func ofFilter(err error) (status int, wrong string, fault error) {
	if len(topup.FieldErrors(err)) > 0 {
		return http.StatusUnprocessableEntity, err.Error(), nil
	}
	return http.StatusOK, "", err
}

// query has the names and values of pairs.
func query(pairs ...any) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return q
}
