package admission

import (
	"time"

	"recarga/topup"
)

// Known is what is known about an order when it is decided whether it may be bought.
type Known struct {
	// Waiting is the order.
	topup.Waiting
	// Now is the time of the decision.
	Now time.Time
	// Released: the order has waited, and was released. Its share of the rate was taken then.
	Released bool
	// Probe: the order is to find out whether its operator works again. Its share of the rate was taken before.
	Probe bool
	// Paused: a person has paused purchases of the order's.
	Paused bool
	// Restrictions are the distributor's pause and the operators' outages.
	Restrictions topup.Restrictions
	// Reserve is why a reserve keeps the order waiting; empty: none does.
	Reserve topup.Wait
	// NoRetries: the order is a retry, and the retry budget has no room for it.
	NoRetries bool
	// RetryAt is when to ask again about a retry for which there is no room.
	RetryAt time.Time
	// OthersWait: there is a rate limit, and orders of the same priority wait already.
	OthersWait bool
	// Rate is what the rate limiter granted.
	Rate RateGrant
}

// RateGrant is what the rate limiter granted to an order.
type RateGrant int

// The grants of the rate limiter.
const (
	// RateGranted: a purchase may be made, there is no limit, or the limiter was not asked yet.
	RateGranted RateGrant = iota
	// RateUsedUp: the limit is used up.
	RateUsedUp
	// RateUnknown: the limiter could not be asked.
	RateUnknown
)

// Decision is one of three: buy, defer until, or wait for.
type Decision struct {
	// Buy: the order may be bought now.
	Buy bool
	// Until is when to ask again about an order that is deferred; zero: it is not.
	Until time.Time
	// Wait is why the order must wait in the wait queue until it is released; empty: it need not.
	Wait topup.Wait
}

func deferUntil(t time.Time) Decision { return Decision{Until: t} }
func waitFor(why topup.Wait) Decision { return Decision{Wait: why} }

// Decide decides whether an order may be bought now. It is a pure function; the first rule that applies counts:
//
//  1. A person has paused its caller, its product, its operator, or all purchases: wait for the end of that.
//  2. A reserve keeps the order waiting: wait for it.
//  3. The distributor asked for a pause: wait for the rate.
//  4. The order's operator is out: wait for its end. A probe goes through, and so does an order that was released
//     while its operator recovers.
//  5. A probe, and an order that was released, may be bought: their share of the rate was taken before.
//  6. An order of priority bulk waits until it is released in its fair share.
//  7. A retry for which the budget has no room: ask again at RetryAt.
//  8. Orders of the same priority wait for the rate already: wait behind them.
//  9. The rate limit is used up: wait for it. It is unknown: ask again in a second.
//
// 10. Everything else may be bought.
func Decide(k Known) Decision {
	outage, out := k.Restrictions.Outages[topup.OperatorOf(k.Product)]
	goesThrough := k.Probe || k.Released && outage.Recovering()
	switch {
	case k.Paused:
		return waitFor(topup.WaitPaused)
	case k.Reserve != "":
		return waitFor(k.Reserve)
	case k.Now.Before(k.Restrictions.PausedUntil):
		return waitFor(topup.WaitRate)
	case out && !goesThrough:
		return waitFor(topup.WaitOutage)
	case k.Probe, k.Released:
		return Decision{Buy: true}
	case k.Priority == topup.PriorityBulk:
		return waitFor(topup.WaitFairShare)
	case k.NoRetries:
		return deferUntil(k.RetryAt)
	case k.OthersWait, k.Rate == RateUsedUp:
		return waitFor(topup.WaitRate)
	case k.Rate == RateUnknown:
		return deferUntil(k.Now.Add(askAgain))
	}
	return Decision{Buy: true}
}
