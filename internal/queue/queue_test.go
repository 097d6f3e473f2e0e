package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"go.uber.org/goleak"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

var quiet = slog.New(slog.DiscardHandler)

func request(id topup.ID) topup.Request {
	return topup.Request{ID: id, Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
}

// open opens a queue that the test closes.
func open(t testing.TB, url string) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), url, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

// persist enqueues as the sweep does: again, where a busy machine takes longer than one call may.
func persist(t testing.TB, enqueue func() error) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool {
		err := enqueue()
		late := err != nil && strings.Contains(err.Error(), context.DeadlineExceeded.Error()) // asynq keeps its text alone
		if err != nil && !late && !errors.Is(err, queue.ErrUnreachable) {
			t.Fatal(err)
		}
		return err == nil
	}, "the task is enqueued")
}

// serve works on the topups with one handler for purchases.
func serve(t testing.TB, q *queue.Queue, handler queue.Handler) {
	t.Helper()
	cfg := queue.ServeConfig{Queue: tasks.QueueTopups, Servers: 2, Concurrency: 8, ShutdownTimeout: 5 * time.Second}
	servers, err := q.Serve(cfg, map[string]queue.Handler{tasks.TypePurchase: handler})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Shutdown)
}

// run is one run of a handler.
type run struct {
	task tasks.Task
	id   string
	at   time.Time
}

// recorded makes a handler that reports its runs, and answers as answer does.
func recorded(answer func() (time.Time, error)) (<-chan run, queue.Handler) {
	calls := make(chan run, 100)
	return calls, func(_ context.Context, task tasks.Task) (time.Time, error) {
		calls <- run{task: task, id: task.ID, at: time.Now()}
		return answer()
	}
}

func done() (time.Time, error) { return time.Time{}, nil }

func next(t testing.TB, calls <-chan run) run {
	t.Helper()
	select {
	case l := <-calls:
		return l
	case <-time.After(20 * time.Second):
		t.Fatal("no handler ran")
		return run{}
	}
}

func TestEnqueueWakesAWorker(t *testing.T) {
	q := open(t, queue.Embedded)
	calls, handler := recorded(done)
	serve(t, q, handler)
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}) })
	l := next(t, calls)
	if l.id != "ORD-1" {
		t.Errorf("task id %q, want the order's", l.id)
	}
	got, err := topup.ParseRequest(l.task.Payload)
	if err != nil || got.Phone != "5537686660" || got.Caller != topup.DefaultCaller {
		t.Errorf("payload %s: %v", l.task.Payload, err)
	}
}

// TestEnqueueFromAnotherProcess: a second connection to the same Redis, as another process has, wakes
// the worker by its message; one that only enqueues is found by the poll.
func TestEnqueueFromAnotherProcess(t *testing.T) {
	q := open(t, queue.Embedded)
	calls, handler := recorded(done)
	serve(t, q, handler)
	client := asynq.NewClientFromRedisClient(q.Redis())
	task, err := tasks.NewPurchase(request("ORD-2"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Enqueue(task); err != nil {
		t.Fatal(err)
	}
	if l := next(t, calls); l.id != "ORD-2" {
		t.Errorf("task id %q", l.id)
	}
}

func TestComesBackNotEarlyAndForNothing(t *testing.T) {
	q := open(t, queue.Embedded)
	var again atomic.Int64
	calls, handler := recorded(func() (time.Time, error) {
		if again.Load() == 0 {
			at := time.Now().Add(300 * time.Millisecond)
			again.Store(at.UnixNano())
			return at, nil
		}
		return time.Time{}, nil
	})
	serve(t, q, handler)
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}) })
	next(t, calls)
	second := next(t, calls)
	if due := time.Unix(0, again.Load()); second.at.Before(due) {
		t.Errorf("came back %s early", due.Sub(second.at))
	}
}

func TestScheduledNotEarly(t *testing.T) {
	q := open(t, queue.Embedded)
	calls, handler := recorded(done)
	serve(t, q, handler)
	at := time.Now().Add(700 * time.Millisecond)
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), at) })
	if l := next(t, calls); l.at.Before(at) {
		t.Errorf("ran %s early", at.Sub(l.at))
	}
}

// TestEnqueuePastADeadTask: whatever was done to the task of an order in asynq, enqueueing finds an id
// under which the order is processed.
func TestEnqueuePastADeadTask(t *testing.T) {
	kill := map[string]func(*testing.T, *queue.Queue, *asynq.Inspector){
		"archived": func(t *testing.T, _ *queue.Queue, i *asynq.Inspector) {
			if err := i.ArchiveTask(tasks.QueueTopups, "ORD-1"); err != nil {
				t.Fatal(err)
			}
		},
		"ghost": func(t *testing.T, q *queue.Queue, _ *asynq.Inspector) {
			// What asynqmon's "archive all" leaves behind beyond 10,000 tasks: a task in no list.
			if err := q.Redis().Del(t.Context(), "asynq:{topups}:pending").Err(); err != nil {
				t.Fatal(err)
			}
			if err := q.Redis().HSet(t.Context(), "asynq:{topups}:t:ORD-1", "state", "archived").Err(); err != nil {
				t.Fatal(err)
			}
		},
		"deleted": func(t *testing.T, _ *queue.Queue, i *asynq.Inspector) {
			if err := i.DeleteTask(tasks.QueueTopups, "ORD-1"); err != nil {
				t.Fatal(err)
			}
		},
		"flushed": func(t *testing.T, q *queue.Queue, _ *asynq.Inspector) {
			if err := q.Redis().FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, how := range kill {
		t.Run(name, func(t *testing.T) {
			q := open(t, queue.Embedded)
			persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}) })
			inspector := asynq.NewInspectorFromRedisClient(q.Redis())
			how(t, q, inspector)
			persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}) })
			calls, handler := recorded(done)
			serve(t, q, handler)
			if l := next(t, calls); !strings.HasPrefix(l.id, "ORD-1") {
				t.Errorf("ran task %q", l.id)
			}
		})
	}
}

// TestEnqueueBesideATaskOfMuchLater: an event that is sent again, and whose next try is hours away, is enqueued
// for now.
func TestEnqueueBesideATaskOfMuchLater(t *testing.T) {
	q := open(t, queue.Embedded)
	for _, at := range []time.Time{time.Now().Add(5 * time.Hour), time.Now().Add(5 * time.Hour), {}} {
		persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), at) })
	}
	calls, handler := recorded(done)
	serve(t, q, handler)
	if l := next(t, calls); l.id != "ORD-1~1" {
		t.Errorf("task id %q", l.id)
	}
}

// TestForceEnqueueBesideAnActiveTask: the sweep does not wait for a task whose worker is gone.
func TestForceEnqueueBesideAnActiveTask(t *testing.T) {
	q := open(t, queue.Embedded)
	release := make(chan struct{})
	calls := make(chan run, 10)
	serve(t, q, func(_ context.Context, task tasks.Task) (time.Time, error) {
		calls <- run{id: task.ID}
		<-release
		return time.Time{}, nil
	})
	t.Cleanup(func() { close(release) }) // before the shutdown, which waits for the handlers
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}) })
	next(t, calls)
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}) })
	persist(t, func() error { return q.ForceEnqueueOrder(t.Context(), request("ORD-1")) })
	if l := next(t, calls); l.id != "ORD-1~1" {
		t.Errorf("task id %q, want a second generation", l.id)
	}
	if len(calls) != 0 {
		t.Error("enqueueing beside an active task made another one")
	}
}

// TestFailuresUseUpNothing: panics, errors and unknown types leave the task in the queue, and a task
// of another type with our prefix is not ours.
func TestFailuresUseUpNothing(t *testing.T) {
	q := open(t, queue.Embedded)
	answers := map[string]queue.Handler{
		"panic":   func(context.Context, tasks.Task) (time.Time, error) { panic("boom") },
		"error":   func(context.Context, tasks.Task) (time.Time, error) { return time.Time{}, errors.New("no journal") },
		"unknown": nil,
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			kind := tasks.TypePurchase
			if answer == nil {
				kind += "back"
			}
			client := asynq.NewClientFromRedisClient(q.Redis())
			_, err := client.Enqueue(asynq.NewTask(kind, nil), asynq.Queue(tasks.QueueTopups), asynq.TaskID(name),
				asynq.MaxRetry(5))
			must(t, err)
			serve(t, q, answer)
			inspector := asynq.NewInspectorFromRedisClient(q.Redis())
			for deadline := time.After(20 * time.Second); ; {
				info, err := inspector.GetTaskInfo(tasks.QueueTopups, name)
				if err == nil && info.State == asynq.TaskStateRetry {
					if wait := time.Until(info.NextProcessAt); wait < 5*time.Second {
						t.Errorf("tried again in %s", wait)
					}
					return
				}
				select {
				case <-deadline:
					t.Fatalf("task is %+v, %v; want it waiting for a retry", info, err)
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}
}

// TestOnRealRedis repeats what matters most on a real server: waking, coming back, and enqueueing past a
// dead task, each with asynq's Lua run by Redis itself.
func TestOnRealRedis(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	var again atomic.Int64
	calls, handler := recorded(func() (time.Time, error) {
		if again.CompareAndSwap(0, time.Now().Add(300*time.Millisecond).UnixNano()) {
			return time.Unix(0, again.Load()), nil
		}
		return time.Time{}, nil
	})
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}) })
	if err := asynq.NewInspectorFromRedisClient(q.Redis()).ArchiveTask(tasks.QueueTopups, "ORD-1"); err != nil {
		t.Fatal(err)
	}
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}) })
	serve(t, q, handler)
	if l := next(t, calls); l.id != "ORD-1~1" {
		t.Errorf("ran task %q", l.id)
	}
	if l := next(t, calls); l.at.UnixNano() < again.Load() {
		t.Error("came back early")
	}
}

func TestRefusesARedisThatEvicts(t *testing.T) {
	url := testkit.Redis(t, "--maxmemory-policy", "allkeys-lru").URL()
	if _, err := queue.Open(t.Context(), url, quiet); err == nil || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("opened with %v", err)
	}
}

func TestRefusesAClockThatDiffers(t *testing.T) {
	for _, off := range []time.Duration{-time.Minute, time.Minute} {
		server := miniredis.RunT(t)
		server.SetTime(time.Now().Add(off))
		_, err := queue.Open(t.Context(), "redis://"+server.Addr(), quiet)
		if err == nil || !strings.Contains(err.Error(), "clocks") || !strings.Contains(err.Error(), "timedatectl") {
			t.Errorf("off by %s: opened with %v", off, err)
		}
	}
}

func TestRedisGoneAndBack(t *testing.T) {
	q := open(t, queue.Embedded)
	q.StopEmbedded()
	start := time.Now()
	if err := q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}); err == nil {
		t.Fatal("enqueueing without Redis succeeds")
	}
	if err := q.EnqueueOrder(t.Context(), request("ORD-2"), time.Time{}); !errors.Is(err, queue.ErrUnreachable) {
		t.Errorf("the second time is %v, want ErrUnreachable at once", err)
	}
	if took := time.Since(start); took > testkit.Patience {
		t.Errorf("a caller waited %s for Redis", took)
	}
	if err := q.RestartEmbedded(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.After(20 * time.Second); q.EnqueueOrder(t.Context(), request("ORD-3"), time.Time{}) != nil; {
		select {
		case <-deadline:
			t.Fatal("enqueueing still fails after Redis is back")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestHangUp: a client goes away while its order is enqueued. The order, which has been accepted, is enqueued all the
// same, and nobody takes Redis for gone.
func TestHangUp(t *testing.T) {
	for name, url := range map[string]string{"embedded": queue.Embedded, "redis": testkit.Redis(t).URL()} {
		t.Run(name, func(t *testing.T) {
			q := open(t, url)
			gone, hangUp := context.WithCancel(t.Context())
			hangUp()
			if err := q.EnqueueOrder(gone, request("GONE"), time.Time{}); err != nil {
				t.Errorf("the order of the client that hung up: %v", err)
			}
			if err := q.EnqueueEvent(gone, "EVENT", time.Time{}); err != nil {
				t.Errorf("the event: %v", err)
			}
			if err := q.EnqueueOrder(t.Context(), request("OTHER"), time.Time{}); err != nil {
				t.Errorf("the order of another client: %v", err)
			}
			for id, queueName := range map[string]string{
				"GONE": tasks.QueueTopups, "OTHER": tasks.QueueTopups, "EVENT": tasks.QueueWebhooks,
			} {
				if _, err := asynq.NewInspectorFromRedisClient(q.Redis()).GetTaskInfo(queueName, id); err != nil {
					t.Errorf("%s has no task: %v", id, err)
				}
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	noCertificate := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(noCertificate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"http://x":                         "scheme",
		"redis-sentinel://h:1":             "master",
		"redis-cluster://h":                "host:port",
		"redis://127.0.0.1:1/0":            "does not answer",
		"redis-sentinel://h:1/a?master=m":  "not a number",
		"redis-sentinel://h:1/-1?master=m": "not a number",
		"redis://:secret@127.0.0.1:1/0":    "does not answer",
		"redis://:sec\x7fret@127.0.0.1:1/": "cannot be parsed",
		"redis://h?db=x":                   "not a number",
		"redis-cluster://h:1/3":            "one database",
		"redis://h?pool_size=10": `redis url: parameter "pool_size" with the value "10" is not allowed; ` +
			`must be one of db`,
		"rediss://h?skip_verify=true": `parameter "skip_verify" with the value "true" is not allowed; ` +
			`must be one of db, ca, cert, key`,
		"redis-sentinel://h:1/0?master=m&sentinel_pasword=secret": `parameter "sentinel_pasword" with the value "…" is ` +
			`not allowed; must be one of master, sentinel_user, sentinel_password, tls, ca, cert, key`,
		"redis-sentinel://h:1/0?master=m&master=n":    "given 2 times",
		"redis-sentinel://h:1/0?master=m&tls=1":       "must be true or false",
		"redis-sentinel://h:1/0?master=m&tls":         "has no value",
		"redis-sentinel://h:1/0?master=m&tls=%zz":     "cannot be read",
		"redis-sentinel://h:1?master=m#secret":        "cannot be read",
		"redis://h?tls=true":                          "must be one of db",
		"redis-cluster://h:1?master=m":                "must be one of tls, ca, cert, key",
		"redis-cluster://h:1?ca=/ca.pem":              "needs TLS; must come with tls=true",
		"redis-cluster://h:1?tls=false&cert=c&key=k":  "needs TLS; must come with tls=true",
		"rediss://h?ca=/nowhere/ca.pem":               "no such file",
		"rediss://h?ca=" + noCertificate:              "has no certificate",
		"rediss://h?cert=c.pem":                       "must be given together",
		"rediss://h?cert=/nowhere/c&key=/nowhere/key": "no such file",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := queue.Open(ctx, url, quiet)
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v, want an error with %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q) shows the password: %v", url, err)
		}
	}
}

func TestAnnounce(t *testing.T) {
	q := open(t, queue.Embedded)
	if err := q.Announce(t.Context()); err != nil {
		t.Fatal(err)
	}
	names, err := asynq.NewInspectorFromRedisClient(q.Redis()).Queues()
	if err != nil || len(names) != 2 {
		t.Errorf("queues %v, %v", names, err)
	}
}

// BenchmarkPickup measures the time from enqueueing to the handler's first line, for a lone order, beside
// asynq's own polling at 5 ms.
func BenchmarkPickup(b *testing.B) {
	b.Run("woken", func(b *testing.B) {
		q := open(b, queue.Embedded)
		calls, handler := recorded(done)
		serve(b, q, handler)
		benchmarkPickup(b, calls, func(id topup.ID) error { return q.EnqueueOrder(b.Context(), request(id), time.Time{}) })
	})
	b.Run("polled-5ms", func(b *testing.B) {
		q := open(b, queue.Embedded)
		rdb := q.Redis()
		calls, handler := recorded(done)
		server := asynq.NewServerFromRedisClient(rdb, asynq.Config{Concurrency: 4, TaskCheckInterval: 5 * time.Millisecond,
			LogLevel: asynq.FatalLevel})
		if err := server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			_, err := handler(ctx, tasks.Received(task))
			return err
		})); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(server.Shutdown)
		client := asynq.NewClientFromRedisClient(rdb)
		benchmarkPickup(b, calls, func(id topup.ID) error {
			_, err := client.Enqueue(asynq.NewTask("x", nil), asynq.TaskID(string(id)))
			return err
		})
	})
}

func benchmarkPickup(b *testing.B, calls <-chan run, enqueue func(topup.ID) error) {
	var total time.Duration
	for n := 0; b.Loop(); n++ {
		start := time.Now()
		if err := enqueue(topup.ID("ORD-" + time.Now().Format("150405.000000000"))); err != nil {
			b.Fatal(err)
		}
		total += next(b, calls).at.Sub(start)
	}
	b.ReportMetric(float64(total.Microseconds())/float64(b.N), "µs/pickup")
}
