package queue_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
)

// onBoth runs a test on the embedded Redis and on a real one.
func onBoth(t *testing.T, test func(*testing.T, *queue.Queue)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, open(t, queue.Embedded)) })
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, open(t, testkit.Redis(t).URL())) })
}

func watch(t *testing.T, q *queue.Queue) queue.QueueHealth {
	t.Helper()
	h, err := q.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Queues[tasks.QueueTopups]
}

// active makes a task that some worker took and, with a lease that ended so long ago, never finished.
// A negative age gives it no lease at all.
func active(t *testing.T, q *queue.Queue, leaseEnded time.Duration) {
	t.Helper()
	ctx, rdb := t.Context(), q.Redis()
	persist(t, func() error { return q.EnqueueOrder(ctx, request("ORD-1"), time.Time{}) })
	must(t, rdb.RPopLPush(ctx, "asynq:{topups}:pending", "asynq:{topups}:active").Err())
	must(t, rdb.HSet(ctx, "asynq:{topups}:t:ORD-1", "state", "active").Err())
	if leaseEnded >= 0 {
		must(t, rdb.ZAdd(ctx, "asynq:{topups}:lease", redis.Z{Score: ago(leaseEnded), Member: "ORD-1"}).Err())
	}
}

func ago(d time.Duration) float64 { return float64(time.Now().Add(-d).Unix()) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWatchGivesALease: a task that is active without a lease is given one, a minute after it was
// first seen so, and the next server takes it back.
func TestWatchGivesALease(t *testing.T) {
	onBoth(t, func(t *testing.T, q *queue.Queue) {
		active(t, q, -1)
		for range 2 {
			if h := watch(t, q); h.ActiveWithoutLease != 1 || h.Repaired != (queue.Repairs{}) {
				t.Fatalf("at first %+v", h)
			}
		}
		seen := redis.Z{Score: ago(61 * time.Second), Member: "ORD-1"}
		must(t, q.Redis().ZAddXX(t.Context(), "recarga:{topups}:strays", seen).Err())
		if h := watch(t, q); h.ActiveWithoutLease != 0 || h.Repaired != (queue.Repairs{Leases: 1}) {
			t.Fatalf("a minute later %+v", h)
		}
		if h := watch(t, q); h.ActiveWithoutLease != 0 || h.Repaired != (queue.Repairs{}) {
			t.Fatalf("then %+v", h)
		}
		_, handler := recorded(done)
		serve(t, q, handler)
		takenBack := func() bool { return watch(t, q).Depth["retry"] == 1 }
		testkit.Eventually(t, 20*time.Second, takenBack, "the task is taken back")
	})
}

// TestWatchForgetsAStray: one that has got its lease back begins its minute anew.
func TestWatchForgetsAStray(t *testing.T) {
	q := open(t, queue.Embedded)
	active(t, q, -1)
	watch(t, q)
	must(t, q.Redis().ZAdd(t.Context(), "asynq:{topups}:lease", redis.Z{Score: ago(0), Member: "ORD-1"}).Err())
	if h := watch(t, q); h.ActiveWithoutLease != 0 {
		t.Errorf("with a lease %+v", h)
	}
	if n := q.Redis().Exists(t.Context(), "recarga:{topups}:strays").Val(); n != 0 {
		t.Error("it is still remembered as a stray")
	}
}

// TestWatchRemovesWhatVanished: a task whose message is gone blocks its id for ever, whether it had
// been taken when it was deleted, or is taken afterwards. A live lease is left to its worker.
func TestWatchRemovesWhatVanished(t *testing.T) {
	cases := []struct {
		name  string
		lease time.Duration
		gone  bool
	}{{"without a lease", -1, true}, {"with a lease long ended", 2 * time.Minute, true}, {"with a live lease", 0, false}}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, q *queue.Queue) {
				active(t, q, c.lease)
				must(t, q.Redis().HDel(t.Context(), "asynq:{topups}:t:ORD-1", "msg").Err())
				h := watch(t, q)
				if gone := h.Repaired.Vanished == 1; gone != c.gone || watch(t, q).Depth["active"] == 0 != c.gone {
					t.Fatalf("%+v, want it gone: %v", h, c.gone)
				}
				if free := q.Redis().Exists(t.Context(), "asynq:{topups}:t:ORD-1").Val() == 0; free != c.gone {
					t.Errorf("its id is free: %v", free)
				}
			})
		})
	}
}

// TestWatchQuarantines: a message that cannot be decoded keeps every server from taking back other
// tasks. It is moved aside, and they are taken back.
func TestWatchQuarantines(t *testing.T) {
	onBoth(t, func(t *testing.T, q *queue.Queue) {
		active(t, q, 2*time.Minute)
		ctx, rdb := t.Context(), q.Redis()
		must(t, rdb.HSet(ctx, "asynq:{topups}:t:BAD", "msg", "not a message", "state", "active").Err())
		must(t, rdb.LPush(ctx, "asynq:{topups}:active", "BAD").Err())
		must(t, rdb.ZAdd(ctx, "asynq:{topups}:lease", redis.Z{Score: ago(2 * time.Minute), Member: "BAD"}).Err())
		h := watch(t, q)
		if h.OverdueLeases != 2 || h.Undecodable != 1 || h.Repaired != (queue.Repairs{Quarantined: 1}) {
			t.Fatalf("%+v", h)
		}
		kept := rdb.HGetAll(ctx, "recarga:{topups}:quarantine").Val()
		if !cmp.Equal(kept, map[string]string{"BAD": "not a message"}) {
			t.Errorf("kept %q", kept)
		}
		if h := watch(t, q); h.Undecodable != 1 || h.OverdueLeases != 1 || h.Repaired != (queue.Repairs{}) {
			t.Errorf("afterwards %+v", h)
		}
		_, handler := recorded(done)
		serve(t, q, handler)
		takenBack := func() bool { return watch(t, q).Depth["retry"] == 1 }
		testkit.Eventually(t, 20*time.Second, takenBack, "the other task is taken back")
	})
}

// TestWatchTrimsTheArchive: what is older than 60 days goes, in steps, and the rest stays.
func TestWatchTrimsTheArchive(t *testing.T) {
	onBoth(t, func(t *testing.T, q *queue.Queue) {
		const old = 150
		pipe := q.Redis().Pipeline()
		for i := range old + 1 {
			id, at := fmt.Sprintf("ORD-%d", i), ago(61*24*time.Hour)
			if i == old {
				at = ago(59 * 24 * time.Hour)
			}
			pipe.HSet(t.Context(), "asynq:{topups}:t:"+id, "state", "archived")
			pipe.ZAdd(t.Context(), "asynq:{topups}:archived", redis.Z{Score: at, Member: id})
		}
		_, err := pipe.Exec(t.Context())
		must(t, err)
		deleted := 0
		for range 3 {
			deleted += watch(t, q).Repaired.Archived
		}
		left := q.Redis().Keys(t.Context(), "asynq:{topups}:t:*").Val()
		if deleted != old || len(left) != 1 || watch(t, q).Depth["archived"] != 1 {
			t.Errorf("deleted %d, left %v", deleted, left)
		}
	})
}

// TestWatchReports: depths, ages, servers, a pause and the clock.
func TestWatchReports(t *testing.T) {
	onBoth(t, func(t *testing.T, q *queue.Queue) {
		h, err := q.Watch(t.Context())
		must(t, err)
		want := "queue topups is served by nobody; queue webhooks is served by nobody"
		if strings.Join(h.Alarms(), "; ") != want {
			t.Errorf("alarms %q, want %q", h.Alarms(), want)
		}
		if h.Skew.Abs() > time.Second {
			t.Errorf("skew %s on one machine", h.Skew)
		}
		persist(t, func() error { return q.EnqueueOrder(t.Context(), request("NOW"), time.Time{}) })
		persist(t, func() error { return q.EnqueueOrder(t.Context(), request("LATER"), time.Now().Add(time.Hour)) })
		must(t, asynq.NewInspectorFromRedisClient(q.Redis()).PauseQueue(tasks.QueueTopups))
		_, handler := recorded(done)
		serve(t, q, handler)
		testkit.Eventually(t, 20*time.Second, func() bool { return watch(t, q).Servers == 2 }, "both servers are seen")
		h, err = q.Watch(t.Context())
		must(t, err)
		got := h.Queues[tasks.QueueTopups]
		depths := map[string]int{"pending": 1, "active": 0, "scheduled": 1, "retry": 0, "archived": 0, "completed": 0}
		if diff := cmp.Diff(depths, got.Depth); diff != "" {
			t.Errorf("depth: %s", diff)
		}
		if !got.Paused || got.OldestPending <= 0 || got.OldestPending > time.Minute {
			t.Errorf("%+v", got)
		}
		if want := "queue topups is paused; queue webhooks is served by nobody"; strings.Join(h.Alarms(), "; ") != want {
			t.Errorf("alarms %q, want %q", h.Alarms(), want)
		}
	})
}

// TestWatchByMany: many workers watching at once fix each thing once.
func TestWatchByMany(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	active(t, q, 2*time.Minute)
	must(t, q.Redis().HSet(t.Context(), "asynq:{topups}:t:ORD-1", "msg", "not a message").Err())
	repaired := make(chan int)
	for range 8 {
		go func() {
			h, err := q.Watch(context.Background())
			if err != nil {
				t.Error(err)
			}
			repaired <- h.Queues[tasks.QueueTopups].Repaired.Quarantined
		}()
	}
	total := 0
	for range 8 {
		total += <-repaired
	}
	if total != 1 {
		t.Errorf("quarantined %d times", total)
	}
}

// BenchmarkWatch is the cost of one watch of queues at work.
func BenchmarkWatch(b *testing.B) {
	for name, url := range map[string]func() string{
		"embedded": func() string { return queue.Embedded },
		"redis":    func() string { return testkit.Redis(b).URL() },
	} {
		b.Run(name, func(b *testing.B) {
			q := open(b, url())
			pipe := q.Redis().Pipeline()
			for i := range 128 {
				id := fmt.Sprintf("ORD-%d", i)
				pipe.HSet(b.Context(), "asynq:{topups}:t:"+id, "msg", "x", "state", "active")
				pipe.LPush(b.Context(), "asynq:{topups}:active", id)
				pipe.ZAdd(b.Context(), "asynq:{topups}:lease", redis.Z{Score: ago(-30 * time.Second), Member: id})
			}
			if _, err := pipe.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := q.Watch(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
