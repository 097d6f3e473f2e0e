package callers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"recarga/internal/origin"
	"recarga/internal/seal"
	"recarga/topup"
)

// secretsPurpose is what secrets are sealed for, each for its caller's name: what is sealed for one cannot be
// opened for another.
const secretsPurpose = "recarga webhook secrets"

// secret is one webhook secret of a caller.
type secret struct {
	// Secret is in plain text, as webhook.NewSecret makes it.
	Secret string `json:"secret"`
	// Until is when it stops to sign; zero for the current one.
	Until time.Time `json:"until,omitzero"`
	// Headers are of an entry that is no secret, and the last: those of each endpoint, by its name. Its Until is long
	// past, so that a process of the release before passes over it.
	Headers map[string]headers `json:"headers,omitempty"`
}

// headers are an endpoint's own.
type headers struct {
	// Origin is that of the URL that they were given for: they are sent nowhere else.
	Origin string            `json:"origin"`
	Values map[string]string `json:"values"`
}

// longPast is the Until of the entry that is no secret.
var longPast = time.Unix(0, 0).UTC()

// sealed is what is kept sealed of a caller.
type sealed struct {
	// secrets are its webhook secrets, the newest first.
	secrets []secret
	// headers are those of its endpoints, by their names.
	headers map[string]headers
}

func (r *Registry) seal(name string, s sealed) ([]byte, error) {
	if !r.box.Ready() {
		return nil, ErrNoKey
	}
	all := s.secrets
	if len(s.headers) > 0 {
		all = append(slices.Clone(all), secret{Until: longPast, Headers: s.headers})
	}
	plain, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return r.box.Seal(secretsPurpose, plain, name), nil
}

// open returns what is kept sealed of a caller.
func (r *Registry) open(c topup.Caller) (s sealed, err error) {
	s.headers = map[string]headers{}
	if !r.box.Ready() {
		return s, ErrNoKey
	}
	plain, err := r.box.Open(secretsPurpose, c.Secrets, c.Name)
	if err != nil {
		return s, fmt.Errorf("the webhook secrets of caller %s: %w: set RECARGA_ENCRYPTION_KEY (or RECARGA_ADMIN_KEY,"+
			" where that is not set) to what it was, or rotate them", c.Name, err)
	}
	var all []secret
	err = json.Unmarshal(plain, &all)
	for _, one := range all {
		if one.Headers != nil {
			s.headers = one.Headers
		} else {
			s.secrets = append(s.secrets, one)
		}
	}
	return s, err
}

// withHeaders gives an endpoint of a caller, by its name and URL, its own headers. Nil leaves those that it has, but
// not at another origin; an empty map takes them away.
func (r *Registry) withHeaders(c *topup.Caller, endpoint, url string, values map[string]string) error {
	if len(values) == 0 && len(c.Secrets) > 0 && !r.box.Ready() {
		return nil // nothing was sealed without a key
	}
	s, err := r.open(*c)
	if errors.Is(err, seal.ErrKey) && len(values) == 0 {
		return nil // headers that cannot be opened are not sent, wherever the endpoint is
	}
	if err != nil {
		return err
	}
	has, at := s.headers[endpoint], origin.Of(url)
	switch {
	case values == nil && (has.Values == nil || has.Origin == at):
		return nil
	case len(values) == 0 && has.Values == nil:
		return nil
	case len(values) == 0:
		delete(s.headers, endpoint)
	default:
		s.headers[endpoint] = headers{Origin: at, Values: values}
	}
	c.Secrets, err = r.seal(c.Name, s)
	return err
}

// HeaderNames are the names of the own headers of a caller's endpoints, by the endpoint's name; none where they cannot
// be opened.
func (r *Registry) HeaderNames(c topup.Caller) map[string][]string {
	names := map[string][]string{}
	s, err := r.open(c)
	if err != nil {
		return names
	}
	for endpoint, h := range s.headers {
		names[endpoint] = slices.Sorted(maps.Keys(h.Values))
	}
	return names
}
