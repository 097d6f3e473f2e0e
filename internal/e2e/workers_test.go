package e2e

import (
	"fmt"
	"testing"
	"time"

	"recarga/internal/testkit"
)

// TestIdleWorkers holds what an idle worker costs against what asynq's heartbeats alone cost: two ZADD of each of a
// worker's five servers every five seconds. So slow a machine as you like says the same.
func TestIdleWorkers(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	const workers, zaddsOfRound = 8, 10
	f := newFleet(t, "", workers)
	beats := func(rounds float64) cost {
		begin := f.read(t)
		for end := time.Now().Add(patience); time.Now().Before(end); pass(t, time.Second) { // to ask costs too
			if now := f.read(t); now.commands["zadd"]-begin.commands["zadd"] >= rounds*workers*zaddsOfRound {
				return now
			}
		}
		t.Fatal("the workers' hearts do not beat")
		return cost{}
	}
	before := beats(3)
	after := beats(3)
	all := 0.0
	for name := range after.commands {
		all += after.commands[name] - before.commands[name]
	}
	seconds := (after.commands["zadd"] - before.commands["zadd"]) / 2 // of one worker, all together
	t.Logf("a second and worker: %.1f commands, %.2f transactions; %.1f connections", all/seconds,
		(after.transactions-before.transactions)/seconds, f.connections(t))
	if each := all / seconds; each > 25 {
		t.Errorf("%.1f commands of Redis a second and worker", each)
	}
	if each := (after.transactions - before.transactions) / seconds; each > 1.5 {
		t.Errorf("%.2f transactions a second and worker", each)
	}
	if each := f.connections(t); each > 6 {
		t.Errorf("%.1f connections to Redis a worker", each)
	}
}

// TestLeaderDies: orders that no queue has are bought, whichever worker dies. Their API has a queue that no worker sees,
// so that only a sweep finds them.
func TestLeaderDies(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	f := newFleet(t, "", 3)
	f.world.env["RECARGA_REDIS_URL"] = "embedded"
	api := f.world.start(t, "api").client()
	for i := range f.workers {
		o := place(t, api, order(fmt.Sprint("ORD-", i), "5537686660"))
		if i > 0 {
			f.workers[i-1].kill()
		}
		d := settled(t, api, o.ID)
		judge(t, d, f.world.charges()[o.ID])
	}
}
