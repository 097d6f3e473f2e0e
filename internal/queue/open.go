package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"recarga/internal/queue/link"
	"recarga/tasks"
)

// Embedded is the URL of the Redis that lives in this process and dies with it.
const Embedded = "embedded"

// Queue is an open Redis with asynq's client and inspector on it.
type Queue struct {
	options redis.UniversalOptions
	// embedded is nil for a Redis that was given.
	embedded *miniredis.Miniredis
	// background ends with stop, and with it what runs beside, which Close waits for.
	background context.Context
	stop       context.CancelFunc
	beside     sync.WaitGroup

	// Four clients, so that none can starve another of connections: asynq renews the leases of running tasks over the
	// servers' one, and a wait for news takes one of block's. The first three send scripts together, so that each needs
	// one connection most of the time.
	enqueue, serve, rest, block redis.UniversalClient

	// leads reports whether this process leads.
	leads func() bool
	// starting starts what all servers share, with the relay.
	starting sync.Once
	relay    *link.Relay // nil before

	// maps are those of a Redis Cluster.
	maps clusterMaps

	client    *asynq.Client
	inspector *asynq.Inspector
	// wake has the waker of each queue, by its name.
	wake   map[string]*waker
	due    dueTasks
	outage outage
	log    *slog.Logger
	tracer trace.Tracer
	// nonce is part of the ids that this process alone gives to tasks.
	nonce string
	// onRejected is called for everything that is rejected, with its kind.
	onRejected func(kind string)
}

// serverConnections is the pool of the client that asynq's servers share. Each needs a connection a
// running task to acknowledge it, and some for leases and questions.
const serverConnections = 256

// Open connects to Redis and refuses one that may drop tasks on its own. The url is "embedded" or one of those of
// docs/redis.md.
func Open(ctx context.Context, rawURL string, log *slog.Logger) (*Queue, error) {
	q, err := OpenUnchecked(ctx, rawURL, log)
	if err != nil {
		return nil, err
	}
	if err := q.Check(ctx); err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}

// OpenUnchecked is Open for a process that can do without Redis: it does not ask for one, which Check does.
func OpenUnchecked(ctx context.Context, rawURL string, log *slog.Logger) (*Queue, error) {
	q := &Queue{log: log, tracer: otel.Tracer("recarga/internal/queue"), nonce: uuid.NewString(),
		onRejected: func(string) {}, outage: outage{begun: make(chan struct{}, 1)}, leads: func() bool { return true },
		due: dueTasks{sooner: make(chan struct{}, 1)}}
	background, stop := context.WithCancel(context.Background())
	q.background, q.stop = background, stop
	if err := q.connect(background, rawURL); err != nil {
		stop()
		return nil, err
	}
	q.client = asynq.NewClientFromRedisClient(q.enqueue)
	q.inspector = asynq.NewInspectorFromRedisClient(q.rest)
	q.startWakers(background)
	go q.runDue(background)
	go q.outage.watch(background, func() error {
		return q.enqueue.Exists(background, "asynq:{"+tasks.QueueTopups+"}:paused").Err()
	})
	if err := q.hasten(ctx); err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}

func (q *Queue) connect(background context.Context, rawURL string) error {
	if rawURL == Embedded {
		if err := q.embed(background); err != nil {
			return err
		}
	} else {
		options, err := ParseURL(rawURL)
		if err != nil {
			return err
		}
		q.options = *options
	}
	q.enqueue = q.newClient(func(o *redis.UniversalOptions) {
		// A checkout waits for it, and the sweep enqueues again what fails.
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.MaxRetries = enqueueTimeout, enqueueTimeout, enqueueTimeout, 1
		o.PoolSize, o.MaxIdleConns = 32, 1
	})
	q.serve = q.newClient(func(o *redis.UniversalOptions) {
		// A lost answer to a dequeue must not pop a second task silently: no retries.
		o.MaxRetries = -1
		o.PoolSize, o.MaxIdleConns = serverConnections, 1
	})
	q.rest = q.newClient(func(o *redis.UniversalOptions) { o.MaxIdleConns = 1 })
	q.block = q.newClient(func(o *redis.UniversalOptions) { o.MaxRetries = -1 }) // a token of a lost answer is lost
	return nil
}

// hasten makes asynq's scripts cheaper. It comes last: a hook that is added later is nearer to Redis.
func (q *Queue) hasten(ctx context.Context) error {
	if q.embedded == nil {
		q.serve.AddHook(newLeaderHook(q))
		q.enqueue.AddHook(link.Together(q.enqueue, enqueueTimeout))
		q.serve.AddHook(link.Together(q.serve, serveTimeout))
		q.rest.AddHook(link.Together(q.rest, restTimeout))
		for _, client := range []redis.UniversalClient{q.enqueue, q.serve, q.rest} {
			q.maps.add(client, clusterTimeout)
		}
		q.maps.add(q.block, blockFor+clusterTimeout)
		return nil
	}
	n, err := link.Native(ctx, q.embedded, q.rest)
	if err == nil {
		q.enqueue.AddHook(n)
		q.serve.AddHook(n)
	}
	return err
}

// embed starts a Redis in this process. Its clock moves only when it is moved, and without that nothing ever expires.
func (q *Queue) embed(background context.Context) error {
	server, err := miniredis.Run()
	if err != nil {
		return fmt.Errorf("embedded redis: %w", err)
	}
	q.embedded = server
	// It listens on loopback: without a password any local program could place orders.
	password := uuid.NewString()
	server.RequireAuth(password)
	q.options = redis.UniversalOptions{Addrs: []string{server.Addr()}, Password: password}
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-background.Done():
				return
			case <-tick.C:
				server.FastForward(time.Second)
			}
		}
	}()
	return nil
}

func (q *Queue) newClient(tune func(*redis.UniversalOptions)) redis.UniversalClient {
	options := q.options
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true // one round trip less a connection, and old servers refuse it
	options.PipelinePoolSize = -1  // pipelines need no connections of their own
	if options.IsClusterMode {
		hastenFailover(&options)
	}
	tune(&options)
	return redis.NewUniversalClient(&options)
}

// IsEmbedded reports whether the queue lives in this process alone.
func (q *Queue) IsEmbedded() bool { return q.embedded != nil }

// Redis is a client for uses beside the queue, such as the token that all workers share.
func (q *Queue) Redis() redis.UniversalClient { return q.rest }

// Takes tries what a worker needs, a script and a write for each kind of key and a message, and says what fails. A
// Redis that is full, a replica, and one whose user has too few rights answer and take nothing.
func (q *Queue) Takes(ctx context.Context) error {
	const script = `redis.call("SET", KEYS[1], "1", "EX", ARGV[1]) return redis.call("GET", KEYS[1])`
	tries := map[string]redis.Cmder{}
	pipe := q.rest.Pipeline()
	for _, key := range []string{"asynq:asked", "recarga:asked"} {
		tries["a script that writes "+key] = pipe.Eval(ctx, script, []string{key}, askedFor)
	}
	for _, queue := range ourQueues() {
		key := "asynq:{" + queue + "}:asked"
		tries["a script that writes "+key] = pipe.Eval(ctx, script, []string{key}, askedFor)
	}
	tries["a message in "+askedChannel] = pipe.Publish(ctx, askedChannel, "")
	_, err := pipe.Exec(ctx)
	for _, what := range slices.Sorted(maps.Keys(tries)) {
		if err := tries[what].Err(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return err
}

const (
	// askedFor is how long the keys of Takes live, in seconds.
	askedFor = 60
	// askedChannel is one that nobody listens to.
	askedChannel = "recarga:asked"
)

// Close closes all connections. Servers must have been shut down before: asynq's subscriber panics
// on a closed client.
func (q *Queue) Close() error {
	q.stop()
	err := q.block.Close() // ends waits for tokens
	q.beside.Wait()
	err = errors.Join(err, q.enqueue.Close(), q.serve.Close(), q.rest.Close())
	if q.relay != nil {
		err = errors.Join(err, q.relay.Close())
	}
	if q.embedded != nil {
		q.embedded.Close()
	}
	return err
}

// mostSkew is what asynq's leases bear: they are written and read by the clocks of the workers.
const mostSkew = 30 * time.Second

// Check asks every master for the one setting that makes Redis drop tasks by itself, and for the time. What a Redis
// does not say (many hosted ones permit neither CONFIG nor INFO) is logged.
func (q *Queue) Check(ctx context.Context) error {
	if err := q.rest.Ping(ctx).Err(); err != nil {
		if protected := Protected(ctx, &q.options); protected != nil {
			return protected
		}
		return &silentError{strings.Join(q.options.Addrs, ","), err}
	}
	if q.embedded != nil {
		return nil
	}
	switch now, err := q.rest.Time(ctx).Result(); {
	case err != nil:
		q.log.Warn("redis does not say its time; make sure that the clocks of all workers agree within a second",
			"error", err)
	case time.Since(now).Abs() > mostSkew:
		return fmt.Errorf("the clocks of this machine and of redis at %s differ by %s, "+
			"so that tasks under way seem abandoned; must be less than %s (timedatectl set-ntp true, on both)",
			strings.Join(q.options.Addrs, ","), time.Since(now).Abs().Round(time.Second), mostSkew)
	}
	if cluster, ok := q.rest.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			return q.checkPolicy(ctx, master, master.Options().Addr)
		})
	}
	return q.checkPolicy(ctx, q.rest, strings.Join(q.options.Addrs, ","))
}

func (q *Queue) checkPolicy(ctx context.Context, server redis.Cmdable, addr string) error {
	switch policy, err := EvictionPolicy(ctx, server); policy {
	case "noeviction":
	case "":
		q.log.Warn("redis does not say its eviction policy; make sure that it is noeviction", "server", addr, "error", err)
	default:
		return fmt.Errorf("redis at %s has maxmemory-policy %q, which drops queued tasks when memory is short; "+
			"must be noeviction (CONFIG SET maxmemory-policy noeviction)", addr, policy)
	}
	return nil
}

// EvictionPolicy is what a server drops when its memory is full. It is empty where neither CONFIG nor INFO says it,
// with the reason.
func EvictionPolicy(ctx context.Context, server redis.Cmdable) (string, error) {
	const setting = "maxmemory-policy"
	if got, err := server.ConfigGet(ctx, setting).Result(); err == nil && got[setting] != "" {
		return got[setting], nil
	}
	memory, err := server.InfoMap(ctx, "memory").Result()
	policy := memory["Memory"]["maxmemory_policy"]
	if err == nil && policy == "" {
		err = errors.New("INFO has no maxmemory_policy")
	}
	return policy, err
}

// Unavailable reports whether a Redis that Open could not use may be there later by itself: it does not answer
// yet, loads its data, or has no connection left. Anything else, such as a wrong password or an unsafe
// setting, somebody must fix.
func Unavailable(err error) bool {
	var silent *silentError
	if !errors.As(err, &silent) || wrongTLS(err) {
		return false
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		return true
	}
	return slices.ContainsFunc([]string{"LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "MISCONF",
		"ERR max number of clients reached"}, func(passing string) bool { return strings.HasPrefix(reply.Error(), passing) })
}

// wrongTLS reports whether the two ends do not agree on TLS, or one does not accept the other's certificate.
func wrongTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var alert *net.OpError // what the other end says, whose type crypto/tls keeps to itself
	var plain tls.RecordHeaderError
	return errors.As(err, &certificate) || errors.As(err, &alert) && alert.Op == "remote error" || errors.As(err, &plain)
}

// silentError: Redis did not answer a PING as it should.
type silentError struct {
	// addrs are those of Redis, separated by commas.
	addrs string
	err   error
}

func (e *silentError) Error() string {
	return fmt.Sprintf("redis at %s does not answer: %v", e.addrs, e.err)
}

func (e *silentError) Unwrap() error { return e.err }

// Silence keeps the Redis library from writing lines of its own form to standard error, for the whole
// process: what it says of failed connections, whoever needed one says as well.
func Silence() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
