package journal

import (
	"time"

	"recarga/topup"
)

// TimeLimits are how long an order may wait before it ends. Zero: for ever.
type TimeLimits struct {
	// Untried is how long an order that was never tried and has no expires_at waits after it was accepted, or after its
	// process_at (RECARGA_EXPIRES_AFTER).
	Untried time.Duration
	// Tried is how long an order is tried, from its first attempt, or from a person's decision to send it again
	// (RECARGA_RETRY_MAX_ELAPSED).
	Tried time.Duration
}

// untried is when an order ends that was just accepted; nil: never.
func (l TimeLimits) untried(o topup.Order) *time.Time {
	if o.ExpiresAt != nil || l.Untried == 0 {
		return o.ExpiresAt
	}
	from := o.CreatedAt
	if o.ProcessAt != nil && o.ProcessAt.After(from) {
		from = *o.ProcessAt
	}
	return new(from.Add(l.Untried))
}

// afterFirst is the column of when an order's tries end whose first one is now; nil: never.
func (l TimeLimits) afterFirst(now time.Time) any {
	if l.Tried == 0 {
		return nil
	}
	return now.Add(l.Tried).UnixMicro()
}
