package topup

import (
	"regexp"
	"slices"
	"time"
)

// Caller is who places orders and is told of them: a shop, a checkout.
type Caller struct {
	Name string
	// CallbackURL is where its events go; empty: nowhere.
	CallbackURL string
	// KeyHash is the SHA-256 of its API key.
	KeyHash []byte
	// Endpoints are told beside the callback URL.
	Endpoints []CallerEndpoint
	// Secrets are its webhook secrets, sealed.
	Secrets   []byte
	CreatedAt time.Time
	// DisabledAt is since when its key is refused and it is told nothing; nil: it is enabled.
	DisabledAt *time.Time
}

// EndpointIndex is where the endpoint of a name is in Endpoints; -1 means nowhere.
func (c Caller) EndpointIndex(name string) int {
	return slices.IndexFunc(c.Endpoints, func(e CallerEndpoint) bool { return e.Name == name })
}

// OperatorCaller is the name under which the operator is told what concerns no order.
const OperatorCaller = "operator"

// DefaultEndpoint is what a caller's callback URL is called among its endpoints.
const DefaultEndpoint = "default"

// CallerEndpoint is a place where a caller is told of some events, beside its callback URL.
type CallerEndpoint struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// EventTypes are the types that it wants; empty means every type.
	EventTypes []EventType `json:"event_types"`
}

// EndpointHealth is what is kept of an endpoint that fails; one that answers is the zero value.
type EndpointHealth struct {
	// FailingSince is the first failure after the last success.
	FailingSince *time.Time
	// LastFailedAt is a failure of the last hour before the latest one.
	LastFailedAt *time.Time
	// DisabledAt is since when nothing is sent to it, for Reason; nil: it is tried.
	DisabledAt *time.Time
	Reason     string
}

// DisabledEndpoint is an endpoint that nothing is sent to any more.
type DisabledEndpoint struct {
	Caller string `json:"caller"`
	// Endpoint is its name; DefaultEndpoint is the callback URL.
	Endpoint string `json:"endpoint"`
	URL      string `json:"url"`
	Reason   string `json:"reason"`
	// FailingSince is the first failure after the last success; nil where one answer was enough.
	FailingSince *time.Time `json:"failing_since"`
}

var callerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ParseCallerName returns s, if a caller, or one of its endpoints, may be named so.
func ParseCallerName(s string) (string, error) {
	if !callerName.MatchString(s) {
		return "", &FieldError{Field: "name", Value: s, Allowed: "1 to 64 characters A-Za-z0-9._-, the first a letter or a digit"}
	}
	return s, nil
}
