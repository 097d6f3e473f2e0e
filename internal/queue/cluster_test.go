package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestClusterFailover: one master after another dies, or answers no more, and its replica takes over. Whatever the
// cluster takes again, is enqueued and bought soon, not when the queue's client reads the cluster's map by itself, once
// a minute.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ begin, end func(*testkit.RedisServer) }{
		"killed": {func(s *testkit.RedisServer) { s.Kill() }, func(s *testkit.RedisServer) { s.Start() }},
		"silent": {(*testkit.RedisServer).Pause, (*testkit.RedisServer).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := testkit.Cluster(t)
			q := open(t, cluster.URL)
			served, handler := recorded(done)
			serve(t, q, handler)
			passes(t, q, served, "BEFORE")
			masters := cluster.Servers[:len(cluster.Servers)/2]
			for i, master := range masters { // one of them has the orders' queue
				fault.begin(master)
				tookOver(t, cluster.Servers[len(masters)+i])
				began := time.Now()
				passes(t, q, served, topup.ID(fmt.Sprintf("AFTER-%d", i)))
				t.Logf("master %d: an order is bought %s after its replica has taken over", i,
					time.Since(began).Round(time.Millisecond))
				fault.end(master)
			}
		})
	}
}

// passes enqueues an order until the queue takes it, and waits until it is served.
func passes(t *testing.T, q *queue.Queue, served <-chan run, id topup.ID) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool {
		return q.EnqueueOrder(t.Context(), request(id), time.Time{}) == nil
	}, "%s is enqueued", id)
	for {
		if next(t, served).id == string(id) {
			return
		}
	}
}

// tookOver waits until a replica has become a master that its cluster agrees with.
func tookOver(t *testing.T, replica *testkit.RedisServer) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: replica.Addr(), MaxRetries: -1})
	defer func() { _ = client.Close() }()
	testkit.Eventually(t, testkit.Patience, func() bool {
		role, err := client.Do(t.Context(), "ROLE").Slice()
		info, infoErr := client.ClusterInfo(t.Context()).Result()
		return err == nil && infoErr == nil && role[0] == "master" && len(info) > len(stateOK) && info[:len(stateOK)] == stateOK
	}, "the replica takes over")
}

const stateOK = "cluster_state:ok"

// TestNothingIsSentTwice: a slot that moves answers the first command of a pipeline with TRYAGAIN. What stands behind
// it was carried out, and is not sent again.
func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	cluster := miniredis.RunT(t)
	cluster.Server().SetPreHook(func(c *server.Peer, cmd string, args ...string) bool {
		moving := cmd == "SET" && args[0] == "moving"
		if moving {
			c.WriteError("TRYAGAIN Multiple keys request during rehashing of slot")
		}
		return moving
	})
	client := open(t, "redis-cluster://"+cluster.Addr()).Redis()
	pipe := client.Pipeline()
	first, second := pipe.Set(t.Context(), "moving", "1", 0), pipe.Incr(t.Context(), "stays")
	_, _ = pipe.Exec(t.Context()) // each has an error of its own
	if first.Err() == nil || second.Err() != nil || second.Val() != 1 {
		t.Errorf("%v, %v: want an error, and one run of what stays", first, second)
	}
	tx := client.TxPipeline()
	second = tx.Incr(t.Context(), "stays")
	if _, err := tx.Exec(t.Context()); err != nil || second.Val() != 2 {
		t.Errorf("a transaction: %v, %v", second, err)
	}
}
