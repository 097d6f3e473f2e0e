package hazards

import (
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"recarga/tasks"
)

// TestHazard05CanceledHandlerRuns: somebody presses "cancel" in asynq's web page, which means "retry":
// asynq forgets the handler, which still runs.
func TestHazard05CanceledHandlerRuns(t *testing.T) {
	both(t, func(w *world) {
		w.start(w.setup)
		w.place("ORD-1", late, w.Redis)
		w.charged("ORD-1", 1)
		inspector := asynq.NewInspectorFromRedisClient(w.rdb)
		w.eventually(func() bool {
			running, err := inspector.ListActiveTasks(tasks.QueueTopups)
			w.must(err)
			for _, task := range running {
				w.must(inspector.CancelProcessing(task.ID))
			}
			return len(running) == 0
		}, "the task is canceled")
		w.twice("ORD-1")
	})
}

// TestHazard06ShutdownRequeues: a worker has to end and has less time than its purchase takes, as
// with asynq's 8 s and a distributor's two minutes. The task is given back while the handler runs.
func TestHazard06ShutdownRequeues(t *testing.T) {
	both(t, func(w *world) {
		hasty := w.setup
		hasty.ShutdownTimeout = 100 * time.Millisecond
		old := w.start(hasty)
		w.place("ORD-1", late, w.Redis)
		w.charged("ORD-1", 1)
		old.stop()
		w.start(w.setup)
		w.twice("ORD-1")
	})
}

// TestHazard07StaleRecoverer: two servers find the same lost task. The slower one takes it back from
// the quicker one, which is running it by then.
func TestHazard07StaleRecoverer(t *testing.T) {
	both(t, func(w *world) {
		w.place("ORD-1", late, w.Redis)
		w.take(true)
		held, release := make(chan struct{}, 10), make(chan struct{})
		slow := w.setup
		slow.Redis = newProxy(t, w.Redis, func(command []string) fate {
			if isRetry(command) {
				held <- struct{}{}
				<-release
			}
			return pass
		}).addr
		slow.RetryAtOnce = true
		w.start(slow)
		w.wait(held, "the slow server takes the task back")
		quick := w.setup
		quick.RetryAtOnce = true
		w.start(quick)
		w.charged("ORD-1", 1)
		close(release)
		w.twice("ORD-1")
	})
}

// TestHazard08LeaseNotRenewed: a worker is well and works, and its lease is not renewed any more (asynq
// can lose track of a task that came back into the same process). Another server takes it back.
func TestHazard08LeaseNotRenewed(t *testing.T) {
	both(t, func(w *world) {
		forgetful := w.setup
		forgetful.Redis = newProxy(t, w.Redis, ruleIf(isRenewal, refuse)).addr
		w.start(forgetful)
		w.place("ORD-1", late, w.Redis)
		w.charged("ORD-1", 1)
		w.expireLeases()
		w.start(w.setup)
		w.twice("ORD-1")
	})
}
