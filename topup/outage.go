package topup

import (
	"strings"
	"time"
)

// Restrictions are what all workers know of the distributor's trouble.
type Restrictions struct {
	// PausedUntil is when the distributor may be asked again (its 429 and Retry-After).
	PausedUntil time.Time
	// Outages are the operators whose purchases fail.
	Outages map[string]Outage
}

// Outage is an operator's (or, for all of them, the distributor's).
type Outage struct {
	Since time.Time `json:"since"`
	// RecoveringSince is when a probe went through; zero before that.
	RecoveringSince time.Time `json:"recovering_since,omitzero"`
	// Why says which share of the purchases failed, and what the last failure was.
	Why string `json:"why"`
}

// Recovering tells that purchases go through again, and are resumed step by step.
func (o Outage) Recovering() bool { return !o.RecoveringSince.IsZero() }

// OperatorOf is the operator of a product: what its id has before the first "_". It asks no catalogue, so that all
// processes agree on it, of products that have left theirs as well.
func OperatorOf(product string) string {
	operator, _, _ := strings.Cut(product, "_")
	return operator
}
