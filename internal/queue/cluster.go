package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"recarga/internal/queue/link"
)

// clusterTimeout is how long a command to a Redis Cluster may take, with what it takes to connect and to be sent to
// another server.
const clusterTimeout = 600 * time.Millisecond

// hastenFailover has a client give a silent server up soon: until then it does not ask which one has the keys now, and
// whatever waits for it waits for as long. A connection that is refused is not tried again either, but elsewhere.
func hastenFailover(o *redis.UniversalOptions) {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = clusterTimeout, clusterTimeout, clusterTimeout
	o.DialerRetries, o.MaxRetries, o.MaxRedirects = 1, -1, 1
}

// clusterMaps are the clients of one Redis Cluster, each with a map of which server has which keys.
type clusterMaps struct {
	mu      sync.Mutex
	clients []*redis.ClusterClient
}

// add comes behind all other hooks of a client: a hook that is added later is nearer to Redis. It does nothing to a
// client of another kind. No command takes longer than the limit.
func (m *clusterMaps) add(client redis.UniversalClient, limit time.Duration) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clients = append(m.clients, cluster)
	cluster.AddHook(&mapped{maps: m, limit: limit})
}

// reload has all of them read their maps anew, as often as it is called at once.
func (m *clusterMaps) reload(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.clients {
		c.ReloadState(ctx)
	}
}

// mapped is a hook that has a Redis Cluster's clients read anew which server has which keys, whenever one has not
// answered. By itself a client does so once a minute, or when a server says that the keys have moved; one that has
// died says nothing.
type mapped struct {
	link.NoHook
	maps *clusterMaps
	// limit bounds each command and pipeline.
	limit time.Duration
}

func (m *mapped) note(ctx context.Context, err error) {
	var reply redis.Error
	if err != nil && !errors.As(err, &reply) {
		m.maps.reload(ctx)
	}
}

// ProcessHook implements redis.Hook.
func (m *mapped) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		ctx, cancel := context.WithTimeout(ctx, m.limit)
		defer cancel()
		err := next(ctx, cmd)
		m.note(ctx, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (m *mapped) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		ctx, cancel := context.WithTimeout(ctx, m.limit)
		defer cancel()
		onceEach := make([]redis.Cmder, len(cmds))
		for i, cmd := range cmds {
			onceEach[i] = once{cmd}
		}
		err := next(ctx, onceEach)
		m.note(ctx, err)
		return err
	}
}

// once is a command that is not sent again once it may have been carried out. When the first command of a pipeline
// gets no answer, or TRYAGAIN, which a slot answers that moves, go-redis would send all of them again: what has been
// carried out a second time, and what was redirected to two servers at once.
type once struct{ redis.Cmder }

// NoRetry implements redis.Cmder. A command whose keys have moved follows them all the same.
func (once) NoRetry() bool { return true }
