package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

const (
	// strayGrace is how long a task must have been active without a lease before it is given one.
	strayGrace = 60 * time.Second
	// leaseOverdue is how long after its end a lease should be gone: asynq waits 30 s, against clocks
	// that differ, and looks once a minute.
	leaseOverdue = 90 * time.Second
	// archiveLife is after how long an archived task is deleted. asynq does so after 90 days, all at
	// once, and fails half way when they are more than some 8,000.
	archiveLife = 60 * 24 * time.Hour
	// archiveAlarm is well below the 10,000 archived tasks above which asynq deletes without a word.
	archiveAlarm = 5_000
	// skewAlarm is well below the 30 s that asynq's leases bear.
	skewAlarm = 5 * time.Second
	// watchPage bounds what one watch looks at of a list, and archivePage what it deletes.
	watchPage, archivePage = 1000, 100
	// quarantineSize bounds the messages that are kept for a person to look at.
	quarantineSize = 1000
)

// Health is what one watch saw.
type Health struct {
	// Skew is how far this machine's clock is ahead of Redis' (negative: behind), give or take half a
	// round trip. asynq's leases and due times are written and read by the clocks of the workers, and
	// from 30 s on live tasks look abandoned.
	Skew time.Duration
	// Queues are ours, by name.
	Queues map[string]QueueHealth
}

// QueueHealth is the state of one queue.
type QueueHealth struct {
	// Depth counts the tasks by state: pending, active, scheduled, retry, archived and completed.
	Depth map[string]int
	// OldestPending is how long the next task has been waiting; 0 when none waits.
	OldestPending time.Duration
	// Paused by a person. A pause has no end of its own.
	Paused bool
	// Servers serve the queue, in all processes; a worker has several. One that was killed counts for
	// 10 s more.
	Servers int
	// ActiveWithoutLease are tasks that asynq would call active for ever. They get a lease, which has
	// ended, once they have been so for a minute.
	ActiveWithoutLease int
	// OverdueLeases ended more than 90 s ago and nobody has taken their tasks back, as some server
	// should have done.
	OverdueLeases int
	// Undecodable messages are kept, up to 1,000, in the Redis hash recarga:{QUEUE}:quarantine, by
	// task id. Deleting that key says that somebody has seen them.
	Undecodable int
	// Repaired counts what this watch did; what others did meanwhile, they have counted.
	Repaired Repairs
}

// Repairs are counts of what a watch fixed. Whatever order or event stood behind a task that was
// removed, the journal's sweep enqueues it again.
type Repairs struct {
	// Leases given to active tasks that had none, so that asynq takes them back.
	Leases int
	// Vanished are active tasks removed because their message is gone: nothing could ever run them.
	Vanished int
	// Quarantined are messages that cannot be decoded, taken out of the way of all others.
	Quarantined int
	// Archived tasks deleted for their age.
	Archived int
}

// Alarms are the things that a person must look at, a sentence each, queue by queue.
func (h Health) Alarms() []string {
	var alarms []string
	if h.Skew.Abs() > skewAlarm {
		alarms = append(alarms, fmt.Sprintf("this machine's clock and Redis' differ by %s", h.Skew.Abs().Round(time.Millisecond)))
	}
	for _, name := range slices.Sorted(maps.Keys(h.Queues)) {
		q := h.Queues[name]
		for _, alarm := range []struct {
			on   bool
			text string
		}{
			{q.Paused, "is paused"},
			{q.Servers == 0, "is served by nobody"},
			{q.ActiveWithoutLease > 0, fmt.Sprintf("has %d active tasks without a lease", q.ActiveWithoutLease)},
			{q.OverdueLeases > 0, fmt.Sprintf("has %d tasks of lost workers that nobody takes back", q.OverdueLeases)},
			{q.Undecodable > 0, fmt.Sprintf("had %d tasks that cannot be decoded", q.Undecodable)},
			{q.Depth["archived"] > archiveAlarm, fmt.Sprintf("has %d archived tasks", q.Depth["archived"])},
		} {
			if alarm.on {
				alarms = append(alarms, "queue "+name+" "+alarm.text)
			}
		}
	}
	return alarms
}

// Watch fixes what asynq never would by itself, and reports the rest. It is for every worker to call
// every few seconds: it takes three round trips, each step is bounded and atomic, and what several do at
// once is done once.
//
// It does not look for ghosts, tasks that are in no list: that takes a scan of all keys, and enqueueing
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
		found[name] = inspect(ctx, pipe, name, now)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return h, fmt.Errorf("watch the queues: %w", err)
	}
	h.Skew = now.Add(time.Since(now) / 2).Sub(clock.Val())
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
	return h, nil
}

// findings are the answers of one queue's scripts.
type findings struct{ clean, survey, fix, trim, overdue *redis.Cmd }

func inspect(ctx context.Context, pipe redis.Pipeliner, queue string, now time.Time) *findings {
	key := func(name string) string { return "asynq:{" + queue + "}:" + name }
	task, strays, quarantine := key("t:"), "recarga:{"+queue+"}:strays", quarantineOf(queue)
	return &findings{
		clean: clean(ctx, pipe, queue, now), // first, because the others fail on what it removes
		fix: pipe.Eval(ctx, fixScript, []string{key("active"), key("lease"), strays},
			task, watchPage, leaseOverdue.Seconds(), strayGrace.Seconds()),
		trim: pipe.Eval(ctx, trimScript, []string{key("archived")}, task, archivePage, archiveLife.Seconds()),
		overdue: pipe.Eval(ctx, overdueScript, []string{key("lease")},
			task, watchPage, leaseOverdue.Seconds(), rand.Float64()),
		survey: pipe.Eval(ctx, surveyScript, []string{
			key("pending"), key("active"), key("scheduled"), key("retry"), key("archived"), key("completed"),
			key("lease"), key("paused"), quarantine,
		}, task, leaseOverdue.Seconds()),
	}
}

func quarantineOf(queue string) string { return "recarga:{" + queue + "}:quarantine" }

// All times in the scripts are Redis' own, in seconds, so that workers whose clocks differ agree.

// fixScript looks through the oldest active tasks, where those that are stuck gather.
//
// KEYS: active, lease, strays (when each task was first seen active without a lease).
// ARGV: prefix of the task keys, how many to look at, age of an overdue lease, grace of a stray.
// Returns: active tasks without a lease, leases given, tasks removed that have no message.
const fixScript = `
local function has(key)
	return redis.call("TYPE", key).ok == "hash" and redis.call("HEXISTS", key, "msg") == 1
end
local now = tonumber(redis.call("TIME")[1])
local strays, leases, vanished, seen = 0, 0, 0, {}
for _, id in ipairs(redis.call("LRANGE", KEYS[1], -ARGV[2], -1)) do
	local lease = redis.call("ZSCORE", KEYS[2], id)
	if not has(ARGV[1] .. id) then
		if not lease or tonumber(lease) < now - ARGV[3] then
			redis.call("LREM", KEYS[1], 0, id)
			redis.call("ZREM", KEYS[2], id)
			redis.call("DEL", ARGV[1] .. id)
			vanished = vanished + 1
		end
	elseif not lease then
		redis.call("ZADD", KEYS[3], "NX", now, id)
		if tonumber(redis.call("ZSCORE", KEYS[3], id)) <= now - ARGV[4] then
			redis.call("ZADD", KEYS[2], "NX", 0, id)
			leases = leases + 1
		else
			seen[id] = true
			strays = strays + 1
		end
	end
end
for _, id in ipairs(redis.call("ZRANGE", KEYS[3], 0, -1)) do
	if not seen[id] then redis.call("ZREM", KEYS[3], id) end
end
return {strays, leases, vanished}`

// trimScript deletes the oldest archived tasks.
//
// KEYS: archived. ARGV: prefix of the task keys, how many at most, their age. Returns: how many.
const trimScript = `
local old = redis.call("TIME")[1] - ARGV[3]
local ids = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", old, "LIMIT", 0, ARGV[2])
for _, id in ipairs(ids) do
	redis.call("DEL", ARGV[1] .. id)
	redis.call("ZREM", KEYS[1], id)
end
return #ids`

// overdueScript lists tasks whose lease ended long ago. Where they are too many, the page begins
// anywhere, so that the one that holds up all others is found in the end.
//
// KEYS: lease. ARGV: prefix of the task keys, how many at most, age of an overdue lease, where to begin
// (0 to 1). Returns: id, message, id, message, …
const overdueScript = `
local old = redis.call("TIME")[1] - ARGV[3]
local rest = redis.call("ZCOUNT", KEYS[1], "-inf", old) - ARGV[2]
local from = math.floor(math.max(0, rest + 1) * ARGV[4])
local found = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", old, "LIMIT", from, ARGV[2])) do
	local message = redis.call("TYPE", ARGV[1] .. id).ok == "hash" and redis.call("HGET", ARGV[1] .. id, "msg")
	if message then
		table.insert(found, id)
		table.insert(found, message)
	end
end
return found`

// surveyScript counts. It changes nothing.
//
// KEYS: pending, active, scheduled, retry, archived, completed, lease, paused, quarantine.
// ARGV: prefix of the task keys, age of an overdue lease.
// Returns: the six depths, overdue leases but those that fixScript gave, paused (0 or 1), quarantined messages, and since when the
// next task waits, in Unix nanoseconds as text ("0" when none does).
const surveyScript = `
local found = {}
for i = 1, 2 do table.insert(found, redis.call("LLEN", KEYS[i])) end
for i = 3, 6 do table.insert(found, redis.call("ZCARD", KEYS[i])) end
table.insert(found, redis.call("ZCOUNT", KEYS[7], "(0", redis.call("TIME")[1] - ARGV[2]))
table.insert(found, redis.call("EXISTS", KEYS[8]))
table.insert(found, redis.call("HLEN", KEYS[9]))
local id = redis.call("LINDEX", KEYS[1], -1)
local task = id and ARGV[1] .. id
table.insert(found, task and redis.call("TYPE", task).ok == "hash" and redis.call("HGET", task,
	"pending_since") or "0")
return found`

// report puts a queue's findings into words, and removes messages that cannot be decoded.
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
	count := func(i int) int { n, _ := survey[i].(int64); return int(n) }
	h := QueueHealth{
		Depth:              map[string]int{},
		OverdueLeases:      count(6),
		Paused:             count(7) > 0,
		Undecodable:        count(8) + quarantined,
		OldestPending:      age(survey[9]),
		ActiveWithoutLease: int(fixed[0]),
		Repaired:           Repairs{Leases: int(fixed[1]), Vanished: int(fixed[2]), Quarantined: quarantined, Archived: trimmed},
	}
	for i, state := range []string{"pending", "active", "scheduled", "retry", "archived", "completed"} {
		h.Depth[state] = count(i)
	}
	if h.Repaired != (Repairs{}) {
		q.log.WarnContext(ctx, "queue repaired", "queue", queue, "leases", h.Repaired.Leases, "vanished", h.Repaired.Vanished,
			"quarantined", h.Repaired.Quarantined, "archived", h.Repaired.Archived)
	}
	return h, nil
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

// quarantineScript removes a task, if it is still the one that was looked at, and keeps its message
// where there is room.
//
// KEYS: task, active, lease, quarantine. ARGV: id, message, room. Returns: 1 if it did.
const quarantineScript = `
if redis.call("HGET", KEYS[1], "msg") ~= ARGV[2] then return 0 end
if redis.call("HLEN", KEYS[4]) < tonumber(ARGV[3]) then redis.call("HSET", KEYS[4], ARGV[1], ARGV[2]) end
redis.call("DEL", KEYS[1])
redis.call("LREM", KEYS[2], 0, ARGV[1])
redis.call("ZREM", KEYS[3], ARGV[1])
return 1`

// quarantine removes those overdue tasks that cannot be decoded: a single one keeps every server of
// its queue from taking back any task of a lost worker. A message that says that it is another's task could be taken
// back by nobody either.
func (q *Queue) quarantine(ctx context.Context, queue string, overdue []string) (removed int, err error) {
	for pair := range slices.Chunk(overdue, 2) {
		id, message := pair[0], pair[1]
		m, why := decode("asynq.TaskMessage", message)
		if why == nil && !isOf(m, queue, id) {
			why = errors.New("it says that it is another task")
		}
		switch {
		case why == nil:
			continue
		case errors.Is(why, protoregistry.NotFound): // asynq has another type by now, so nothing is known
			return removed, why
		}
		prefix := "asynq:{" + queue + "}:"
		n, err := q.rest.Eval(ctx, quarantineScript,
			[]string{prefix + "t:" + id, prefix + "active", prefix + "lease", quarantineOf(queue)}, id, message, quarantineSize).Int()
		if err != nil {
			return removed, err
		}
		if removed += n; n > 0 {
			q.log.ErrorContext(ctx, "task cannot be decoded", "queue", queue, "task", id, "bytes", len(message), "kept_in", quarantineOf(queue), "error", why)
		}
	}
	return removed, nil
}

func isOf(m protoreflect.Message, queue, id string) bool {
	fields := m.Descriptor().Fields()
	return m.Get(fields.ByName("id")).String() == id && m.Get(fields.ByName("queue")).String() == queue
}

// decode reads what asynq wrote exactly as asynq does: its message types are internal to it, but
// registered under their names.
func decode(name protoreflect.FullName, encoded string) (protoreflect.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		return nil, err
	}
	m := kind.New()
	return m, proto.Unmarshal([]byte(encoded), m.Interface())
}

// serving counts the servers by the queues they serve.
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

// Memory is what Redis uses and the most that it may, in bytes; 0 for what it does not say, or where
// there is no limit. Of a cluster it is one node's.
func (q *Queue) Memory(ctx context.Context) (used, most int64) {
	if q.embedded != nil {
		return 0, 0
	}
	text, err := q.rest.Info(ctx, "memory").Result()
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "used_memory":
			used, _ = strconv.ParseInt(value, 10, 64) // not a number: not notified
		case "maxmemory":
			most, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	return used, most
}
