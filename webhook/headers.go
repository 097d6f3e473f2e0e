package webhook

import (
	"maps"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"recarga/topup"
)

// The bounds of an endpoint's own headers, and of the value of each in bytes.
const maxHeaders, maxHeaderValue = 10, 1 << 10

// The form of a header's name, which is a token (RFC 9110), and of its value.
var (
	headerName  = regexp.MustCompile("^[-A-Za-z0-9!#$%&'*+.^_`|~]{1,100}$")
	headerValue = regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`)
)

// ownHeaders are those that Recarga or HTTP itself sets: an endpoint cannot have others.
var ownHeaders = []string{
	"Accept", "Accept-Encoding", "Baggage", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect",
	"Host", "Idempotency-Key", "Keep-Alive", "Te", "Traceparent", "Tracestate", "Trailer", "Transfer-Encoding", "Upgrade",
	"User-Agent",
}

// ownPrefixes begin the names of further ones.
var ownPrefixes = []string{"Webhook-", "Proxy-"}

// CheckHeaders returns what is wrong with an endpoint's own headers: those of topup.FieldErrors, each of the field
// with the header's name, and never with its value.
func CheckHeaders(field string, headers map[string]string) []error {
	var wrong []error
	refuse := func(name, allowed string) {
		wrong = append(wrong, &topup.FieldError{Field: field, Value: name, Allowed: allowed})
	}
	if len(headers) > maxHeaders {
		refuse("", "at most 10 headers")
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		canonical, value := textproto.CanonicalMIMEHeaderKey(name), headers[name]
		own := slices.Contains(ownHeaders, canonical) || slices.ContainsFunc(ownPrefixes, func(prefix string) bool {
			return strings.HasPrefix(canonical, prefix)
		})
		switch {
		case !headerName.MatchString(name):
			refuse(name, "the name of a header, as in X-Api-Key: 1 to 100 letters, digits and -")
		case own:
			refuse(name, "another header: Recarga, or HTTP itself, sets this one")
		case seen[canonical]:
			refuse(name, "each header once: names are the same in upper and lower case")
		case len(value) > maxHeaderValue || !headerValue.MatchString(value):
			refuse(name, "a value of 1 to 1024 visible ASCII characters, without spaces around it")
		}
		seen[canonical] = true
	}
	return wrong
}

// headersFor are the headers for a URL among those of a caller's endpoints: of the endpoint itself, or of another one
// of the same origin. A key never goes to an origin that it was not given for.
func headersFor(own Endpoint, all []Endpoint, origin func(string) string, url string) map[string]string {
	for _, e := range append([]Endpoint{own}, all...) {
		if len(e.Headers) > 0 && origin(e.URL) == origin(url) {
			return e.Headers
		}
	}
	return nil
}

func setHeaders(to http.Header, headers map[string]string) {
	for name, value := range headers {
		to.Set(name, value)
	}
}
