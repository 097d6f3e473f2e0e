// Package params refuses parameters that nobody reads. Without it a filter that is misspelt, lost or given twice would
// be ignored, and the request would show, or change, more than was asked for.
package params

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"recarga/internal/clip"
	"recarga/topup"
)

// Check returns a *topup.FieldError, in the order of their names, for each given parameter that is none of names, that
// is given more than once, or whose value is no Text; for topup.MaxFaults of them at most. A name that ends in []
// may be given often.
func Check(given url.Values, names ...string) []*topup.FieldError {
	var wrong []*topup.FieldError
	for _, name := range slices.Sorted(maps.Keys(given)) {
		e := &topup.FieldError{Field: clip.Marked(readable(name), maxName), Value: readable(strings.Join(given[name], ", "))}
		switch {
		case !slices.Contains(names, name):
			e.Allowed = "absent: there is no such parameter here; " + listed(names)
		case len(given[name]) > 1 && !strings.HasSuffix(name, "[]"):
			e.Allowed = onceAllowed
		case !slices.ContainsFunc(given[name], notText):
			continue
		default:
			e.Allowed = allowedText
		}
		if wrong = append(wrong, e); len(wrong) == topup.MaxFaults {
			break
		}
	}
	return wrong
}

// maxName bounds a name that somebody else has chosen, in bytes.
const maxName = 60

const (
	allowedText = "UTF-8 text without NUL"
	onceAllowed = "given once"
)

// Text reports whether s is UTF-8 without NUL. A database cannot hold anything else, and one that can finds nothing by
// it.
func Text(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func notText(s string) bool { return !Text(s) }

func readable(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// CheckPath returns a *topup.FieldError if value, which is a path or the part of one that is called name, is no Text.
func CheckPath(name, value string) []*topup.FieldError {
	if Text(value) {
		return nil
	}
	return []*topup.FieldError{{Field: name, Value: readable(value), Allowed: allowedText}}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "there are none"
	}
	return "there are: " + strings.Join(names, ", ")
}

// CheckQuery is Check of a request's raw query. One that cannot be read is refused as the field "query".
func CheckQuery(raw string, names ...string) []*topup.FieldError {
	given, err := url.ParseQuery(raw)
	if err != nil {
		return []*topup.FieldError{{Field: "query", Value: raw, Allowed: "well-formed: " + err.Error()}}
	}
	return Check(given, names...)
}

// Only serves the requests whose path is Text and whose query has no parameters but names, each once, and gives the
// others to refuse.
func Only(next http.Handler, refuse func(http.ResponseWriter, *http.Request, []*topup.FieldError),
	names ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wrong := append(CheckPath("path", r.URL.Path), CheckQuery(r.URL.RawQuery, names...)...)
		if len(wrong) > 0 {
			refuse(w, r, wrong)
			return
		}
		next.ServeHTTP(w, r)
	})
}
