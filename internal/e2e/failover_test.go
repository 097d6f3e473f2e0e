package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// TestFailover: while orders are placed, the master that has their queue dies, or answers no more, and a replica takes
// over. Purchases go on soon after that; every order is accepted, ends, and is charged once.
func TestFailover(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for _, group := range []struct {
		name  string
		start func(testing.TB) *testkit.RedisGroup
	}{{"cluster", testkit.Cluster}, {"sentinel", testkit.Sentinel}} {
		for name, fault := range map[string]func(*testkit.RedisServer){
			"killed": func(s *testkit.RedisServer) { s.Kill() }, "silent": (*testkit.RedisServer).Pause,
		} {
			t.Run(group.name+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil)
				servers := group.start(t)
				w.env["RECARGA_REDIS_URL"] = servers.URL
				f := &failover{t: t, w: w, c: w.start(t, "api").client()}
				w.start(t, "worker")
				f.buysOn()
				master := servers.Servers[masterOf(t, servers, "asynq:{topups}:pending")]
				fault(master)
				began := time.Now()
				tookOver(t, servers, master)
				paused, over := time.Since(began), time.Now()
				f.buysOn()
				t.Logf("the replica takes over after %s; the next order is bought %s later",
					paused.Round(time.Millisecond), time.Since(over).Round(time.Millisecond))
				f.judge()
			})
		}
	}
}

// masterOf is the place among a group's servers of the one that takes a key.
func masterOf(t *testing.T, g *testkit.RedisGroup, key string) int {
	t.Helper()
	for i, s := range g.Servers {
		if accepts(t, s, key) {
			return i
		}
	}
	t.Fatalf("nobody takes %s", key)
	return 0
}

func accepts(t *testing.T, s *testkit.RedisServer, key string) bool {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer func() { _ = client.Close() }()
	return client.Eval(t.Context(), `return redis.call("DEL", KEYS[1])`, []string{key + ":trial"}).Err() == nil
}

// tookOver waits until another server takes the keys of the master that has failed.
func tookOver(t *testing.T, g *testkit.RedisGroup, failed *testkit.RedisServer) {
	t.Helper()
	others := slices.DeleteFunc(slices.Clone(g.Servers), func(s *testkit.RedisServer) bool { return s == failed })
	testkit.Eventually(t, patience, func() bool {
		return slices.ContainsFunc(others, func(s *testkit.RedisServer) bool { return accepts(t, s, "asynq:{topups}:pending") })
	}, "a replica takes over")
}

// failover places orders all the while.
type failover struct {
	t      *testing.T
	w      *world
	c      *producer.Client
	placed []topup.ID
}

// buysOn places orders until one of them is bought.
func (f *failover) buysOn() {
	f.t.Helper()
	from := len(f.placed)
	testkit.Eventually(f.t, patience, func() bool {
		o := place(f.t, f.c, order(fmt.Sprintf("FAIL-%04d", len(f.placed)), phoneOf(len(f.placed))))
		f.placed = append(f.placed, o.ID)
		charges := f.w.charges()
		return slices.ContainsFunc(f.placed[from:], func(id topup.ID) bool { return charges[id] > 0 })
	}, "an order is bought")
}

func (f *failover) judge() {
	f.t.Helper()
	for _, id := range f.placed {
		o := settled(f.t, f.c, id)
		judge(f.t, o, f.w.charges()[id])
		f.w.notified(f.t, o)
		if o.State != topup.StateSucceeded {
			f.t.Errorf("%s is %s: %s", id, o.State, o.Reason)
		}
	}
	f.t.Logf("%d orders were placed", len(f.placed))
}
