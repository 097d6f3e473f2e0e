package admission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sony/gobreaker/v2"

	"recarga/topup"
)

const (
	// breakerWindow, in steps of breakerStep, is the time over which the share of failures is counted.
	breakerWindow, breakerStep = 30 * time.Second, 3 * time.Second
	// enough and enoughRecovering are how many purchases are counted before they mean something.
	enough, enoughRecovering = 50, 5
	// recovery is how long an operator recovers: one purchase in the first second, two in the next, then four …
	recovery = 8 * time.Second
)

// answers reports whether a result shows that the operator works, whatever it said.
func answers(r topup.Result) bool {
	return r.Outcome == topup.OutcomeApproved || r.Outcome == topup.OutcomeDeclined
}

// count counts a purchase, and declares an outage when too many fail. During an outage nothing is counted: only probes
// are made, and answers to earlier purchases say nothing.
func (c *Control) count(ctx context.Context, operator string, r topup.Result) {
	var failure error
	if !answers(r) {
		failure = fmt.Errorf("%s %s%s", r.Outcome, r.Code, r.Error)
	}
	c.change(ctx, operator, func(outage topup.Outage, out bool) (topup.Outage, bool) {
		if out && !outage.Recovering() {
			return outage, false
		}
		d := c.detectors[operator]
		if d == nil {
			d = newDetector(c.Breaker.Share, out)
			c.detectors[operator] = d
		}
		if failure != nil {
			d.causes = append(d.causes[max(len(d.causes)-enough+1, 0):], causeOf(r))
		}
		if done, err := d.Allow(); err == nil {
			done(failure)
		}
		if d.State() != gobreaker.StateOpen {
			return outage, false
		}
		if !out {
			outage.Since = time.Now()
		}
		outage.RecoveringSince, outage.Causes = time.Time{}, map[string]int{}
		for _, cause := range d.causes {
			outage.Causes[cause]++
		}
		outage.Why = fmt.Sprintf("%.0f %% or more of the purchases failed; the last one: %v", 100*c.Breaker.Share, failure)
		return outage, true
	})
}

// causeOf says in a word what a failure was.
func causeOf(r topup.Result) string {
	switch {
	case r.Code != "":
		return "code " + string(r.Code)
	case r.HTTPStatus != 0:
		return fmt.Sprintf("HTTP %d", r.HTTPStatus)
	}
	return "no answer"
}

// detector counts the purchases of an operator.
type detector struct {
	*gobreaker.TwoStepCircuitBreaker[struct{}]
	// causes are the latest failures, as many as are enough to mean something.
	causes []string
}

// newDetector counts until too many purchases fail. It is used for that alone: when it opens, it is thrown away.
func newDetector(share float64, recovering bool) *detector {
	least := uint32(enough)
	if recovering {
		least = enoughRecovering
	}
	return &detector{TwoStepCircuitBreaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Interval: breakerWindow, BucketPeriod: breakerStep, Timeout: time.Hour,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.Requests >= least && float64(c.TotalFailures) >= share*float64(c.Requests)
		},
	})}
}

// beginRecovery records that a probe went through.
func (c *Control) beginRecovery(ctx context.Context, operator string) {
	c.change(ctx, operator, func(outage topup.Outage, out bool) (topup.Outage, bool) {
		if !out || outage.Recovering() {
			return outage, false
		}
		outage.RecoveringSince = time.Now()
		return outage, true
	})
}

// change changes the outage of an operator for this worker at once, and then for all workers. decide is called with
// mu, and reports whether there is a change.
func (c *Control) change(
	ctx context.Context, operator string, decide func(was topup.Outage, out bool) (now topup.Outage, changed bool),
) {
	c.mu.Lock()
	was, out := c.restrictions.Outages[operator]
	outage, changed := decide(was, out)
	if !changed {
		c.mu.Unlock()
		return
	}
	delete(c.detectors, operator)
	outages := map[string]topup.Outage{}
	maps.Copy(outages, c.restrictions.Outages)
	outages[operator] = outage
	c.restrictions.Outages = outages
	c.unrestricted.Store(false)
	c.sharing++
	c.mu.Unlock()
	if outage.Recovering() {
		c.Log.InfoContext(ctx, "purchases go through again, and are resumed step by step", "operator", operator)
	} else {
		c.Log.WarnContext(ctx, "purchases stop but for probes", "operator", operator, "why", outage.Why)
	}
	c.share(context.WithoutCancel(ctx), operator)
}

// share writes an operator's outage to the shared state. Redis may take its time, so it is not done with mu. One write
// follows another, each of what is known then, so that the last one writes the latest.
func (c *Control) share(ctx context.Context, operator string) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.SharedState.SetOutage(ctx, operator, c.currentRestrictions().Outages[operator]); err != nil {
		c.Log.WarnContext(ctx, "outage not shared with other workers", "operator", operator, "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sharing--
	c.changes++
}

// endOutage ends an outage for all workers.
func (c *Control) endOutage(ctx context.Context, operator string, o topup.Outage) bool {
	if err := c.SharedState.EndOutage(ctx, operator); err != nil {
		return false
	}
	c.Log.InfoContext(ctx, "outage is over", "operator", operator, "lasted", time.Since(o.Since).Round(time.Second),
		"recovered", o.Recovering())
	return true
}

// endForgotten ends the outages for which no order waits any more, if no probe is under way: there is no order to
// probe with. The next order for the operator shows whether it works.
func (r *releaser) endForgotten(ctx context.Context, all []topup.Waiting) {
	outages := r.Outages()
	maps.DeleteFunc(r.lastWaited, func(operator string, _ time.Time) bool { return outages[operator].Since.IsZero() })
	for operator, outage := range outages {
		its := func(o topup.Waiting) bool { return topup.OperatorOf(o.Product) == operator }
		last, known := r.lastWaited[operator]
		switch {
		case slices.ContainsFunc(all, its) || !known || outage.Since.After(last):
			r.lastWaited[operator] = time.Now()
		case !outage.Recovering() && time.Since(last) > max(breakerWindow, r.Attempt):
			r.endOutage(ctx, operator, outage)
			delete(r.lastWaited, operator)
		}
	}
}
