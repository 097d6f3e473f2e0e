package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Watch fixes what asynq never would by itself, and reports the rest, also to other processes (LastWatch). It is for
// the worker that leads to call every few seconds: it takes three round trips and reads a record of each server, each
// step is bounded and atomic, and what several do at once is done once.
//
// It does not search for ghosts, tasks that are in no list: that takes a scan of all keys, and enqueueing
// goes round them anyway.
func (q *Queue) Watch(ctx context.Context) (Health, error) {
	h := Health{Queues: map[string]QueueHealth{}}
	found := map[string]*findings{}
	if err := q.cleanShared(ctx); err != nil {
		return h, err
	}
	pipe := q.rest.Pipeline()
	clock := pipe.Time(ctx)
	now := time.Now()
	servers := pipe.ZRangeByScore(ctx, "asynq:servers", &redis.ZRangeBy{Min: strconv.FormatInt(now.Unix(), 10),
		Max: "+inf", Count: watchPage})
	for _, name := range ourQueues() {
		found[name] = repair(ctx, pipe, name, now)
	}
	_, err := pipe.Exec(ctx)
	if Refused(clock.Err()) {
		err = servers.Err() // of the rest, each has an error of its own
	}
	if err != nil {
		return h, fmt.Errorf("watch the queues: %w", err)
	}
	h.setSkew(clock, now)
	serving, err := q.serving(ctx, servers.Val())
	if err != nil {
		return h, err
	}
	for name, f := range found {
		health, err := q.report(ctx, name, f)
		if err != nil {
			return h, fmt.Errorf("watch queue %s: %w", name, err)
		}
		health.Servers = serving[name]
		h.Queues[name] = health
	}
	h.MemoryUsed, h.MemoryMax = q.memory(ctx)
	q.keepWatch(ctx, h)
	return h, nil
}

const (
	// watchKey has the result of the last watch, which lives for watchLife, and of which maxWatch bytes are read.
	watchKey  = "recarga:watch"
	watchLife = 30 * time.Second
	maxWatch  = 16 << 10
)

// keepWatch leaves it to the others to watch where Redis does not take the result: its memory may be full.
func (q *Queue) keepWatch(ctx context.Context, h Health) {
	if data, err := json.Marshal(h); err == nil {
		_ = q.rest.Set(ctx, watchKey, data, watchLife).Err()
	}
}

// LastWatch is what another process's Watch saw a moment ago, with this machine's clock, and without its repairs,
// which it has counted.
func (q *Queue) LastWatch(ctx context.Context) (h Health, err error) {
	pipe := q.rest.Pipeline()
	clock, kept := pipe.Time(ctx), pipe.GetRange(ctx, watchKey, 0, maxWatch)
	now := time.Now()
	_, _ = pipe.Exec(ctx) // each has an error of its own
	if err := kept.Err(); err != nil {
		return h, fmt.Errorf("last watch: %w", err)
	}
	if err := json.Unmarshal([]byte(kept.Val()), &h); err != nil {
		return h, fmt.Errorf("last watch: %w", err)
	}
	if clock.Err() != nil && !Refused(clock.Err()) {
		return h, fmt.Errorf("last watch: %w", clock.Err())
	}
	h.setSkew(clock, now)
	for name, health := range h.Queues {
		health.Repaired = Repairs{}
		h.Queues[name] = health
	}
	return h, nil
}

// setSkew takes the answer to a question that was asked at now.
func (h *Health) setSkew(clock *redis.TimeCmd, now time.Time) {
	if h.SkewUnknown = clock.Err() != nil; !h.SkewUnknown {
		h.Skew = now.Add(time.Since(now) / 2).Sub(clock.Val())
	}
}

// report makes a queue's health of what its scripts found, and removes messages that cannot be decoded.
func (q *Queue) report(ctx context.Context, queue string, f *findings) (QueueHealth, error) {
	removed, err := f.clean.StringSlice()
	if err != nil {
		return QueueHealth{}, err
	}
	for _, key := range removed {
		q.Reject(ctx, KindKey, key, "it is of another type than it must be")
	}
	survey, err := f.survey.Slice()
	fixed, fixErr := f.fix.Int64Slice()
	trimmed, trimErr := f.trim.Int()
	overdue, overdueErr := f.overdue.StringSlice()
	if err := errors.Join(err, fixErr, trimErr, overdueErr); err != nil {
		return QueueHealth{}, err
	}
	quarantined, err := q.quarantine(ctx, queue, overdue)
	if err != nil {
		return QueueHealth{}, err
	}
	repaired := Repairs{Leases: int(fixed[1]), Vanished: int(fixed[2]), Quarantined: quarantined, Archived: trimmed}
	if repaired != (Repairs{}) {
		q.log.WarnContext(ctx, "queue repaired", "queue", queue, "leases", repaired.Leases, "vanished", repaired.Vanished,
			"quarantined", repaired.Quarantined, "archived", repaired.Archived)
	}
	return healthOf(survey, int(fixed[0]), repaired), nil
}

// healthOf reads what survey.lua returned.
func healthOf(survey []any, strays int, repaired Repairs) QueueHealth {
	count := func(i int) int { n, _ := survey[i].(int64); return int(n) }
	h := QueueHealth{
		Depth:              map[string]int{},
		OverdueLeases:      count(6),
		Paused:             count(7) > 0,
		Undecodable:        count(8) + repaired.Quarantined,
		OldestPending:      age(survey[9]),
		ActiveWithoutLease: strays,
		Repaired:           repaired,
	}
	for i, state := range []string{"pending", "active", "scheduled", "retry", "archived", "completed"} {
		h.Depth[state] = count(i)
	}
	return h
}

// age of a moment given in Unix nanoseconds as text; 0 for none, and for one that is not past.
func age(since any) time.Duration {
	text, _ := since.(string)
	nanos, err := strconv.ParseInt(text, 10, 64)
	if err != nil || nanos == 0 {
		return 0
	}
	return max(0, time.Since(time.Unix(0, nanos)))
}

// serving counts the servers by the queues that they serve.
func (q *Queue) serving(ctx context.Context, servers []string) (map[string]int, error) {
	serving := map[string]int{}
	if len(servers) == 0 {
		return serving, nil
	}
	pipe := q.rest.Pipeline()
	infos := make([]*redis.StringCmd, len(servers))
	for i, key := range servers {
		infos[i] = pipe.Get(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // each has an error of its own: one that ended a moment ago is not there any more
	for _, info := range infos {
		if err := info.Err(); err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "WRONGTYPE") {
			return nil, fmt.Errorf("watch the servers: %w", err)
		}
		server, err := decode("asynq.ServerInfo", info.Val())
		if err != nil {
			continue // another version's; it may serve or not
		}
		queues := server.Get(server.Descriptor().Fields().ByName("queues")).Map()
		queues.Range(func(queue protoreflect.MapKey, _ protoreflect.Value) bool {
			serving[queue.String()]++
			return true
		})
	}
	return serving, nil
}
