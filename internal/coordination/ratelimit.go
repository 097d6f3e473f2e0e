package coordination

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"recarga/topup"
)

// RateLimiter limits how many purchases are made, over all processes on the same Redis.
//
// All priorities draw on one limit, and the lower ones may draw it down less far: what is left then is there
// at once for an order that a person waits for, however many others wait.
type RateLimiter struct {
	limiter  *redis_rate.Limiter
	embedded bool
	// reject is that of Redis, never nil.
	reject func(ctx context.Context, kind, key, why string)
	// now is what is in force.
	now atomic.Pointer[rateLimit]
}

// rateLimit is a limit in force. The zero value limits nothing.
type rateLimit struct {
	// key is where the limit is counted.
	key string
	// limits are by the rank of the priority.
	limits []redis_rate.Limit

	// The embedded Redis serves this process alone, and cuts the numbers of a script to whole seconds: there the
	// limit is kept here.
	mu    sync.Mutex
	alone *rate.Limiter
}

const (
	// leastBurst is how many requests bulk orders may make at once, where their share of a second's is less;
	// normal orders may make twice, urgent ones three times as many.
	leastBurst = 2
	// spare is the part of the limit that is not used: the distributor counts by a clock of its own.
	spare = 50
)

// RateLimiter allows count in every period, evenly spread, less a fiftieth, and a second's share at once, or six.
func (r Redis) RateLimiter(key string, count int, period time.Duration) *RateLimiter {
	l := &RateLimiter{
		limiter: redis_rate.NewLimiter(&limiterRedis{UniversalClient: r.Client}), embedded: r.Embedded,
		reject: r.rejecting(),
	}
	l.Use(key, topup.Rate{Count: count, Per: period})
	return l
}

// Use has another limit in force from now on; the zero Rate limits nothing. Processes that use the same key must use
// the same rate: what was counted at another one says nothing of this.
func (l *RateLimiter) Use(key string, r topup.Rate) {
	now := &rateLimit{key: "recarga:rate:" + key}
	if r.Count > 0 {
		burst := max(leastBurst, int(r.PerSecond()/float64(len(topup.Priorities()))))
		for n := len(topup.Priorities()); n > 0; n-- {
			now.limits = append(now.limits, redis_rate.Limit{Rate: r.Count - r.Count/spare, Period: r.Per, Burst: n * burst})
		}
	}
	if r.Count > 0 && l.embedded {
		urgent := now.limits[0]
		now.alone = rate.NewLimiter(rate.Limit(float64(urgent.Rate)/r.Per.Seconds()), urgent.Burst)
	}
	l.now.Store(now)
}

// Limited reports whether there is a limit now.
func (l *RateLimiter) Limited() bool { return len(l.now.Load().limits) > 0 }

// Take takes the right to at most n purchases, and says how many it got. wait is until there may be another;
// zero where it got them all.
func (l *RateLimiter) Take(
	ctx context.Context, priority topup.Priority, n int,
) (granted int, wait time.Duration, err error) {
	now := l.now.Load()
	if len(now.limits) == 0 {
		return n, 0, nil
	}
	limit := now.limits[priority.Rank()]
	if now.alone != nil {
		return now.takeAlone(limit, n)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	result, err := l.allow(ctx, now, limit, min(n, limit.Burst))
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("rate limit %s: %w", now.key, err)
	case result.Allowed == n:
		return n, 0, nil
	}
	return result.Allowed, max(result.RetryAfter, limit.Period/time.Duration(limit.Rate)), nil
}

// allow asks the limiter. What is there may be no number, or a time so far ahead that nothing would be bought for
// years: then it begins anew.
func (l *RateLimiter) allow(
	ctx context.Context, now *rateLimit, limit redis_rate.Limit, n int,
) (*redis_rate.Result, error) {
	result, err := l.limiter.AllowAtMost(ctx, now.key, limit, n)
	var reply redis.Error
	var number *strconv.NumError
	ours := err == nil && now.plausible(result, limit, n)
	if ours || err != nil && !errors.As(err, &reply) && !errors.As(err, &number) {
		return result, err
	}
	if resetErr := l.limiter.Reset(ctx, now.key); resetErr != nil {
		return nil, errors.Join(err, resetErr)
	}
	l.reject(ctx, KindRate, now.key, "no purchase of ours has put the limit there")
	return l.limiter.AllowAtMost(ctx, now.key, limit, n)
}

// plausible reports whether an answer can be right: the limit is drawn down by a burst of the highest priority at
// most.
func (l *rateLimit) plausible(r *redis_rate.Result, limit redis_rate.Limit, n int) bool {
	every := limit.Period / time.Duration(limit.Rate)
	longest := every*time.Duration(l.limits[0].Burst-limit.Burst+1) + time.Second
	return r.Allowed >= 0 && r.Allowed <= n && r.RetryAfter >= -1 && r.RetryAfter <= longest
}

// takeAlone leaves what is beyond the priority's own burst to those above it.
func (l *rateLimit) takeAlone(limit redis_rate.Limit, n int) (granted int, wait time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	left := l.alone.TokensAt(now) - float64(l.limits[0].Burst-limit.Burst)
	granted = max(0, min(n, int(left)))
	l.alone.AllowN(now, granted)
	if granted < n {
		missing := 1 - (left - float64(granted))
		wait = time.Duration(missing / float64(l.alone.Limit()) * float64(time.Second))
	}
	return granted, wait, nil
}
