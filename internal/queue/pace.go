package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"recarga/internal/seal"
	"recarga/topup"
)

// RateLimiter limits how many purchases are made, over all processes on the same Redis.
//
// All priorities draw on one limit, and the lower ones may draw it down less far: what is left then is there
// at once for an order that a person waits for, however many others stand in line.
type RateLimiter struct {
	limiter *redis_rate.Limiter
	key     string
	limits  []redis_rate.Limit // by rank
	reject  rejecting

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

// NewRateLimiter allows count in every period, evenly spread, less a fiftieth, and a second's share at once, or six.
func (q *Queue) NewRateLimiter(key string, count int, period time.Duration) *RateLimiter {
	burst := max(leastBurst, int(float64(count)/period.Seconds()/float64(len(topup.Priorities()))))
	p := &RateLimiter{limiter: redis_rate.NewLimiter(q.rest), key: "recarga:" + key, reject: q.reject}
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
func (p *RateLimiter) Take(ctx context.Context, priority topup.Priority, n int) (granted int, wait time.Duration, err error) {
	limit := p.limits[priority.Rank()]
	if p.alone != nil {
		return p.takeAlone(limit, n)
	}
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	result, err := p.allow(ctx, limit, min(n, limit.Burst))
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("pace %s: %w", p.key, err)
	case result.Allowed == n:
		return n, 0, nil
	}
	return result.Allowed, max(result.RetryAfter, limit.Period/time.Duration(limit.Rate)), nil
}

// allow asks the limiter. What is there may be no number, or a time so far ahead that nothing would be bought for
// years: then it begins anew.
func (p *RateLimiter) allow(ctx context.Context, limit redis_rate.Limit, n int) (*redis_rate.Result, error) {
	result, err := p.limiter.AllowAtMost(ctx, p.key, limit, n)
	var reply redis.Error
	var number *strconv.NumError
	if err == nil && p.plausible(result, limit, n) || err != nil && !errors.As(err, &reply) && !errors.As(err, &number) {
		return result, err
	}
	if resetErr := p.limiter.Reset(ctx, p.key); resetErr != nil {
		return nil, errors.Join(err, resetErr)
	}
	p.reject(ctx, RejectedRate, "rate:"+p.key, "no purchase of ours has put the limit there")
	return p.limiter.AllowAtMost(ctx, p.key, limit, n)
}

// plausible tells whether an answer can be: the limit is drawn down by a burst of the highest priority at most.
func (p *RateLimiter) plausible(r *redis_rate.Result, limit redis_rate.Limit, n int) bool {
	every := limit.Period / time.Duration(limit.Rate)
	longest := every*time.Duration(p.limits[0].Burst-limit.Burst+1) + time.Second
	return r.Allowed >= 0 && r.Allowed <= n && r.RetryAfter >= -1 && r.RetryAfter <= longest
}

// takeAlone leaves what is beyond the priority's own burst to those above it.
func (p *RateLimiter) takeAlone(limit redis_rate.Limit, n int) (granted int, wait time.Duration, err error) {
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

// SharedState is where all workers on one Redis read and write what they know of the distributor's trouble. It is sealed
// there with the distributor's secret key: nobody else can stop purchases by what he writes.
type SharedState struct {
	rdb    redis.UniversalClient
	sealed sealed
	// guarded: others may write to this Redis.
	guarded bool
	reject  rejecting
}

const (
	noticesKey   = "recarga:distributor:notices"
	pausedField  = "paused_until"
	outagePrefix = "outage:"
	// maxPause is the longest that the distributor's word is taken for.
	maxPause = time.Hour
	// maxNotices and maxNotice bound what is read of the board: how many, and the bytes of each.
	maxNotices, maxNotice = 256, 8 << 10
)

// SharedState is the one of this Redis for those who have the distributor's secret key.
func (q *Queue) SharedState(secretKey string) *SharedState {
	return &SharedState{rdb: q.rest, sealed: sealed{seal.New(secretKey), "distributor notices"}, guarded: !q.IsEmbedded(),
		reject: q.reject}
}

// noticesScript reads the board, and removes what is too large to be of it.
//
// KEYS: notices. ARGV: how many fields, bytes of each. Returns: field, value, …
var noticesScript = redis.NewScript(`
local is = redis.call("TYPE", KEYS[1]).ok
if is == "none" then return {} end
if is ~= "hash" or redis.call("HLEN", KEYS[1]) > tonumber(ARGV[1]) then
	redis.call("DEL", KEYS[1])
	return {}
end
for _, field in ipairs(redis.call("HKEYS", KEYS[1])) do
	local size = math.max(#field, redis.call("HSTRLEN", KEYS[1], field))
	if size > tonumber(ARGV[2]) then redis.call("HDEL", KEYS[1], field) end
end
return redis.call("HGETALL", KEYS[1])`)

func (b *SharedState) fields(ctx context.Context) (map[string]string, error) {
	if !b.guarded {
		return b.rdb.HGetAll(ctx, noticesKey).Result()
	}
	pairs, err := noticesScript.Run(ctx, b.rdb, []string{noticesKey}, maxNotices, maxNotice).StringSlice()
	fields := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		fields[pair[0]] = pair[1]
	}
	return fields, err
}

// Restrictions are what is on the board.
func (b *SharedState) Restrictions(ctx context.Context) (n topup.Restrictions, err error) {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	fields, err := b.fields(ctx)
	if err != nil {
		return n, fmt.Errorf("notices: %w", err)
	}
	n.Outages = map[string]topup.Outage{}
	for name, value := range fields {
		if err := b.read(&n, name, value, time.Now()); err != nil {
			b.reject(ctx, RejectedState, noticesKey, fmt.Sprintf("field %.40q: %v", name, err))
			_ = b.rdb.HDel(ctx, noticesKey, name).Err() // it is ignored anyway
		}
	}
	return n, nil
}

// read adds one notice. None stops purchases for longer than the distributor itself could, or for ever.
func (b *SharedState) read(n *topup.Restrictions, name, value string, now time.Time) error {
	text, err := b.sealed.open(value, name)
	if err != nil {
		return err
	}
	operator, isOutage := strings.CutPrefix(name, outagePrefix)
	if !isOutage {
		ms, err := strconv.ParseInt(string(text), 10, 64)
		n.PausedUntil = earlier(time.UnixMilli(ms), now.Add(maxPause))
		return err
	}
	var o topup.Outage
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	if o.Since.After(now.Add(mostSkew)) || o.RecoveringSince.After(now.Add(mostSkew)) {
		return errors.New("it is of the future")
	}
	n.Outages[operator] = o
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Pause tells that the distributor wants no request until a time.
func (b *SharedState) Pause(ctx context.Context, until time.Time) error {
	return b.set(ctx, pausedField, strconv.FormatInt(until.UnixMilli(), 10))
}

// SetOutage tells of an operator's outage, or of what has become of it.
func (b *SharedState) SetOutage(ctx context.Context, operator string, o topup.Outage) error {
	value, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("outage of %s: %w", operator, err)
	}
	return b.set(ctx, outagePrefix+operator, string(value))
}

func (b *SharedState) set(ctx context.Context, field, value string) error {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	if err := b.rdb.HSet(ctx, noticesKey, field, b.sealed.seal([]byte(value), field)).Err(); err != nil {
		return fmt.Errorf("notice %s: %w", field, err)
	}
	return nil
}

// EndOutage takes an operator's outage off the board.
func (b *SharedState) EndOutage(ctx context.Context, operator string) error {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	if err := b.rdb.HDel(ctx, noticesKey, outagePrefix+operator).Err(); err != nil {
		return fmt.Errorf("end of the outage of %s: %w", operator, err)
	}
	return nil
}

// ClaimProbe says who may try an operator that is out: one worker each time that every has passed.
func (b *SharedState) ClaimProbe(ctx context.Context, operator string, every time.Duration) (claimed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	key := "recarga:distributor:probe:" + operator
	claimed, err = b.claim(ctx, key, every)
	if err == nil && !claimed {
		var freed bool
		if freed, err = free(ctx, b.rdb, key, every+time.Second); freed {
			b.reject(ctx, RejectedProbe, key, "it is claimed for longer than a process of ours would")
			claimed, err = b.claim(ctx, key, every)
		}
	}
	if err != nil {
		return false, fmt.Errorf("probe of %s: %w", operator, err)
	}
	return claimed, nil
}

func (b *SharedState) claim(ctx context.Context, key string, every time.Duration) (claimed bool, err error) {
	err = b.rdb.SetArgs(ctx, key, "", redis.SetArgs{Mode: "NX", TTL: every}).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
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
func (b *SharedState) Resume(ctx context.Context, operator string, recoveringSince time.Time, total, n int) (granted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	granted, err = resumeScript.Run(ctx, b.rdb, []string{resumeKey(operator, recoveringSince)}, total, n, int(resumeFor.Seconds())).Int()
	if err != nil {
		return 0, fmt.Errorf("resumption of %s: %w", operator, err)
	}
	return min(max(granted, 0), n), nil // whatever the key says
}

// GiveBack gives back n that Resume granted, and that were not made.
func (b *SharedState) GiveBack(ctx context.Context, operator string, recoveringSince time.Time, n int) error {
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
