package hazards

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/internal/queue"
	"recarga/tasks"
)

// TestHazard04DoneRefused: Redis refuses the removal of a task that has been done. asynq says that it
// will try again, which it cannot, and after a while runs the task again.
func TestHazard04DoneRefused(t *testing.T) {
	both(t, func(w *world) {
		var well atomic.Bool
		p := newProxy(t, w.Redis, func(command []string) fate {
			if isDone(command) && !well.Load() {
				return refuse
			}
			return pass
		})
		s := w.setup
		s.Redis = p.addr
		first := w.start(s)
		w.place("ORD-1", ordinary, w.Redis)
		w.wait(p.hit, "Redis answers so")
		well.Store(true)
		first.stop() // asynq's last chance to try again
		w.expireLeases()
		w.start(w.setup)
		w.twice("ORD-1")
	})
}

// TestHazard09EnqueueAnswerLost: Redis has the task, its answer is lost, and the client asks again by
// itself: the id is taken. A checkout that takes that for a failure enqueues the order again.
func TestHazard09EnqueueAnswerLost(t *testing.T) {
	both(t, func(w *world) {
		p := newProxy(t, w.Redis, ruleIf(isEnqueue, lose))
		w.place("ORD-1", ordinary, p.addr)
		w.wait(p.hit, "Redis answers so")
		w.start(w.setup)
		w.twice("ORD-1")
	})
}

// TestHazard10DequeueAnswerLost: the task is active and no worker has it. With MaxRetry(0), which is
// said to mean "at most once", asynq archives it without having run it, and says nothing.
func TestHazard10DequeueAnswerLost(t *testing.T) {
	both(t, func(w *world) {
		p := newProxy(t, w.Redis, ruleIf(isDequeue, lose))
		s := w.setup
		s.Redis = p.addr
		w.place("ORD-1", ordinary, w.Redis, asynq.MaxRetry(0), asynq.TaskID("ORD-1"))
		first := w.start(s)
		w.wait(p.hit, "Redis answers so")
		first.stop()
		w.lost("ORD-1", "ORD-1", func() bool {
			return w.rdb.ZScore(w.Context(), key("archived"), "ORD-1").Err() == nil
		})
	})
}

// TestHazard19HashDeleted: somebody deletes the hash of a waiting task, or Redis evicts it.
func TestHazard19HashDeleted(t *testing.T) {
	both(t, func(w *world) {
		w.place("ORD-1", ordinary, w.Redis, asynq.TaskID("ORD-1"))
		w.must(w.rdb.Del(w.Context(), key("t:ORD-1")).Err())
		first := w.start(w.setup)
		taken := func() bool { return w.isActive("ORD-1") || w.Ours && w.charges("ORD-1") > 0 }
		w.eventually(taken, "a worker takes the task")
		first.stop()
		w.watched()
		w.lost("ORD-1", "ORD-1", func() bool { return w.isActive("ORD-1") })
	})
}

// TestHazard20ActiveWithoutLease: nothing in asynq searches for such a task, and no command of its
// inspector takes it.
func TestHazard20ActiveWithoutLease(t *testing.T) {
	both(t, func(w *world) {
		w.place("ORD-1", ordinary, w.Redis, asynq.TaskID("ORD-1"))
		w.take(false)
		inspector := asynq.NewInspectorFromRedisClient(w.rdb)
		for name, try := range map[string]func(queue, id string) error{
			"run": inspector.RunTask, "archive": inspector.ArchiveTask, "delete": inspector.DeleteTask,
		} {
			if try(tasks.QueueTopups, "ORD-1") == nil {
				t.Errorf("asynq's inspector can %s it", name)
			}
		}
		w.watched()
		w.lost("ORD-1", "ORD-1", func() bool { return w.isActive("ORD-1") })
	})
}

func (w *world) isActive(task string) bool {
	w.Helper()
	ids, err := w.rdb.LRange(w.Context(), key("active"), 0, -1).Result()
	w.must(err)
	return slices.Contains(ids, task)
}

// watched does what our workers' watch does within two minutes. A plain worker has none.
func (w *world) watched() {
	w.Helper()
	if !w.Ours {
		return
	}
	q, err := queue.Open(w.Context(), "redis://"+w.Redis, quiet)
	w.must(err)
	defer func() { w.must(q.Close()) }()
	w.expireLeases()
	for range 2 {
		_, err := q.Watch(w.Context())
		w.must(err)
		// The next watch is a minute later.
		seen := redis.Z{Score: longAgo(), Member: "ORD-1"}
		w.must(w.rdb.ZAddXX(w.Context(), "recarga:{topups}:strays", seen).Err())
	}
}
