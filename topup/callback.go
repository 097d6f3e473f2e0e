package topup

import (
	"slices"
	"strings"

	"recarga/internal/origin"
)

// CheckCallback refuses an order's callback URL whose origin is none of the registered URLs': an order may move its
// webhook to another path of its caller's, never to another host; else a leaked key could send events anywhere. An
// empty one is the caller's own.
func CheckCallback(callback string, registered ...string) error {
	if callback == "" {
		return nil
	}
	var origins []string
	for _, u := range registered {
		if o := origin.Of(u); o != "" && !slices.Contains(origins, o) {
			origins = append(origins, o)
		}
	}
	if slices.Contains(origins, origin.Of(callback)) {
		return nil
	}
	allowed := "absent: no callback URL is registered for this caller"
	if len(origins) > 0 {
		allowed = "a URL of the registered origin " + strings.Join(origins, " or ")
	}
	return &FieldError{Field: FieldCallbackURL, Value: callback, Allowed: allowed}
}
