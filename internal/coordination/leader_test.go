package coordination_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"recarga/internal/coordination"
	"recarga/internal/queue"
	"recarga/internal/testkit"
)

// member is one of the processes that share a lease.
type member struct {
	*coordination.LeaderLease
	queue    *queue.Queue
	rejected *counted
	leave    func() // in order
}

// die ends the process without a word: it can write nothing more.
func (m *member) die(t *testing.T) {
	must(t, m.queue.Close())
	m.leave()
}

func join(t *testing.T, url string) *member {
	t.Helper()
	q, err := queue.Open(t.Context(), url, quiet)
	must(t, err)
	m := &member{queue: q, rejected: &counted{kinds: map[string]int{}}}
	shared := coordination.Redis{Client: q.Redis(), Reject: m.rejected.reject}
	m.LeaderLease = shared.LeaderLease("demo-secret")
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	m.leave = func() { end(); running.Wait() }
	t.Cleanup(func() { m.leave(); _ = q.Close() })
	return m
}

// leader waits until one of them leads, and returns it.
func leader(t *testing.T, of []*member) (found *member) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool {
		leads := slices.DeleteFunc(slices.Clone(of), func(m *member) bool { return !m.Leads() })
		if len(leads) != 1 {
			return false
		}
		found = leads[0]
		return true
	}, "one leads")
	return found
}

func TestOneLeads(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t).URL()
	all := []*member{join(t, url), join(t, url), join(t, url)}
	for _, ends := range []func(*member){func(m *member) { m.die(t) }, func(m *member) { m.leave() }} {
		first := leader(t, all)
		ends(first)
		all = slices.DeleteFunc(all, func(m *member) bool { return m == first })
		leader(t, all)
	}
}

// TestLeaderWithoutRedis: whoever knows of no leader leads.
func TestLeaderWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := testkit.Redis(t)
	all := []*member{join(t, redis.URL()), join(t, redis.URL())}
	leader(t, all)
	redis.Pause()
	testkit.Eventually(t, testkit.Patience, func() bool { return all[0].Leads() && all[1].Leads() }, "both lead")
	redis.Resume()
	leader(t, all)
}

// inPlace makes a key anew by a command. In between, nobody writes it.
const inPlace = `redis.call("DEL", KEYS[1]); return redis.call(unpack(ARGV))`

// TestForgedLease: nobody who can write to Redis can have the workers rest, by what they write or by what they kept.
func TestForgedLease(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(old string) []string{
		"kept":               func(old string) []string { return []string{"SET", "recarga:leader", old} },
		"made up":            func(string) []string { return []string{"SET", "recarga:leader", "me"} },
		"of another type":    func(string) []string { return []string{"LPUSH", "recarga:leader", "me"} },
		"larger than it may": func(old string) []string { return []string{"SETRANGE", "recarga:leader", "4096", old} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := testkit.Redis(t)
			all := []*member{join(t, redis.URL()), join(t, redis.URL())}
			first := leader(t, all)
			old, _ := redis.Admin(t, "GET", "recarga:leader").(string)
			first.die(t)
			second := all[0]
			if second == first {
				second = all[1]
			}
			testkit.Eventually(t, testkit.Patience, func() bool {
				redis.Admin(t, append([]string{"EVAL", inPlace, "1", "recarga:leader"}, write(old)...)...)
				return second.Leads()
			}, "the other one leads")
		})
	}
}
