package e2e

import (
	"slices"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"recarga/internal/queue"
	"recarga/internal/testkit"
)

// TestFailover: while orders flow, the master that has their queue dies, or answers no more, and a replica takes over.
// Purchases go on soon after that; every order is accepted, ends, and is charged once.
func TestFailover(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for _, group := range []struct {
		name  string
		start func(testing.TB) *testkit.RedisGroup
	}{
		{"Redis Cluster", testkit.Cluster}, {"Sentinel", testkit.Sentinel},
		{"Sentinel with TLS, passwords and least rights", func(tb testing.TB) *testkit.RedisGroup {
			return testkit.GuardedSentinel(tb, testkit.NewAuthority(tb), queue.RightsRules(false), queue.SentinelRules())
		}},
	} {
		for name, fault := range map[string]func(*testkit.RedisServer){
			"killed": func(s *testkit.RedisServer) { s.Kill() }, "silent": (*testkit.RedisServer).Pause,
		} {
			t.Run(group.name+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil)
				servers := group.start(t)
				w.env["RECARGA_REDIS_URL"] = servers.URL
				api := w.start(t, "api")
				w.start(t, "worker")
				trial := w.trial(t, api)
				master := servers.Servers[masterOf(t, servers, "asynq:{topups}:pending")]
				fault(master)
				began := time.Now()
				tookOver(t, servers, master)
				over := time.Now()
				trial.buysOn()
				t.Logf("the replica takes over after %s; the next order is bought %s later",
					over.Sub(began).Round(time.Millisecond), time.Since(over).Round(time.Millisecond))
				trial.report(group.name + ", the master " + name)
			})
		}
	}
}

// TestReshard: while orders flow, every slot that has keys moves from one master of a Redis Cluster to the next, with
// its keys one after the other, three times.
func TestReshard(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	cluster := testkit.Cluster(t)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DISTRIBUTOR_RATE"] = cluster.URL, "100/s"
	api := w.start(t, "api")
	w.start(t, "worker")
	trial := w.trial(t, api)
	moved := 0
	for range 3 {
		moved += cluster.Reshard(t)
		trial.buysOn()
	}
	t.Logf("%d keys moved", moved)
	trial.report("Redis Cluster, its slots moved while they are used")
}

// masterOf is the place among a group's servers of the one that takes a key.
func masterOf(t *testing.T, g *testkit.RedisGroup, key string) int {
	t.Helper()
	for i, s := range g.Servers {
		if accepts(t, g, s, key) {
			return i
		}
	}
	t.Fatalf("nobody takes %s", key)
	return 0
}

func accepts(t *testing.T, g *testkit.RedisGroup, s *testkit.RedisServer, key string) bool {
	t.Helper()
	options := g.Options(s)
	options.DialerRetries = 1
	client := goredis.NewClient(options)
	defer func() { _ = client.Close() }()
	return client.Eval(t.Context(), `return redis.call("DEL", KEYS[1])`, []string{key + ":trial"}).Err() == nil
}

// tookOver waits until another server takes the keys of the master that has failed.
func tookOver(t *testing.T, g *testkit.RedisGroup, failed *testkit.RedisServer) {
	t.Helper()
	others := slices.DeleteFunc(slices.Clone(g.Servers), func(s *testkit.RedisServer) bool { return s == failed })
	testkit.Eventually(t, patience, func() bool {
		return slices.ContainsFunc(others, func(s *testkit.RedisServer) bool { return accepts(t, g, s, "asynq:{topups}:pending") })
	}, "a replica takes over")
}
