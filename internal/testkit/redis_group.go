//go:build unix

package testkit

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"recarga/internal/servers"
)

// RedisGroup is several redis-servers that stand in for each other. A test may kill and start any of them.
type RedisGroup struct {
	// Servers hold data.
	Servers []*RedisServer
	// URL names them all, as RECARGA_REDIS_URL does.
	URL string
	// client says how a client finds whoever serves now.
	client redis.UniversalOptions
}

// Client finds whoever serves now, until the test ends.
func (g *RedisGroup) Client(tb testing.TB) redis.UniversalClient {
	tb.Helper()
	client := redis.NewUniversalClient(&g.client)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// User makes a user of every server, who may do what the rules of ACL SETUSER say, and returns a URL for it.
func (g *RedisGroup) User(tb testing.TB, rules ...string) (url string) {
	tb.Helper()
	for _, s := range g.Servers {
		s.User(tb, rules...)
	}
	return strings.Replace(g.URL, "://", "://guest:guest-secret@", 1)
}

// Sentinel starts a primary, its replica, and the Sentinel that lets one take over from the other.
func Sentinel(tb testing.TB) *RedisGroup {
	tb.Helper()
	return sentinel(tb, guard{})
}

// GuardedSentinel is Sentinel where everything speaks TLS alone, with the files of an Authority, and asks for a user
// and a password: the servers for one who may do what these rules of ACL SETUSER say, the Sentinel for another one.
func GuardedSentinel(tb testing.TB, authority *Authority, serverRules, sentinelRules []string) *RedisGroup {
	tb.Helper()
	return sentinel(tb, guard{authority: authority, files: authority.Files(), password: "redis-secret",
		serverRules: serverRules, sentinelUser: "watcher", sentinelPassword: "sentinel-secret",
		sentinelRules: sentinelRules})
}

// guard is what a group of servers asks of its clients; its zero value is nothing.
type guard struct {
	authority *Authority
	files     *servers.TLSFiles
	// password is the servers' administrator's, and of replicas; serverRules are what the user guest of each may do.
	password    string
	serverRules []string
	// sentinelUser and sentinelPassword are the Sentinel's, and sentinelRules what that user may do.
	sentinelUser, sentinelPassword string
	sentinelRules                  []string
}

// sentinelAdmin is the name and the password of a guarded Sentinel's administrator.
const sentinelAdmin = "admin"

// serverArgs are those of a server that asks for the guard's password.
func (g guard) serverArgs() []string {
	args := []string{"--repl-diskless-sync-delay", "0"}
	if g.password != "" {
		args = append(args, "--requirepass", g.password, "--masterauth", g.password, "--user", "guest", "on",
			">guest-secret")
		args = append(args, g.serverRules...)
	}
	return args
}

// sentinelSettings are lines of the Sentinel's file.
func (g guard) sentinelSettings() []string {
	if g.password == "" {
		return nil
	}
	return []string{"sentinel auth-pass main " + g.password, "user default off",
		"user " + sentinelAdmin + " on >" + sentinelAdmin + " allchannels +@all",
		fmt.Sprintf("user %s on >%s %s", g.sentinelUser, g.sentinelPassword, strings.Join(g.sentinelRules, " "))}
}

func (g guard) tls() *tls.Config {
	if g.authority == nil {
		return nil
	}
	return &tls.Config{RootCAs: g.authority.Pool, MinVersion: tls.VersionTLS12}
}

// url names a Sentinel, as RECARGA_REDIS_URL does.
func (g guard) url(addr string) string {
	if g.authority == nil {
		return "redis-sentinel://" + addr + "/0?master=main"
	}
	return fmt.Sprintf("redis-sentinel://guest:guest-secret@%s/0?master=main&sentinel_user=%s&sentinel_password=%s"+
		"&tls=true&ca=%s", addr, g.sentinelUser, g.sentinelPassword, g.files.CA)
}

func sentinel(tb testing.TB, with guard) *RedisGroup {
	tb.Helper()
	primary := startRedis(tb, with.files, with.serverArgs())
	host, port, _ := net.SplitHostPort(primary.Addr())
	replica := startRedis(tb, with.files, append(with.serverArgs(), "--replicaof", host, port))
	server, err := servers.NewSentinel(host, port, with.files, with.sentinelSettings()...)
	if err != nil {
		tb.Fatal(err)
	}
	watcher := newServer(tb, server)
	admin := &redis.Options{Addr: watcher.Addr(), TLSConfig: with.tls()}
	if with.password != "" {
		admin.Username, admin.Password = sentinelAdmin, sentinelAdmin
	}
	client := redis.NewSentinelClient(admin)
	defer func() { _ = client.Close() }()
	// On a busy machine it must not take its own lateness for a fault of the clock, after which it does nothing for half
	// a minute. Releases before 7.0 do not know it.
	ctx := context.Background()
	_ = client.Process(ctx, redis.NewCmd(ctx, "SENTINEL", "DEBUG", "tilt-trigger", 60_000, "info-period", 1000))
	Eventually(tb, Patience, func() bool {
		known, err := client.Replicas(ctx, "main").Result()
		return err == nil && len(known) == 1
	}, "the sentinel knows the replica")
	g := &RedisGroup{
		Servers: []*RedisServer{primary, replica}, URL: with.url(watcher.Addr()),
		client: redis.UniversalOptions{Addrs: []string{watcher.Addr()}, MasterName: "main", TLSConfig: with.tls(),
			Password: with.password, SentinelUsername: with.sentinelUser, SentinelPassword: with.sentinelPassword},
	}
	Eventually(tb, Patience, g.complete, "the replica follows")
	return g
}

// Options are those of a client of one server, as its administrator.
func (g *RedisGroup) Options(s *RedisServer) *redis.Options {
	return &redis.Options{Addr: s.Addr(), MaxRetries: -1, TLSConfig: g.client.TLSConfig, Username: g.client.Username,
		Password: g.client.Password}
}

// complete reports whether every master has a replica that could take over.
func (g *RedisGroup) complete() bool {
	replicas := 0
	for _, s := range g.Servers {
		client := redis.NewClient(g.Options(s))
		if client.InfoMap(context.Background(), "replication").Item("Replication", "master_link_status") == "up" {
			replicas++
		}
		_ = client.Close()
	}
	return replicas == len(g.Servers)/2
}

// clusterMasters is how many masters a cluster needs at least.
const clusterMasters = 3

// Cluster starts a Redis Cluster of three masters, each with a replica.
func Cluster(tb testing.TB) *RedisGroup {
	tb.Helper()
	g := &RedisGroup{}
	var addrs, buses []string
	for range 2 * clusterMasters {
		bus := strconv.Itoa(FreePort(tb))
		s := Redis(tb, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", bus,
			"--repl-diskless-sync-delay", "0")
		g.Servers, addrs, buses = append(g.Servers, s), append(addrs, s.Addr()), append(buses, bus)
	}
	g.URL = "redis-cluster://" + strings.Join(addrs, ",")
	g.client = redis.UniversalOptions{Addrs: addrs, IsClusterMode: true}
	form(tb, addrs, buses)
	Eventually(tb, Patience, g.complete, "every master has its replica")
	return g
}

// form introduces the servers to each other, as `redis-cli --cluster create` does.
func form(tb testing.TB, addrs, buses []string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	ids, nodes := make([]string, len(addrs)), make([]*redis.Client, len(addrs))
	must := func(cmd redis.Cmder) {
		tb.Helper()
		if cmd.Err() != nil {
			tb.Fatal(cmd.Err())
		}
	}
	for i, addr := range addrs {
		nodes[i] = redis.NewClient(&redis.Options{Addr: addr})
		defer func() { _ = nodes[i].Close() }()
		id := nodes[i].ClusterMyID(ctx)
		must(id)
		ids[i] = id.Val()
	}
	const slots = 16384
	for i, addr := range addrs {
		host, port, _ := net.SplitHostPort(addr)
		must(nodes[0].Do(ctx, "CLUSTER", "MEET", host, port, buses[i]))
		if i < clusterMasters {
			must(nodes[i].ClusterAddSlotsRange(ctx, i*slots/clusterMasters, (i+1)*slots/clusterMasters-1))
		}
	}
	for i := clusterMasters; i < len(nodes); i++ {
		Eventually(tb, Patience, func() bool {
			return nodes[i].ClusterReplicate(ctx, ids[i-clusterMasters]).Err() == nil
		}, "a replica knows its master")
	}
	for _, node := range nodes {
		Eventually(tb, Patience, func() bool {
			info, _ := node.ClusterInfo(ctx).Result()
			known, _ := node.ClusterNodes(ctx).Result()
			return strings.Contains(info, "cluster_state:ok") && strings.Count(known, "slave") == clusterMasters
		}, "the cluster is formed")
	}
}

// Reshard moves every slot of a Cluster that has keys from its master to the next one, as `redis-cli --cluster
// reshard` does, but key by key. It returns how many keys it has moved.
func (g *RedisGroup) Reshard(tb testing.TB) (moved int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	masters := make([]master, clusterMasters)
	for i, s := range g.Servers[:clusterMasters] {
		client := redis.NewClient(g.Options(s))
		defer func() { _ = client.Close() }()
		masters[i] = master{Client: client, id: client.ClusterMyID(ctx).Val(), slots: map[int64]bool{}}
		for _, key := range client.Keys(ctx, "*").Val() {
			masters[i].slots[client.ClusterKeySlot(ctx, key).Val()] = true
		}
	}
	for i, from := range masters {
		for slot := range from.slots {
			n, err := from.move(ctx, slot, masters[(i+1)%clusterMasters], masters)
			if err != nil {
				tb.Fatalf("move slot %d: %v", slot, err)
			}
			moved += n
		}
	}
	return moved
}

// master is one of a Cluster, with the slots of which it has keys.
type master struct {
	*redis.Client
	id    string
	slots map[int64]bool
}

func (m master) move(ctx context.Context, slot int64, to master, all []master) (moved int, err error) {
	if err := to.Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", m.id).Err(); err != nil {
		return 0, err
	}
	if err := m.Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.id).Err(); err != nil {
		return 0, err
	}
	host, port, _ := net.SplitHostPort(to.Options().Addr)
	for {
		keys, err := m.ClusterGetKeysInSlot(ctx, int(slot), 1).Result()
		if err != nil {
			return moved, err
		}
		if len(keys) == 0 {
			break
		}
		if err := m.Migrate(ctx, host, port, keys[0], 0, 5*time.Second).Err(); err != nil {
			return moved, err
		}
		moved++
	}
	// The new owner first: until then the former one sends everybody to it.
	for _, one := range append([]master{to, m}, all...) {
		if err := one.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", to.id).Err(); err != nil {
			return moved, err
		}
	}
	return moved, nil
}
