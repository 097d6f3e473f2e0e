package webhook

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"recarga/topup"
)

// Health keeps which endpoints fail.
type Health interface {
	// EndpointHealth is the zero value for an endpoint that does not fail.
	EndpointHealth(ctx context.Context, caller, url string) (topup.EndpointHealth, error)
	// EndpointFailed returns since when the endpoint has failed.
	EndpointFailed(ctx context.Context, caller, url string, now time.Time) (since time.Time, err error)
	// EndpointHealthy forgets the failures.
	EndpointHealthy(ctx context.Context, caller, url string) error
	// DisableEndpoint stops all tries, unless the endpoint has succeeded since d.FailingSince. With notify it makes an
	// event for the operator.
	DisableEndpoint(ctx context.Context, d topup.DisabledEndpoint, notify bool, now time.Time) (
		disabled bool, ev *topup.Event, err error)
}

const (
	// healthFresh is how long an endpoint's health is remembered.
	healthFresh = 2 * time.Second
	// noteEvery bounds the writes for an endpoint that keeps failing.
	noteEvery = time.Hour
	// maxHealth bounds what is remembered.
	maxHealth = 4096
)

// healthBook remembers the health of endpoints for a moment.
type healthBook struct {
	store Health // nil: there is none

	mu sync.Mutex
	by map[endpointKey]remembered
}

type endpointKey struct{ caller, url string }

type remembered struct {
	health topup.EndpointHealth
	until  time.Time
}

func newHealthBook(store Health) *healthBook {
	return &healthBook{store: store, by: map[endpointKey]remembered{}}
}

// of returns nil when nothing is kept.
func (b *healthBook) of(ctx context.Context, caller, url string) (*topup.EndpointHealth, error) {
	if b.store == nil {
		return nil, nil
	}
	key, now := endpointKey{caller, url}, time.Now()
	b.mu.Lock()
	known := b.by[key]
	b.mu.Unlock()
	if now.Before(known.until) {
		return &known.health, nil
	}
	h, err := b.store.EndpointHealth(ctx, caller, url)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.by) >= maxHealth {
		clear(b.by)
	}
	b.by[key] = remembered{h, now.Add(healthFresh)}
	return &h, nil
}

func (b *healthBook) forget(caller, url string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.by, endpointKey{caller, url})
}

// review keeps the record of an endpoint after a try: one success clears it; a 410, or failures for
// Config.DisableAfter without a success, disable the endpoint. A failure of the proxy says nothing of it. An error is
// only logged: the next try of the endpoint comes to the same.
func (d *Deliverer) review(ctx context.Context, to target, a answer) {
	if to.health == nil || a.unsent() || a.ofProxy() || d.working.Err() != nil {
		return
	}
	var err error
	switch {
	case a.delivered() && to.health.FailingSince == nil:
		return
	case a.delivered():
		err = d.cfg.Health.EndpointHealthy(ctx, to.caller, to.url)
	default:
		err = d.reviewFailure(ctx, to, a)
	}
	d.health.forget(to.caller, to.url)
	if err != nil {
		d.cfg.Log.WarnContext(ctx, "health of an endpoint not recorded",
			"caller", to.caller, "endpoint", to.origin, "error", err)
	}
}

func (d *Deliverer) reviewFailure(ctx context.Context, to target, a answer) error {
	now := time.Now().UTC()
	if errors.Is(a.err, errGone) {
		return d.disable(ctx, to, "it answered 410", nil)
	}
	since, last := to.health.FailingSince, to.health.LastFailedAt
	if since == nil || last == nil || now.Sub(*last) > noteEvery || d.passed(*since, *last) < d.passed(*since, now) {
		noted, err := d.cfg.Health.EndpointFailed(ctx, to.caller, to.url, now)
		if err != nil {
			return err
		}
		since = &noted
	}
	if now.Sub(*since) < d.cfg.DisableAfter {
		if last != nil && d.passed(*since, *last) < d.passed(*since, now) {
			d.warn(ctx, to, *since, now)
		}
		return nil
	}
	return d.disable(ctx, to, "it has failed since "+since.Format(time.RFC3339), since)
}

// WarnAt are the shares of the time after which a failing endpoint is disabled at which that is warned of.
func WarnAt() []float64 { return []float64{0.5, 0.9} }

// passed counts the shares of WarnAt that an endpoint which has failed since a time has passed by another.
func (d *Deliverer) passed(since, by time.Time) (n int) {
	for _, share := range WarnAt() {
		if by.Sub(since) >= time.Duration(share*float64(d.cfg.DisableAfter)) {
			n++
		}
	}
	return n
}

// warn says once for each share that an endpoint is on the way to being disabled: the failure is noted, so that no
// later one passes the share again.
func (d *Deliverer) warn(ctx context.Context, to target, since, now time.Time) {
	share := WarnAt()[d.passed(since, now)-1]
	d.cfg.Log.WarnContext(ctx, "webhook endpoint fails, and will be disabled", "caller", to.caller,
		"endpoint", cmp.Or(to.name, topup.DefaultEndpoint), "origin", to.origin, "failing_since", since,
		"disabled_at", since.Add(d.cfg.DisableAfter), "share", share)
}

func (d *Deliverer) disable(ctx context.Context, to target, why string, since *time.Time) error {
	name := to.name
	if name == "" {
		name = topup.DefaultEndpoint
	}
	_, nobody := d.endpoints.Endpoints(ctx, topup.OperatorCaller)
	disabled, ev, err := d.cfg.Health.DisableEndpoint(ctx, topup.DisabledEndpoint{
		Caller: to.caller, Endpoint: name, URL: to.url, Reason: why, FailingSince: since,
	}, nobody == nil, time.Now())
	if disabled {
		d.cfg.Log.ErrorContext(ctx, "webhook endpoint disabled", "caller", to.caller, "endpoint", name,
			"origin", to.origin, "reason", why)
	}
	if ev != nil {
		d.DeliverNow(ctx, *ev, leaveToSweep)
	}
	return err
}
