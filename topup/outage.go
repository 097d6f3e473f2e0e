package topup

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Restrictions are when, and for whom, nothing may be bought, as all workers know it.
type Restrictions struct {
	// PausedUntil is when requests may be sent again, by the distributor's 429 and Retry-After; zero: there is no
	// pause.
	PausedUntil time.Time
	// Outages are the operators whose purchases fail, by OperatorOf.
	Outages map[string]Outage
}

// Outage is the time in which too many of an operator's purchases fail, so that only probes are made.
type Outage struct {
	// Since is when it was declared.
	Since time.Time `json:"since"`
	// RecoveringSince is when a probe went through; zero before that.
	RecoveringSince time.Time `json:"recovering_since,omitzero"`
	// Why says which share of the purchases failed, and what the last failure was.
	Why string `json:"why"`
	// Causes counts the last failures before it by what they were: "code 96", "HTTP 502", "no answer". A worker of the
	// former release gives none.
	Causes map[string]int `json:"causes,omitempty"`
}

// Cause is what most of the last failures were, and how many of them; "" where nobody counted.
func (o Outage) Cause() (cause string, times, of int) {
	for _, name := range slices.Sorted(maps.Keys(o.Causes)) {
		if of += o.Causes[name]; o.Causes[name] > times {
			cause, times = name, o.Causes[name]
		}
	}
	return cause, times, of
}

// Recovering reports whether purchases go through again, and are resumed step by step.
func (o Outage) Recovering() bool { return !o.RecoveringSince.IsZero() }

// OperatorOf is the operator of a product: what its id has before the first "_". It asks no catalogue, so that all
// processes agree on it, of products that have left theirs as well.
func OperatorOf(product string) string {
	operator, _, _ := strings.Cut(product, "_")
	return operator
}
