package coordination

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"recarga/internal/seal"
	"recarga/topup"
)

// SharedState is what all workers on one Redis know of the distributor: the pause that it asked for, and the outages
// of its operators. It is sealed there with the distributor's secret key, so that nobody else can stop purchases.
type SharedState struct {
	rdb    redis.UniversalClient
	sealed sealed
	// guarded: others may write to this Redis.
	guarded bool
	// reject is that of Redis, never nil.
	reject func(ctx context.Context, kind, key, why string)
}

const (
	// stateKey and statePurpose keep the names that stored values have.
	stateKey     = "recarga:distributor:notices"
	statePurpose = "distributor notices"
	pausedField  = "paused_until"
	outagePrefix = "outage:"
	// maxPause is the longest pause that is obeyed.
	maxPause = time.Hour
	// maxFields and maxField bound what is read: how many, and the bytes of each.
	maxFields, maxField = 256, 8 << 10
)

// SharedState is the state on this Redis, for processes with the distributor's secret key.
func (r Redis) SharedState(secretKey string) *SharedState {
	return &SharedState{
		rdb: r.Client, sealed: sealed{seal.New(secretKey), statePurpose}, guarded: !r.Embedded, reject: r.rejecting(),
	}
}

//go:embed state.lua
var stateSource string

// stateScript reads the shared state, and removes what is too large to be of it.
var stateScript = redis.NewScript(stateSource)

func (s *SharedState) fields(ctx context.Context) (map[string]string, error) {
	if !s.guarded {
		return s.rdb.HGetAll(ctx, stateKey).Result()
	}
	pairs, err := stateScript.Run(ctx, s.rdb, []string{stateKey}, maxFields, maxField).StringSlice()
	fields := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		fields[pair[0]] = pair[1]
	}
	return fields, err
}

// Restrictions are the pause and the outages that are in force.
func (s *SharedState) Restrictions(ctx context.Context) (n topup.Restrictions, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	fields, err := s.fields(ctx)
	if err != nil {
		return n, fmt.Errorf("shared state: %w", err)
	}
	n.Outages = map[string]topup.Outage{}
	for name, value := range fields {
		if err := s.read(&n, name, value, time.Now()); err != nil {
			s.reject(ctx, KindState, stateKey, fmt.Sprintf("field %.40q: %v", name, err))
			_ = s.rdb.HDel(ctx, stateKey, name).Err() // it is ignored anyway
		}
	}
	return n, nil
}

// read adds one field. None stops purchases for longer than the distributor itself could, or for ever.
func (s *SharedState) read(n *topup.Restrictions, name, value string, now time.Time) error {
	text, err := s.sealed.open(value, name)
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
	if o.Since.After(now.Add(maxSkew)) || o.RecoveringSince.After(now.Add(maxSkew)) {
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

// Pause notes that the distributor wants no request until a time.
func (s *SharedState) Pause(ctx context.Context, until time.Time) error {
	return s.set(ctx, pausedField, strconv.FormatInt(until.UnixMilli(), 10))
}

// SetOutage notes an operator's outage, or what has become of it.
func (s *SharedState) SetOutage(ctx context.Context, operator string, o topup.Outage) error {
	value, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("outage of %s: %w", operator, err)
	}
	return s.set(ctx, outagePrefix+operator, string(value))
}

func (s *SharedState) set(ctx context.Context, field, value string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := s.rdb.HSet(ctx, stateKey, field, s.sealed.seal([]byte(value), field)).Err(); err != nil {
		return fmt.Errorf("shared state, %s: %w", field, err)
	}
	return nil
}

// EndOutage removes an operator's outage.
func (s *SharedState) EndOutage(ctx context.Context, operator string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := s.rdb.HDel(ctx, stateKey, outagePrefix+operator).Err(); err != nil {
		return fmt.Errorf("end of the outage of %s: %w", operator, err)
	}
	return nil
}

// ClaimProbe says who may try an operator that is out: one worker each time that every has passed.
func (s *SharedState) ClaimProbe(ctx context.Context, operator string, every time.Duration) (claimed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	key := "recarga:distributor:probe:" + operator
	claimed, err = s.claim(ctx, key, every)
	if err == nil && !claimed {
		var freed bool
		if freed, err = free(ctx, s.rdb, key, every+time.Second); freed {
			s.reject(ctx, KindProbe, key, "it is claimed for longer than a process of ours would")
			claimed, err = s.claim(ctx, key, every)
		}
	}
	if err != nil {
		return false, fmt.Errorf("probe of %s: %w", operator, err)
	}
	return claimed, nil
}

func (s *SharedState) claim(ctx context.Context, key string, every time.Duration) (claimed bool, err error) {
	err = s.rdb.SetArgs(ctx, key, "", redis.SetArgs{Mode: "NX", TTL: every}).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
}

// resumeFor is how long what was resumed is remembered: longer than any recovery lasts.
const resumeFor = 5 * time.Minute

//go:embed resume.lua
var resumeSource string

// resumeScript takes as many as are left of a total.
var resumeScript = redis.NewScript(resumeSource)

// Resume says how many of n purchases an operator that recovers gets now; all workers together get at most total
// since it began to recover.
func (s *SharedState) Resume(
	ctx context.Context, operator string, recoveringSince time.Time, total, n int,
) (granted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	keys := []string{resumeKey(operator, recoveringSince)}
	granted, err = resumeScript.Run(ctx, s.rdb, keys, total, n, int(resumeFor.Seconds())).Int()
	if err != nil {
		return 0, fmt.Errorf("resumption of %s: %w", operator, err)
	}
	return min(max(granted, 0), n), nil // whatever the key says
}

// GiveBack gives back n that Resume granted, and that were not made.
func (s *SharedState) GiveBack(ctx context.Context, operator string, recoveringSince time.Time, n int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	if err := s.rdb.DecrBy(ctx, resumeKey(operator, recoveringSince), int64(n)).Err(); err != nil {
		return fmt.Errorf("resumption of %s: %w", operator, err)
	}
	return nil
}

func resumeKey(operator string, recoveringSince time.Time) string {
	return fmt.Sprintf("recarga:distributor:resume:%s:%d", operator, recoveringSince.UnixMilli())
}
