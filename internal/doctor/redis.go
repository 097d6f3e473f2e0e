package doctor

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"recarga/internal/queue"
)

const (
	// asynq asks for Redis 4.0; versions before 6.2 get no more fixes from their makers.
	redisOldest    = "4.0"
	redisSupported = "6.2"
	// A full Redis with noeviction refuses to enqueue.
	memoryWarn, memoryFail = 80, 95 // percent
	// asynq's leases last 30 s by the workers' clocks.
	redisClockWarn, redisClockFail = time.Second, 5 * time.Second
)

// redisPart is a Redis that lives elsewhere.
type redisPart struct {
	rdb       redis.UniversalClient
	inspector queue.Inspector
	options   *redis.UniversalOptions // nil where the URL is wrong
	err       error                   // of the URL
}

func newRedis(cfg Config) part {
	r := &redisPart{}
	if cfg.RedisURL == queue.Embedded {
		return part{stages: []stage{{check("redis reachable", embedded)}}, close: func() {}}
	}
	options, err := queue.ParseURL(cfg.RedisURL)
	if r.err = err; err == nil {
		// asynq's inspector knows no context: these are what bounds it.
		options.DialTimeout, options.ReadTimeout, options.WriteTimeout = cfg.Timeout, cfg.Timeout, cfg.Timeout
		options.MaxRetries, options.DialerRetries = -1, 1
		options.ContextTimeoutEnabled, options.DisableIdentity = true, true
		r.options = options
		r.rdb = redis.NewUniversalClient(options)
		r.inspector = queue.NewInspector(r.rdb)
	}
	return part{stages: []stage{{check("redis reachable", r.ping)}, r.checks()}, close: r.close}
}

func embedded(context.Context) Finding {
	return ok("embedded: it lives in the process that serves, and cannot be checked from here")
}

func (r *redisPart) checks() stage {
	return stage{
		check("redis version", r.each(r.version)),
		check("redis eviction", r.each(r.eviction)),
		check("redis memory", r.each(r.memory)),
		check("redis persistence", r.each(r.persistence)),
		check("redis clock", r.each(r.clock)),
		check("queues paused", r.paused),
		check("queues served", r.served),
		check("tasks archived", r.archived),
		check("tasks without lease", r.leaseless),
		check("oldest pending task", r.pending),
	}
}

func (r *redisPart) close() {
	if r.rdb != nil {
		_ = r.rdb.Close() // nothing was written
	}
}

func (r *redisPart) ping(ctx context.Context) Finding {
	if r.err != nil {
		return fail("%v", r.err)
	}
	if err := r.listens(ctx); err != nil {
		return fail("%v", err)
	}
	addrs := strings.Join(r.options.Addrs, ",")
	if err := r.rdb.Ping(ctx).Err(); err != nil {
		if protected := queue.Protected(ctx, r.options); protected != nil {
			err = protected
		}
		return fail("%s: %v", addrs, err)
	}
	return ok("%s", addrs)
}

// listens returns why no address can be connected to. The client would find it out too, and write a
// line of its own on the terminal.
func (r *redisPart) listens(ctx context.Context) (err error) {
	dial := r.options.Dialer
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	for _, addr := range r.options.Addrs {
		var conn net.Conn
		if conn, err = dial(ctx, "tcp", addr); err == nil {
			return conn.Close()
		}
	}
	return err
}

// each makes a check of each master, and shows the worst.
func (r *redisPart) each(check func(context.Context, *redis.Client) Finding) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		cluster, many := r.rdb.(*redis.ClusterClient)
		if !many {
			return check(ctx, r.rdb.(*redis.Client))
		}
		var mu sync.Mutex
		worst := ok("")
		err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			f := check(ctx, node)
			f.Found = node.Options().Addr + ": " + f.Found
			mu.Lock()
			defer mu.Unlock()
			if worst.Found == "" || severity(f) > severity(worst) {
				worst = f
			}
			return nil
		})
		if err != nil {
			return fail("%v", err)
		}
		return worst
	}
}

func severity(f Finding) int { return slices.Index([]Status{OK, Warn, Fail}, f.Status) }

// info is a section of INFO.
func info(ctx context.Context, node *redis.Client, section string) (map[string]string, error) {
	text, err := node.Info(ctx, section).Result()
	fields := map[string]string{}
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, value, found := strings.Cut(line, ":"); found {
			fields[name] = value
		}
	}
	return fields, err
}

// unsaid is the finding of what a Redis does not say; fix is how else to know it. Many hosted ones permit no question
// about themselves.
func unsaid(err error, fix string) Finding {
	if queue.Refused(err) {
		return warn("not known: Redis permits no such question (%v)", err).with("%s", fix)
	}
	return warn("no answer: %v", err).with("%s", fix)
}

func (r *redisPart) version(ctx context.Context, node *redis.Client) Finding {
	fields, err := info(ctx, node, "server")
	if err != nil {
		return unsaid(err, "make sure that it is "+redisSupported+" or newer")
	}
	return judgeRedisVersion(fields["redis_version"])
}

func judgeRedisVersion(version string) Finding {
	switch {
	case version == "":
		return warn("it does not say")
	case older(version, redisOldest):
		return fail("%s", version)
	default:
		return unless(!older(version, redisSupported), Warn, "%s", version)
	}
}

// older compares versions by their numbers.
func older(a, b string) bool {
	return slices.Compare(numbers(a), numbers(b)) < 0
}

func numbers(version string) (all []int) {
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		all = append(all, n)
	}
	return all
}

func (r *redisPart) eviction(ctx context.Context, node *redis.Client) Finding {
	policy, err := queue.EvictionPolicy(ctx, node)
	if policy == "" {
		return unsaid(err, "make sure that maxmemory-policy is noeviction")
	}
	return unless(policy == "noeviction", Fail, "maxmemory-policy is %s", policy)
}

func (r *redisPart) memory(ctx context.Context, node *redis.Client) Finding {
	fields, err := info(ctx, node, "memory")
	if err != nil {
		return unsaid(err, "watch its memory where it is hosted: a full one takes no task")
	}
	used, err := strconv.ParseInt(fields["used_memory"], 10, 64)
	if err != nil {
		return warn("it does not say its used memory")
	}
	limit, _ := strconv.ParseInt(fields["maxmemory"], 10, 64) // not said: none
	if limit == 0 {
		return ok("%s used, no maxmemory", size(used))
	}
	f := unless(used*100 < limit*memoryWarn, Warn, "%s used of maxmemory %s", size(used), size(limit))
	if used*100 >= limit*memoryFail {
		f.Status = Fail
	}
	return f
}

// size is a number of bytes as people read it.
func size(bytes int64) string {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	switch {
	case bytes >= gib:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/gib)
	case bytes >= mib:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/mib)
	default:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/kib)
	}
}

func (r *redisPart) persistence(ctx context.Context, node *redis.Client) Finding {
	setting := map[string]string{}
	for _, name := range []string{"appendonly", "appendfsync", "save"} {
		got, err := node.ConfigGet(ctx, name).Result()
		if err != nil {
			return unsaid(err, "make sure that appendonly is yes, or accept what is lost")
		}
		setting[name] = got[name]
	}
	switch {
	case setting["appendonly"] == "yes" && setting["appendfsync"] == "no":
		return warn("appendonly is yes, appendfsync no: a crash of the machine loses about 30 s of tasks")
	case setting["appendonly"] == "yes":
		return ok("appendonly is yes, appendfsync %s", setting["appendfsync"])
	case setting["save"] != "":
		return warn("appendonly is no, save %q: a crash loses the tasks since the last snapshot", setting["save"])
	default:
		return warn("appendonly is no, save is empty: a restart loses all tasks")
	}
}

func (r *redisPart) clock(ctx context.Context, node *redis.Client) Finding {
	asked := time.Now()
	theirs, err := node.Time(ctx).Result()
	if err != nil {
		return unsaid(err, "make sure that the clocks of all workers agree within a second (timedatectl)")
	}
	return clock(offset(theirs, asked, time.Now()), redisClockWarn, redisClockFail)
}
