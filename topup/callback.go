package topup

import (
	"net/url"
	"slices"
	"strings"
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
		if o := origin(u); o != "" && !slices.Contains(origins, o) {
			origins = append(origins, o)
		}
	}
	if slices.Contains(origins, origin(callback)) {
		return nil
	}
	allowed := "absent: no callback URL is registered for this caller"
	if len(origins) > 0 {
		allowed = "a URL of the registered origin " + strings.Join(origins, " or ")
	}
	return &FieldError{Field: FieldCallbackURL, Value: callback, Allowed: allowed}
}

// origin is a URL's scheme, host and port, or empty for what is no http URL.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	ports := map[string]string{"http": "80", "https": "443"}
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
