package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/go-redis/redis_rate/v10"
)

// Pacer limits how often something is done, over all processes on the same Redis.
type Pacer struct {
	limiter *redis_rate.Limiter
	limit   redis_rate.Limit
	key     string
}

// NewPacer allows count in every period, evenly spread: at most one second's share at once.
func (q *Queue) NewPacer(key string, count int, period time.Duration) *Pacer {
	burst := max(1, int(float64(count)/period.Seconds()))
	return &Pacer{
		limiter: redis_rate.NewLimiter(q.rest), key: "recarga:" + key,
		limit: redis_rate.Limit{Rate: count, Burst: burst, Period: period},
	}
}

// Wait is how long to wait before it may be done; zero means now, and counts as done.
func (p *Pacer) Wait(ctx context.Context) (time.Duration, error) {
	result, err := p.limiter.Allow(ctx, p.key, p.limit)
	if err != nil {
		return 0, fmt.Errorf("pace %s: %w", p.key, err)
	}
	if result.Allowed > 0 {
		return 0, nil
	}
	return result.RetryAfter, nil
}
