package sim

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"recarga/internal/boundary"
	"recarga/topup"
)

// redis is what processes share beside the queue: the token, the rate, and the distributor's trouble.
type redis struct {
	w  *world
	mu sync.Mutex

	token   string
	expires time.Time
	locked  bool

	restrictions topup.Restrictions
	probed       map[string]time.Time
	resumed      map[string]int
	allowances   map[topup.Rate]allowance
}

// allowance is what may be bought by one rate: how much at a time.
type allowance struct {
	left float64
	at   time.Time
}

// forget is a flush: everything is gone.
func (r *redis) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token, r.restrictions, r.probed, r.resumed, r.allowances = "", topup.Restrictions{}, map[string]time.Time{},
		map[string]int{}, map[topup.Rate]allowance{}
}

// Load implements distributor.TokenStore.
func (r *redis) Load(context.Context) (string, time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.token, r.expires, nil
}

// Save implements distributor.TokenStore.
func (r *redis) Save(_ context.Context, token string, expires time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token, r.expires = token, expires
	return nil
}

// Lock implements distributor.TokenStore: who does not get it logs in all the same.
func (r *redis) Lock(context.Context) (func(), error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.locked {
		return nil, errInjected
	}
	r.locked = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.locked = false
	}, nil
}

// redisGate is redis as a process reaches it.
type redisGate struct {
	p *process
	r *redis
}

func (g redisGate) do(ctx context.Context, name, about string, effect func() error) error {
	var own error
	cut := g.p.Pass(ctx, boundary.Call{Name: "redis." + name, About: about}, func() (any, error) {
		g.r.mu.Lock()
		defer g.r.mu.Unlock()
		own = effect()
		return nil, own
	})
	if cut != nil {
		return cut
	}
	return own
}

// Restrictions implements admission.SharedState.
func (g redisGate) Restrictions(ctx context.Context) (out topup.Restrictions, err error) {
	err = g.do(ctx, "Restrictions", "", func() error {
		out = g.r.restrictions
		out.Outages = maps.Clone(out.Outages)
		return nil
	})
	return out, err
}

// Pause implements admission.SharedState.
func (g redisGate) Pause(ctx context.Context, until time.Time) error {
	return g.do(ctx, "Pause", "", func() error {
		if until.After(g.r.restrictions.PausedUntil) {
			g.r.restrictions.PausedUntil = until
		}
		return nil
	})
}

// SetOutage implements admission.Outages.
func (g redisGate) SetOutage(ctx context.Context, operator string, o topup.Outage) error {
	return g.do(ctx, "SetOutage", operator, func() error { g.r.setOutage(operator, o); return nil })
}

func (r *redis) setOutage(operator string, o topup.Outage) {
	all := maps.Clone(r.restrictions.Outages)
	if all == nil {
		all = map[string]topup.Outage{}
	}
	all[operator] = o
	delete(r.resumed, operator)
	r.restrictions.Outages = all
}

// EndOutage implements admission.Outages.
func (g redisGate) EndOutage(ctx context.Context, operator string) error {
	return g.do(ctx, "EndOutage", operator, func() error {
		all := maps.Clone(g.r.restrictions.Outages)
		delete(all, operator)
		g.r.restrictions.Outages = all
		return nil
	})
}

// ClaimProbe implements admission.Outages.
func (g redisGate) ClaimProbe(ctx context.Context, operator string, every time.Duration) (ok bool, err error) {
	err = g.do(ctx, "ClaimProbe", operator, func() error {
		if ok = time.Since(g.r.probed[operator]) >= every; ok {
			g.r.probed[operator] = time.Now()
		}
		return nil
	})
	return ok, err
}

// Resume implements admission.Recovery.
func (g redisGate) Resume(ctx context.Context, operator string, _ time.Time, total, n int) (granted int, err error) {
	err = g.do(ctx, "Resume", operator, func() error {
		granted = max(min(n, total-g.r.resumed[operator]), 0)
		g.r.resumed[operator] += granted
		return nil
	})
	return granted, err
}

// GiveBack implements admission.Recovery.
func (g redisGate) GiveBack(ctx context.Context, operator string, _ time.Time, n int) error {
	return g.do(ctx, "GiveBack", operator, func() error { g.r.resumed[operator] -= n; return nil })
}

// Limited implements admission.RateLimiter.
func (g redisGate) Limited() bool { return g.p.limits.Load().rate.Count > 0 }

// Take implements admission.RateLimiter.
func (g redisGate) Take(ctx context.Context, _ topup.Priority, n int) (granted int, wait time.Duration, err error) {
	err = g.do(ctx, "Take", "", func() error {
		rate := g.p.limits.Load().rate
		if granted = n; rate.Count == 0 {
			return nil
		}
		a := g.r.allowances[rate]
		a.left, a.at = min(a.left+rate.PerSecond()*time.Since(a.at).Seconds(), 1), time.Now()
		granted = min(n, int(a.left))
		a.left -= float64(granted)
		g.r.allowances[rate] = a
		wait = rate.Per / time.Duration(rate.Count)
		return nil
	})
	return granted, wait, err
}

// reserve keeps orders waiting while the balance is low.
type reserve struct {
	set bool
	low atomic.Bool
}

// Active implements admission.Reserve.
func (r *reserve) Active() bool { return r.set }

// Waits implements admission.Reserve.
func (r *reserve) Waits(topup.Waiting) topup.Wait {
	if r.low.Load() {
		return topup.WaitBalance
	}
	return ""
}

// Take implements admission.Reserve.
func (r *reserve) Take(o topup.Waiting) topup.Wait { return r.Waits(o) }
