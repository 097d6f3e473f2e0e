package worker

import (
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"

	"recarga/topup"
)

// Policy decides when an order that could not be bought is tried again, and for how long
// (RECARGA_RETRY_…, RECARGA_ON_UNKNOWN).
type Policy struct {
	// Initial is the wait after the first attempt. Each following wait is twice the one before, up to Max, and varied
	// by a fifth either way, so that orders that failed together do not return together.
	Initial, Max time.Duration
	// MaxAttempts counts every attempt, the first included.
	MaxAttempts int
	// ResendUnknown is only for a distributor that has promised to ignore a repeated id: an attempt of unknown outcome
	// is then sent again instead of being held.
	ResendUnknown bool
}

// jitter is small enough that waits still grow: 1.2 × one wait is less than 0.8 × the next.
const jitter = 0.19

// Wait is the time between attempt n (counted from 1) and the next:
//
//	min(Initial × 2^(n-1), Max) × a random factor between 0.81 and 1.19
//
// With the defaults (2s, 2m) that is about 2s, 4s, 8s, 16s, 32s, 64s, 2m, 2m, …
func (p Policy) Wait(n int) time.Duration {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.MaxElapsedTime = p.Initial, p.Max, 0
	b.Multiplier, b.RandomizationFactor = 2, jitter
	b.Reset()
	wait := b.NextBackOff()
	for range min(n-1, 64) {
		wait = b.NextBackOff()
	}
	return wait
}

// Decide decides what follows from the result of the order's latest attempt. Apart from the random part of Wait it is
// a pure function of its arguments:
//
//   - approved: succeeded; declined: failed.
//   - unavailable, not sent: retrying while tries and time are left, then failed.
//   - anything else: unknown; with ResendUnknown, retrying while tries and time are left, then unknown.
//
// earlier are the attempts before the latest. Those up to number resent belong to a former schedule: a person had the
// order sent again after them. Whether an earlier attempt is still in doubt is for the journal, which never calls
// such an order failed.
func (p Policy) Decide(
	o topup.Order, result topup.Result, earlier []topup.Attempt, resent int, now time.Time,
) topup.Settlement {
	s := topup.Settlement{ID: o.ID, Number: o.AttemptCount, Result: result}
	again, otherwise := true, topup.StateFailed
	switch result.Outcome {
	case topup.OutcomeApproved:
		s.State = topup.StateSucceeded
		return s
	case topup.OutcomeDeclined:
		s.State, s.Reason = topup.StateFailed, topup.ReasonDeclined
		return s
	case topup.OutcomeUnavailable, topup.OutcomeNotSent:
	default: // unknown, and any outcome that is not known here
		again, otherwise = p.ResendUnknown, topup.StateUnknown
	}
	if again {
		s.NextAttemptAt = p.next(o, result, earlier[min(resent, len(earlier)):], now)
	}
	switch {
	case s.NextAttemptAt != nil:
		s.State = topup.StateRetrying
	case otherwise == topup.StateFailed:
		s.State, s.Reason = topup.StateFailed, topup.ReasonRetriesExhausted
	default:
		s.State = otherwise
	}
	return s
}

func rateLimited(httpStatus int) bool { return httpStatus == http.StatusTooManyRequests }

// freeProbes is how many probes of an order spend no try. An order that always fails must end some time, even if no
// other is left to probe with.
const freeProbes = 3

// next is when another attempt is due, after those of this schedule and the one of the result; nil: no try is left,
// or no time would be. An attempt that the distributor turned away (429) spends no try, nor do the first probes of an
// order: it is no failure to wait for room, or for an operator. The time counts for all of them. An order that
// expires before its next attempt waits for that.
func (p Policy) next(o topup.Order, result topup.Result, earlier []topup.Attempt, now time.Time) *time.Time {
	tries, probes, turnedAway := 0, 0, 0
	count := func(probe bool, httpStatus int) {
		switch {
		case rateLimited(httpStatus):
			turnedAway++
		case probe && probes < freeProbes:
			probes++
		default:
			tries++
		}
	}
	for _, a := range earlier {
		count(a.Probe, status(a))
	}
	count(result.Probe, result.HTTPStatus)
	grown := tries
	if result.LimitedOrder {
		grown += turnedAway // there is no pause for all that would put it off
	}
	wait := max(p.Wait(max(grown, 1)), result.RetryAfter)
	if result.LoginAgain {
		wait = 0
	}
	next := now.Add(wait)
	expires := o.EndsAt != nil && o.ExpiresAt != nil && o.EndsAt.Equal(*o.ExpiresAt)
	if tries >= p.MaxAttempts || o.EndsAt != nil && !expires && !next.Before(*o.EndsAt) {
		return nil
	}
	return &next
}

// status is an attempt's HTTP status; 0 where there was no answer.
func status(a topup.Attempt) int {
	if a.HTTPStatus == nil {
		return 0
	}
	return *a.HTTPStatus
}
