//go:build unix

package testkit

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestRedisGroups: the servers of a group take over from each other when one is killed, and one that was killed joins
// them again.
func TestRedisGroups(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *RedisGroup{"sentinel": Sentinel, "cluster": Cluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t)
			// write uses a new client each time: an old one may still ask a server that has died.
			write := func() bool {
				client := redis.NewUniversalClient(&g.client)
				defer func() { _ = client.Close() }()
				for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
					if client.Set(t.Context(), key, "1", time.Minute).Err() != nil {
						return false
					}
				}
				return true
			}
			if !write() {
				t.Fatal("a new group does not take writes")
			}
			for _, s := range []*RedisServer{g.Servers[0], g.Servers[len(g.Servers)/2]} {
				s.Kill()
				Eventually(t, Patience, write, "another takes over")
				s.Start()
				Eventually(t, Patience, g.complete, "all have their replica again")
			}
		})
	}
}
