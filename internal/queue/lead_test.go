package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/internal/queue/link"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

// worker opens Redis as a process does, and serves both queues with two servers each.
func worker(t *testing.T, url string, leads bool, handler Handler) *Queue {
	t.Helper()
	q, err := Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	q.LedBy(func() bool { return leads })
	for queue, kind := range map[string]string{
		tasks.QueueTopups: tasks.TypePurchase, tasks.QueueWebhooks: tasks.TypeDeliver,
	} {
		s, err := q.Serve(ServeConfig{Queue: queue, Servers: 2, Concurrency: 2, ShutdownTimeout: time.Second},
			map[string]Handler{kind: handler})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Shutdown)
	}
	return q
}

// hear waits until they all rest, and would hear of a task.
func hear(t *testing.T, all []*Queue) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool {
		for _, q := range all {
			if w := q.wake[tasks.QueueTopups]; !w.hears.Load() || w.waiting.Load() < 2 {
				return false
			}
		}
		return true
	}, "all of them hear")
}

func purchase(id string) topup.Request {
	return topup.Request{ID: topup.ID(id), Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10),
		Caller: topup.DefaultCaller}
}

// calls is how often Redis has run a command.
func calls(t *testing.T, r *testkit.RedisServer, command string) int {
	t.Helper()
	stats, _ := r.Admin(t, "INFO", "commandstats").(string)
	_, after, _ := strings.Cut(stats, "cmdstat_"+command+":calls=")
	n, _, _ := strings.Cut(after, ",")
	count, err := strconv.Atoi(n)
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return count
}

// TestATaskWakesOneOfMany: what an order costs does not grow with the workers.
func TestATaskWakesOneOfMany(t *testing.T) {
	t.Parallel()
	const workers, orders = 8, 25
	r := testkit.Redis(t)
	done := make(chan struct{}, orders)
	handler := func(context.Context, tasks.Task) (time.Time, error) { done <- struct{}{}; return time.Time{}, nil }
	var all []*Queue
	for i := range workers {
		all = append(all, worker(t, r.URL(), i == 0, handler))
	}
	hear(t, all)
	caller, err := Open(t.Context(), r.URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caller.Close() })
	before := calls(t, r, "rpoplpush")
	for i := range orders {
		if err := caller.EnqueueOrder(t.Context(), purchase(fmt.Sprint("ORD-", i)), time.Time{}); err != nil {
			t.Fatal(err)
		}
		<-done
	}
	// The one that takes it asks again, and so does one that the leader wakes beside; a worker of another time asks for
	// itself.
	if asked := calls(t, r, "rpoplpush") - before; asked > 5*orders {
		t.Errorf("%d workers asked %d times for %d orders", workers, asked, orders)
	}
}

// TestUnannounced: a task of a program that has only Redis is found while all rest, and so is one that comes due.
func TestUnannounced(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t)
	done := make(chan string, 8)
	handler := func(_ context.Context, task tasks.Task) (time.Time, error) { done <- task.ID; return time.Time{}, nil }
	all := []*Queue{worker(t, r.URL(), true, handler), worker(t, r.URL(), false, handler)}
	hear(t, all)
	client := asynq.NewClientFromRedisClient(all[1].Redis())
	for id, options := range map[string][]asynq.Option{
		"ORD-1": {asynq.TaskID("ORD-1")}, "ORD-2": {asynq.TaskID("ORD-2"), asynq.ProcessIn(time.Second)},
	} {
		task, err := tasks.NewPurchase(purchase(id))
		if err == nil {
			_, err = client.Enqueue(task, options...)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := <-done; got != id {
			t.Errorf("task %s ran, want %s", got, id)
		}
	}
}

// TestCancelReachesEveryServer: asynq's tools end a task wherever it runs, over one connection a process.
func TestCancelReachesEveryServer(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t)
	running, ended := make(chan string), make(chan string, 4)
	q := worker(t, r.URL(), true, func(ctx context.Context, task tasks.Task) (time.Time, error) {
		running <- task.ID
		<-ctx.Done()
		ended <- task.ID
		return time.Time{}, nil
	})
	for _, id := range []string{"ORD-1", "ORD-2"} { // each server may run one
		if err := q.EnqueueOrder(t.Context(), purchase(id), time.Time{}); err != nil {
			t.Fatal(err)
		}
		<-running
	}
	subscribed := func() int64 { return q.rest.PubSubNumSub(t.Context(), link.CancelChannel).Val()[link.CancelChannel] }
	testkit.Eventually(t, testkit.Patience, func() bool { return subscribed() == 1 }, "one connection listens")
	testkit.Eventually(t, testkit.Patience, func() bool {
		for _, id := range []string{"ORD-1", "ORD-2"} {
			if err := q.inspector.CancelProcessing(id); err != nil {
				t.Fatal(err)
			}
		}
		return len(ended) == 2
	}, "both tasks end")
}

// TestLeaderHook: of the servers of all processes one moves the tasks that are due.
func TestLeaderHook(t *testing.T) {
	leads, ran, moved := false, 0, int64(0)
	q := &Queue{leads: func() bool { return leads }}
	run := newLeaderHook(q).ProcessHook(func(_ context.Context, cmd redis.Cmder) error {
		ran++
		cmd.(*redis.Cmd).SetVal(moved)
		return nil
	})
	forward := func(from string) {
		t.Helper()
		cmd := redis.NewCmd(t.Context(), "evalsha", redis.NewScript(luaForward).Hash(), 2, from, "asynq:{other}:pending")
		if err := run(t.Context(), cmd); err != nil {
			t.Fatal(err)
		}
	}
	for i, step := range []struct {
		leads bool
		from  string
		moved int64
		ran   int // in all
	}{
		{false, "a", 0, 0}, {true, "a", 0, 1}, {true, "a", 0, 1}, {true, "b", 100, 2}, {true, "b", 0, 3}, {true, "b", 0, 3},
	} {
		leads, moved = step.leads, step.moved
		if forward(step.from); ran != step.ran {
			t.Errorf("step %d: ran %d times, want %d", i, ran, step.ran)
		}
	}
}

// TestLeaderScripts: the scripts that are left to the leader are those that asynq runs.
func TestLeaderScripts(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: r.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		DelayedTaskCheckInterval: time.Millisecond, JanitorInterval: time.Millisecond, LogLevel: asynq.FatalLevel})
	if err := server.Start(asynq.NewServeMux()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	forward, clean := redis.NewScript(luaForward).Hash(), redis.NewScript(luaClean).Hash()
	testkit.Eventually(t, testkit.Patience, func() bool {
		known, err := client.ScriptExists(t.Context(), forward, clean).Result()
		return err == nil && known[0] && known[1]
	}, "asynq runs both")
}
