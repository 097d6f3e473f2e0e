package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"recarga/topup"
)

// Pacer limits how many purchases are made, over all processes on the same Redis.
//
// All priorities draw on one limit, and the lower ones may draw it down less far: what is left then is there
// at once for an order that a person waits for, however many others stand in line.
type Pacer struct {
	limiter *redis_rate.Limiter
	key     string
	limits  []redis_rate.Limit // by rank

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
	// boardTimeout bounds what a purchase waits for Redis here.
	boardTimeout = time.Second
)

// NewPacer allows count in every period, evenly spread, less a fiftieth, and a second's share at once, or six.
func (q *Queue) NewPacer(key string, count int, period time.Duration) *Pacer {
	burst := max(leastBurst, int(float64(count)/period.Seconds()/float64(len(topup.Priorities()))))
	p := &Pacer{limiter: redis_rate.NewLimiter(q.rest), key: "recarga:" + key}
	for n := len(topup.Priorities()); n > 0; n-- {
		p.limits = append(p.limits, redis_rate.Limit{Rate: count - count/spare, Period: period, Burst: n * burst})
	}
	if q.IsEmbedded() {
		urgent := p.limits[0]
		p.alone = rate.NewLimiter(rate.Limit(float64(urgent.Rate)/period.Seconds()), urgent.Burst)
	}
	return p
}

// Take takes the right to at most n purchases, and says how many it got. wait is until there may be another;
// zero where it got them all.
func (p *Pacer) Take(ctx context.Context, priority topup.Priority, n int) (granted int, wait time.Duration, err error) {
	limit := p.limits[priority.Rank()]
	if p.alone != nil {
		return p.takeAlone(limit, n)
	}
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	result, err := p.limiter.AllowAtMost(ctx, p.key, limit, min(n, limit.Burst))
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("pace %s: %w", p.key, err)
	case result.Allowed == n:
		return n, 0, nil
	}
	return result.Allowed, max(result.RetryAfter, limit.Period/time.Duration(limit.Rate)), nil
}

// takeAlone leaves what is beyond the priority's own burst to those above it.
func (p *Pacer) takeAlone(limit redis_rate.Limit, n int) (granted int, wait time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	left := p.alone.TokensAt(now) - float64(p.limits[0].Burst-limit.Burst)
	granted = max(0, min(n, int(left)))
	p.alone.AllowN(now, granted)
	if granted < n {
		missing := 1 - (left - float64(granted))
		wait = time.Duration(missing / float64(p.alone.Limit()) * float64(time.Second))
	}
	return granted, wait, nil
}

// Board is where all workers on one Redis read and write what they know of the distributor's trouble.
type Board struct{ rdb redis.UniversalClient }

const (
	noticesKey   = "recarga:distributor:notices"
	pausedField  = "paused_until"
	outagePrefix = "outage:"
)

// Board is the one of this Redis.
func (q *Queue) Board() *Board { return &Board{q.rest} }

// Notices are what is on the board.
func (b *Board) Notices(ctx context.Context) (n topup.Notices, err error) {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	fields, err := b.rdb.HGetAll(ctx, noticesKey).Result()
	if err != nil {
		return n, fmt.Errorf("notices: %w", err)
	}
	n.Outages = map[string]topup.Outage{}
	for name, value := range fields {
		operator, isOutage := strings.CutPrefix(name, outagePrefix)
		var o topup.Outage
		switch ms, err := strconv.ParseInt(value, 10, 64); {
		case name == pausedField && err == nil:
			n.PausedUntil = time.UnixMilli(ms)
		case isOutage && json.Unmarshal([]byte(value), &o) == nil:
			n.Outages[operator] = o
		}
	}
	return n, nil
}

// Pause tells that the distributor wants no request until a time.
func (b *Board) Pause(ctx context.Context, until time.Time) error {
	return b.set(ctx, pausedField, strconv.FormatInt(until.UnixMilli(), 10))
}

// SetOutage tells of an operator's outage, or of what has become of it.
func (b *Board) SetOutage(ctx context.Context, operator string, o topup.Outage) error {
	value, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("outage of %s: %w", operator, err)
	}
	return b.set(ctx, outagePrefix+operator, string(value))
}

func (b *Board) set(ctx context.Context, field, value string) error {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	if err := b.rdb.HSet(ctx, noticesKey, field, value).Err(); err != nil {
		return fmt.Errorf("notice %s: %w", field, err)
	}
	return nil
}

// EndOutage takes an operator's outage off the board.
func (b *Board) EndOutage(ctx context.Context, operator string) error {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	if err := b.rdb.HDel(ctx, noticesKey, outagePrefix+operator).Err(); err != nil {
		return fmt.Errorf("end of the outage of %s: %w", operator, err)
	}
	return nil
}

// ClaimProbe says who may try an operator that is out: one worker each time that every has passed.
func (b *Board) ClaimProbe(ctx context.Context, operator string, every time.Duration) (claimed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	err = b.rdb.SetArgs(ctx, "recarga:distributor:probe:"+operator, "", redis.SetArgs{Mode: "NX", TTL: every}).Err()
	switch {
	case errors.Is(err, redis.Nil):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("probe of %s: %w", operator, err)
	}
	return true, nil
}

// resumeFor is how long what was resumed is remembered: longer than any recovery lasts.
const resumeFor = 5 * time.Minute

// resumeScript takes as many as are left of a total. All of its numbers are whole ones: the embedded Redis knows
// no others.
//
// KEYS: how many were taken. ARGV: the total, how many are wanted, seconds until the key is forgotten.
// Returns: how many it took.
var resumeScript = redis.NewScript(`
local left = tonumber(ARGV[1]) - tonumber(redis.call("GET", KEYS[1]) or "0")
local granted = math.max(0, math.min(left, tonumber(ARGV[2])))
if granted > 0 then
	redis.call("INCRBY", KEYS[1], string.format("%d", granted))
	redis.call("EXPIRE", KEYS[1], ARGV[3])
end
return granted`)

// Resume says how many of n purchases an operator that recovers gets now; all workers together get at most total
// since it began to recover.
func (b *Board) Resume(ctx context.Context, operator string, recoveringSince time.Time, total, n int) (granted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	granted, err = resumeScript.Run(ctx, b.rdb, []string{resumeKey(operator, recoveringSince)}, total, n, int(resumeFor.Seconds())).Int()
	if err != nil {
		return 0, fmt.Errorf("resumption of %s: %w", operator, err)
	}
	return granted, nil
}

// GiveBack gives back n that Resume granted, and that were not made.
func (b *Board) GiveBack(ctx context.Context, operator string, recoveringSince time.Time, n int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), boardTimeout)
	defer cancel()
	if err := b.rdb.DecrBy(ctx, resumeKey(operator, recoveringSince), int64(n)).Err(); err != nil {
		return fmt.Errorf("resumption of %s: %w", operator, err)
	}
	return nil
}

func resumeKey(operator string, recoveringSince time.Time) string {
	return fmt.Sprintf("recarga:distributor:resume:%s:%d", operator, recoveringSince.UnixMilli())
}
