package coordination

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// limiterRedis is Redis as redis_rate uses it, but for two things: its keys stand where all of ours do, and where
// Redis permits no TIME its scripts go by this machine's clock.
type limiterRedis struct {
	redis.UniversalClient
	// timeless: Redis has refused TIME.
	timeless atomic.Bool
}

// ownKeys are the keys without the prefix of redis_rate, which no setting changes.
func ownKeys(keys []string) []string {
	own := make([]string, len(keys))
	for i, key := range keys {
		own[i] = strings.TrimPrefix(key, "rate:")
	}
	return own
}

// Del implements redis_rate's interface.
func (r *limiterRedis) Del(ctx context.Context, keys ...string) *redis.IntCmd {
	return r.UniversalClient.Del(ctx, ownKeys(keys)...)
}

// sendWhole makes a caller send its script whole.
type sendWhole struct{}

func (sendWhole) Error() string { return "NOSCRIPT the script must be sent whole" }
func (sendWhole) RedisError()   {}

// EvalSha implements redis_rate's interface.
func (r *limiterRedis) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	if !r.timeless.Load() {
		cmd = r.UniversalClient.EvalSha(ctx, sha, ownKeys(keys), args...)
	}
	if r.timeless.Load() || r.refusesTime(ctx, cmd.Err()) {
		cmd.SetErr(sendWhole{})
	}
	return cmd
}

//go:embed clock.lua
var clockSource string

// Eval implements redis_rate's interface.
func (r *limiterRedis) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	if !r.timeless.Load() {
		if cmd := r.UniversalClient.Eval(ctx, script, ownKeys(keys), args...); !r.refusesTime(ctx, cmd.Err()) {
			return cmd
		}
	}
	now := time.Now()
	return redis.NewScript(clockSource+script).Run(ctx, r.UniversalClient, ownKeys(keys),
		append(args, now.Unix(), now.Nanosecond()/int(time.Microsecond))...)
}

// refusesTime reports whether a script failed where Redis refuses TIME, and remembers it.
func (r *limiterRedis) refusesTime(ctx context.Context, err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) || redis.HasErrorPrefix(err, "NOSCRIPT") {
		return false
	}
	if errors.As(r.Time(ctx).Err(), &reply) {
		r.timeless.Store(true)
	}
	return r.timeless.Load()
}
