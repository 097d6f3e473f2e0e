package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"recarga/tasks"
)

// KindKey is the kind of a key of another type than asynq's or ours, which would make every script on it fail.
const KindKey = "key"

// OnRejected has f called for everything that is rejected; it must not block. Call it before the queue is used.
func (q *Queue) OnRejected(f func(kind string)) { q.onRejected = f }

// Reject says that something in Redis is none of ours.
func (q *Queue) Reject(ctx context.Context, kind, key, why string) {
	q.onRejected(kind)
	q.log.WarnContext(ctx, "redis has what no process of ours wrote; removed", "kind", kind, "key", key, "why", why)
}

// cleanScript removes keys of another type than they must have, as they are or among the first tasks of a sorted set:
// every script that meets one fails, and with it all that is behind it.
//
// KEYS: any. ARGV: prefix of the task keys, how many of a sorted set to look at, and the type of each key: one of
// Redis' or number. Returns: those removed.
const cleanScript = `
local removed = {}
local function drop(key)
	redis.call("DEL", key)
	table.insert(removed, key)
end
for i, key in ipairs(KEYS) do
	local must, is = ARGV[i + 2], redis.call("TYPE", key).ok
	if is == "none" then
	elseif must == "number" then
		local short = is == "string" and redis.call("STRLEN", key) <= 18
		if not (short and string.find(redis.call("GET", key), "^%d+$")) then drop(key) end
	elseif is ~= must then
		drop(key)
	elseif must == "zset" then
		for _, id in ipairs(redis.call("ZRANGE", key, 0, ARGV[2] - 1)) do
			local task = redis.call("TYPE", ARGV[1] .. id).ok
			if task ~= "hash" and task ~= "none" then
				drop(ARGV[1] .. id)
				redis.call("ZREM", key, id)
			end
		end
	end
end
return removed`

// cleanPage is more than what asynq looks at in one step of a sorted set.
const cleanPage = 200

// clean has the keys of a queue looked at.
func clean(ctx context.Context, pipe redis.Pipeliner, queue string, now time.Time) *redis.Cmd {
	var keys []string
	types := []any{"asynq:{" + queue + "}:t:", cleanPage}
	add := func(kind string, names ...string) {
		for _, name := range names {
			keys, types = append(keys, name), append(types, kind)
		}
	}
	own := func(name string) string { return "asynq:{" + queue + "}:" + name }
	add("list", own("pending"), own("active"))
	add("zset", own("scheduled"), own("retry"), own("archived"), own("completed"), own("lease"),
		"recarga:{"+queue+"}:strays")
	add("hash", quarantineOf(queue))
	add("number", own("processed"), own("failed"))
	for _, day := range []time.Time{now.Add(-24 * time.Hour), now, now.Add(24 * time.Hour)} {
		date := day.UTC().Format(time.DateOnly)
		add("number", own("processed:"+date), own("failed:"+date))
	}
	return pipe.Eval(ctx, cleanScript, keys, types...)
}

// cleanShared looks at asynq's keys that belong to no queue.
func (q *Queue) cleanShared(ctx context.Context) error {
	must := map[string]string{"asynq:queues": "set", "asynq:servers": "zset", "asynq:workers": "zset"}
	is := map[string]*redis.StatusCmd{}
	pipe := q.rest.Pipeline()
	for key := range must {
		is[key] = pipe.Type(ctx, key)
	}
	_, err := pipe.Exec(ctx)
	for key, kind := range must {
		if is := is[key].Val(); err == nil && is != kind && is != "none" {
			q.Reject(ctx, KindKey, key, "it is a "+is)
			err = q.rest.Del(ctx, key).Err()
		}
	}
	if err != nil {
		return fmt.Errorf("watch asynq's keys: %w", err)
	}
	return nil
}

// lost reports whether a task that calls itself pending is not in its list, where nothing would ever find it. A list
// that is long is looked at where the next tasks are.
func (q *Queue) lost(ctx context.Context, queue, taskID string) bool {
	const look = 2000
	list := "asynq:{" + queue + "}:pending"
	pipe := q.rest.Pipeline()
	length := pipe.LLen(ctx, list)
	place := pipe.LPos(ctx, list, taskID, redis.LPosArgs{Rank: -1, MaxLen: look})
	_, _ = pipe.Exec(ctx) // each has an error of its own
	return length.Err() == nil && length.Val() <= look && errors.Is(place.Err(), redis.Nil)
}

// lastID is the id of a task for whose order or event all others are stuck: one a minute of each process, and none
// that anybody could take before.
func (q *Queue) lastID(id string, now time.Time) string {
	return id + "~" + q.nonce + "-" + strconv.FormatInt(now.Unix()/60, 36)
}

func ourQueues() []string { return []string{tasks.QueueTopups, tasks.QueueWebhooks} }
