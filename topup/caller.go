package topup

import (
	"regexp"
	"time"
)

// Caller is who places orders and is told of them: a shop, a checkout.
type Caller struct {
	Name string
	// CallbackURL is where its events go; empty: nowhere.
	CallbackURL string
	// KeyHash is the SHA-256 of its API key.
	KeyHash []byte
	// Secrets are its webhook secrets, sealed.
	Secrets   []byte
	CreatedAt time.Time
	// DisabledAt is since when its key is refused and it is told nothing; nil: it is enabled.
	DisabledAt *time.Time
}

// EndpointHealth is what is kept of an endpoint that fails; one that answers is the zero value.
type EndpointHealth struct {
	// FailingSince is the first failure after the last success.
	FailingSince *time.Time
	// DisabledAt is since when nothing is sent to it, for Reason; nil: it is tried.
	DisabledAt *time.Time
	Reason     string
}

var callerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ParseCallerName returns s, if a caller may be named so.
func ParseCallerName(s string) (string, error) {
	if !callerName.MatchString(s) {
		return "", &FieldError{Field: "name", Value: s, Allowed: "1 to 64 characters A-Za-z0-9._-, the first a letter or a digit"}
	}
	return s, nil
}
