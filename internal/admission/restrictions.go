package admission

import (
	"context"
	"maps"
	"net/http"
	"time"

	"recarga/topup"
)

// leastPause is for a 429 that does not say when to come again.
const leastPause = time.Second

// Outages are the operators that are out, as far as this worker knows.
func (c *Control) Outages() map[string]topup.Outage {
	return maps.Clone(c.currentRestrictions().Outages)
}

func (c *Control) currentRestrictions() topup.Restrictions {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.restrictions
}

// refresh reads the shared state if what is known of it is old, and the controls if what is known of them is older
// than that.
func (c *Control) refresh(ctx context.Context, controlsFor time.Duration) {
	restrictionsAge, controlsAge := c.ages()
	if controlsAge > controlsFor {
		c.readControls(ctx)
	}
	if restrictionsAge > restrictionsFor {
		c.reread(ctx)
	}
	c.updateUnrestricted()
}

// ages are how long ago the restrictions and the controls were read; 0 for what there is not.
func (c *Control) ages() (restrictions, controls time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.SharedState != nil {
		restrictions = time.Since(c.readAt)
	}
	if c.Controls != nil {
		controls = time.Since(c.controlsReadAt)
	}
	return restrictions, controls
}

// inform has an order decided by what the workers know now, however long this one has rested. Without Redis it is
// decided by what is known here, and only one order at a time waits for an answer.
func (c *Control) inform(ctx context.Context) {
	if max(c.ages()) <= oldRestrictions {
		return
	}
	select {
	case <-c.asking:
	case <-ctx.Done():
		return
	}
	defer func() { c.asking <- struct{}{} }()
	if time.Since(c.askedAt) > oldRestrictions {
		c.refresh(ctx, restrictionsFor)
		c.askedAt = time.Now()
	}
}

// readControls reads what people have set.
func (c *Control) readControls(ctx context.Context) {
	latest := c.Controls(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.controls, c.controlsReadAt = latest, time.Now()
}

// reread reads the shared state, and ends the recoveries that are over. Without Redis, what is known stays.
func (c *Control) reread(ctx context.Context) {
	if c.SharedState == nil {
		return
	}
	c.mu.Lock()
	before := c.changes
	c.mu.Unlock()
	latest, err := c.SharedState.Restrictions(ctx)
	if err != nil {
		return
	}
	for operator, o := range latest.Outages {
		if o.Recovering() && time.Since(o.RecoveringSince) >= recovery && c.endOutage(ctx, operator, o) {
			delete(latest.Outages, operator)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != before || c.sharing > 0 {
		return
	}
	if c.restrictions.PausedUntil.After(latest.PausedUntil) {
		latest.PausedUntil = c.restrictions.PausedUntil // the shared state has what another worker was asked to wait
	}
	for operator := range c.restrictions.Outages {
		if _, still := latest.Outages[operator]; !still {
			delete(c.detectors, operator)
		}
	}
	c.readAt, c.restrictions = time.Now(), latest
}

func (c *Control) updateUnrestricted() {
	restricted := c.limited()
	for _, r := range c.Reserves {
		restricted = restricted || r.Active()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	restricted = restricted || c.controls.PausesPurchases()
	restricted = restricted || len(c.restrictions.Outages) > 0 || time.Now().Before(c.restrictions.PausedUntil)
	c.unrestricted.Store(!restricted)
}

// Learn learns from the result of an attempt.
func (c *Control) Learn(ctx context.Context, o topup.Order, r topup.Result) {
	switch {
	case r.LoginAgain, r.TooLate, r.LimitedOrder: // says nothing about the operator, nor about other orders
	case r.HTTPStatus == http.StatusTooManyRequests:
		c.pause(ctx, max(r.RetryAfter, leastPause))
	case c.SharedState == nil || c.Breaker.Share <= 0:
	default:
		c.count(ctx, topup.OperatorOf(o.Product), r)
	}
	if o.AttemptCount > 1 && (answers(r) || r.LimitedOrder) {
		c.retries.add()
	}
}

// pause has all workers wait: the distributor said for how long.
func (c *Control) pause(ctx context.Context, d time.Duration) {
	until := time.Now().Add(d)
	c.mu.Lock()
	longer := until.After(c.restrictions.PausedUntil)
	if longer {
		c.restrictions.PausedUntil = until
	}
	c.mu.Unlock()
	c.updateUnrestricted()
	if !longer || c.SharedState == nil {
		return
	}
	c.Log.WarnContext(ctx, "distributor asks to slow down", "wait", d)
	if err := c.SharedState.Pause(context.WithoutCancel(ctx), until); err != nil {
		c.Log.WarnContext(ctx, "pause not shared with other workers", "error", err)
	}
}
