package topup

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Caller is who places orders and receives their events: a shop, a checkout.
type Caller struct {
	// Name is unique, and never changes.
	Name string
	// Version counts its changes, from 1: a change that was made of another version is refused.
	Version int64
	// CallbackURL is where its events go; empty: nowhere.
	CallbackURL string
	// Keys are its API keys, the newest first: one, or two while one follows the other. None: its key is of the
	// settings.
	Keys []CallerKey
	// Endpoints receive events beside the callback URL.
	Endpoints []CallerEndpoint
	// Secrets are its webhook secrets, sealed.
	Secrets []byte
	// CreatedAt is when it was added.
	CreatedAt time.Time
	// DisabledAt is since when its key is refused and it receives nothing; nil: it is enabled.
	DisabledAt *time.Time
	// IDPrefix is what the ids of its orders begin with, and those of nobody else; empty: its orders may have any id
	// that is not of another's prefix.
	IDPrefix string
	// Quota bounds its orders.
	Quota Quota
}

// CallerKey is what is kept of an API key.
type CallerKey struct {
	// Hash is the SHA-256 of the key.
	Hash []byte
	// Hint is its last characters, by which people recognize it; empty for one of an older release.
	Hint string
	// CreatedAt is when it was made.
	CreatedAt time.Time
	// ExpiresAt is when it ends; nil: never.
	ExpiresAt *time.Time
}

// Expired reports whether it has ended.
func (k CallerKey) Expired(now time.Time) bool {
	return k.ExpiresAt != nil && !now.Before(*k.ExpiresAt)
}

// ChangedError is a change of a caller that was made of a version which it has no more.
type ChangedError struct {
	// Name is the caller's.
	Name string
	// Version is the one that was changed, and Latest the one that the caller has; 0: not known.
	Version, Latest int64
}

func (e *ChangedError) Error() string {
	if e.Latest == 0 || e.Version == 0 {
		return fmt.Sprintf("caller %s was changed by somebody else at this moment; read it again", e.Name)
	}
	return fmt.Sprintf("caller %s is at version %d, and this change is of version %d: read it again",
		e.Name, e.Latest, e.Version)
}

// Is makes it an ErrLost.
func (e *ChangedError) Is(target error) bool { return target == ErrLost }

// FieldIDPrefix is a caller's prefix, as the API names it.
const FieldIDPrefix = "id_prefix"

var idPrefix = regexp.MustCompile(`^[A-Za-z0-9._:-]{0,16}$`)

// ParseIDPrefix returns s, if ids may begin with it so; empty is none.
func ParseIDPrefix(s string) (string, error) {
	return matching(FieldIDPrefix, s, idPrefix, "1 to 16 characters A-Za-z0-9._:-, or empty for none")
}

// EndpointIndex is where the endpoint of a name is in Endpoints; -1 means nowhere.
func (c Caller) EndpointIndex(name string) int {
	return slices.IndexFunc(c.Endpoints, func(e CallerEndpoint) bool { return e.Name == name })
}

// OperatorCaller is the name under which the operator receives the events that concern no order.
const OperatorCaller = "operator"

// DefaultEndpoint is the name of a caller's callback URL among its endpoints.
const DefaultEndpoint = "default"

// CallerEndpoint is a place that receives some of a caller's events, beside its callback URL.
type CallerEndpoint struct {
	Name string `json:"name"` // unique among the caller's
	URL  string `json:"url"`  // http or https
	// EventTypes are the types that it wants; empty means every type.
	EventTypes []EventType `json:"event_types"`
}

// EndpointAddress is what an endpoint is recognised by, for as long as its URL stays.
type EndpointAddress struct {
	// Caller is whose it is, and URL where it is.
	Caller, URL string
}

// EndpointHealth is what is kept of an endpoint that fails; one that answers is the zero value.
type EndpointHealth struct {
	// FailingSince is the first failure after the last success.
	FailingSince *time.Time
	// LastFailedAt is a failure of the last hour before the latest one.
	LastFailedAt *time.Time
	// DisabledAt is since when nothing is sent to it, for Reason; nil: it is tried.
	DisabledAt *time.Time
	Reason     string // empty while it is tried
}

// DisabledEndpoint is an endpoint that nothing is sent to any more.
type DisabledEndpoint struct {
	// Caller is the name of its caller.
	Caller string `json:"caller"`
	// Endpoint is its name; DefaultEndpoint is the callback URL.
	Endpoint string `json:"endpoint"`
	URL      string `json:"url"`    // as it was registered
	Reason   string `json:"reason"` // why it was disabled
	// FailingSince is the first failure after the last success; nil where one answer was enough.
	FailingSince *time.Time `json:"failing_since"`
}

// DisabledByOperator is the Reason of an endpoint that a person has disabled.
const DisabledByOperator = "the operator disabled it"

// ParseCallerName returns s, if a caller, or one of its endpoints, may be named so.
func ParseCallerName(s string) (string, error) {
	return matching("name", s, namePattern, "1 to 64 characters A-Za-z0-9._-, the first a letter or a digit")
}
