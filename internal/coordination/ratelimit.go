package coordination

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
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
	limiter *redis_rate.Limiter
	// key is where the limit is counted.
	key string
	// limits are by the rank of the priority.
	limits []redis_rate.Limit
	// reject is that of Redis, never nil.
	reject func(ctx context.Context, kind, key, why string)

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
	burst := max(leastBurst, int(float64(count)/period.Seconds()/float64(len(topup.Priorities()))))
	l := &RateLimiter{
		limiter: redis_rate.NewLimiter(&limiterRedis{UniversalClient: r.Client}), key: "recarga:rate:" + key,
		reject: r.rejecting(),
	}
	for n := len(topup.Priorities()); n > 0; n-- {
		l.limits = append(l.limits, redis_rate.Limit{Rate: count - count/spare, Period: period, Burst: n * burst})
	}
	if r.Embedded {
		urgent := l.limits[0]
		l.alone = rate.NewLimiter(rate.Limit(float64(urgent.Rate)/period.Seconds()), urgent.Burst)
	}
	return l
}

// Take takes the right to at most n purchases, and says how many it got. wait is until there may be another;
// zero where it got them all.
func (l *RateLimiter) Take(
	ctx context.Context, priority topup.Priority, n int,
) (granted int, wait time.Duration, err error) {
	limit := l.limits[priority.Rank()]
	if l.alone != nil {
		return l.takeAlone(limit, n)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	result, err := l.allow(ctx, limit, min(n, limit.Burst))
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("rate limit %s: %w", l.key, err)
	case result.Allowed == n:
		return n, 0, nil
	}
	return result.Allowed, max(result.RetryAfter, limit.Period/time.Duration(limit.Rate)), nil
}

// allow asks the limiter. What is there may be no number, or a time so far ahead that nothing would be bought for
// years: then it begins anew.
func (l *RateLimiter) allow(ctx context.Context, limit redis_rate.Limit, n int) (*redis_rate.Result, error) {
	result, err := l.limiter.AllowAtMost(ctx, l.key, limit, n)
	var reply redis.Error
	var number *strconv.NumError
	if err == nil && l.plausible(result, limit, n) || err != nil && !errors.As(err, &reply) && !errors.As(err, &number) {
		return result, err
	}
	if resetErr := l.limiter.Reset(ctx, l.key); resetErr != nil {
		return nil, errors.Join(err, resetErr)
	}
	l.reject(ctx, KindRate, l.key, "no purchase of ours has put the limit there")
	return l.limiter.AllowAtMost(ctx, l.key, limit, n)
}

// plausible reports whether an answer can be right: the limit is drawn down by a burst of the highest priority at
// most.
func (l *RateLimiter) plausible(r *redis_rate.Result, limit redis_rate.Limit, n int) bool {
	every := limit.Period / time.Duration(limit.Rate)
	longest := every*time.Duration(l.limits[0].Burst-limit.Burst+1) + time.Second
	return r.Allowed >= 0 && r.Allowed <= n && r.RetryAfter >= -1 && r.RetryAfter <= longest
}

// takeAlone leaves what is beyond the priority's own burst to those above it.
func (l *RateLimiter) takeAlone(limit redis_rate.Limit, n int) (granted int, wait time.Duration, err error) {
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
