// Package params refuses parameters that nobody reads. A filter that is misspelt, lost or given twice would otherwise
// be ignored, and the request would answer, or act on, more than was asked for.
package params

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"recarga/topup"
)

// Check returns a *topup.FieldError, in the order of their names, for each given parameter that is none of names or
// that is given more than once. A name that ends in [] may be given often.
func Check(given url.Values, names ...string) []*topup.FieldError {
	var wrong []*topup.FieldError
	for _, name := range slices.Sorted(maps.Keys(given)) {
		e := &topup.FieldError{Field: clip(name), Value: strings.Join(given[name], ", ")}
		switch {
		case !slices.Contains(names, name):
			e.Allowed = "absent: there is no such parameter here; " + listed(names)
		case len(given[name]) > 1 && !strings.HasSuffix(name, "[]"):
			e.Allowed = "given once"
		default:
			continue
		}
		wrong = append(wrong, e)
	}
	return wrong
}

func listed(names []string) string {
	if len(names) == 0 {
		return "there are none"
	}
	return "there are: " + strings.Join(names, ", ")
}

// clip bounds a name that somebody else has chosen.
func clip(name string) string {
	const most = 60
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

// CheckQuery is Check of a request's raw query. One that cannot be read is refused as the field "query".
func CheckQuery(raw string, names ...string) []*topup.FieldError {
	given, err := url.ParseQuery(raw)
	if err != nil {
		return []*topup.FieldError{{Field: "query", Value: raw, Allowed: "well-formed: " + err.Error()}}
	}
	return Check(given, names...)
}

// Only serves the requests whose query has no parameters but names, each once, and gives the others to refuse.
func Only(next http.Handler, refuse func(http.ResponseWriter, *http.Request, []*topup.FieldError), names ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wrong := CheckQuery(r.URL.RawQuery, names...); len(wrong) > 0 {
			refuse(w, r, wrong)
			return
		}
		next.ServeHTTP(w, r)
	})
}
