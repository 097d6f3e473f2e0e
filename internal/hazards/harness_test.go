package hazards

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/queue"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/tasks"
	"recarga/topup"
)

const (
	// patience bounds every wait: far above what anything takes on a slow machine.
	patience = 60 * time.Second
	// childSetup is the environment variable that makes this test binary a worker.
	childSetup = "RECARGA_HAZARDS_WORKER"
	// ordinary is approved at once; late is charged at once and answered when the test releases it.
	ordinary, late topup.Phone = "5537686660", "5500000504"
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	if text := os.Getenv(childSetup); text != "" {
		if err := beWorker(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beWorker works until its input ends, with whoever started it. It says each end of a handler.
func beWorker(text string) error {
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	if _, err := s.run(func() { fmt.Println("ended") }); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// world is a Redis, a distributor and one kind of worker.
type world struct {
	*testing.T
	setup
	rdb    *redis.Client
	vendor *sandbox.Server
	book   *journal.Journal // ours only
	logins atomic.Int32
	// onLogin is called before a login is answered, with its number from 1.
	onLogin atomic.Pointer[func(n int)]
}

// both runs a scenario on a plain worker and on ours.
func both(t *testing.T, scenario func(w *world)) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) { t.Parallel(); scenario(newWorld(t, false)) })
	t.Run("ours", func(t *testing.T) { t.Parallel(); scenario(newWorld(t, true)) })
}

func newWorld(t *testing.T, ours bool) *world {
	t.Helper()
	cfg := sandbox.DefaultConfig()
	cfg.SlowAnswerMS = 3_600_000
	w := &world{T: t, vendor: sandbox.New(cfg, nil)}
	front := httptest.NewServer(http.HandlerFunc(w.serveVendor))
	t.Cleanup(func() { w.vendor.Close(); front.Close() })
	w.setup = setup{
		Ours: ours, Redis: testkit.Redis(t).Addr(), Vendor: front.URL + "/api/distributor",
		Database: journaltest.SQLite(t), ShutdownTimeout: 30 * time.Second,
	}
	w.rdb = redis.NewClient(&redis.Options{Addr: w.Redis})
	t.Cleanup(func() { _ = w.rdb.Close() })
	if ours {
		book, err := journal.Open(t.Context(), w.Database)
		w.must(err)
		w.book = book
		t.Cleanup(func() { _ = book.Close() })
	}
	return w
}

// serveVendor is the sandbox, at whose logins a test can stop a worker.
func (w *world) serveVendor(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/distributor/login" {
		n := int(w.logins.Add(1))
		if f := w.onLogin.Load(); f != nil {
			(*f)(n)
		}
	}
	w.vendor.ServeHTTP(rw, r)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) eventually(cond func() bool, msg string, args ...any) {
	w.Helper()
	testkit.Eventually(w, patience, cond, msg, args...)
}

// wait waits for a signal.
func (w *world) wait(signal <-chan struct{}, msg string) {
	w.Helper()
	select {
	case <-signal:
	case <-time.After(patience):
		w.Fatalf("after %s: %s", patience, msg)
	}
}

// start starts a worker in this process. It ends with the test at the latest.
func (w *world) start(s setup) *running {
	w.Helper()
	r, err := s.run(func() {})
	w.must(err)
	w.Cleanup(func() {
		w.vendor.Close() // whoever still waits for an answer gets it
		r.stop()
		r.close()
	})
	return r
}

// child is a worker in a process of its own.
type child struct {
	w   *world
	cmd *exec.Cmd
	// ended receives a token for each end of a handler.
	ended chan struct{}
}

func (w *world) startChild(s setup) *child {
	w.Helper()
	text, err := json.Marshal(s)
	w.must(err)
	c := &child{w: w, cmd: exec.Command(os.Args[0]), ended: make(chan struct{}, 100)}
	c.cmd.Env = append(os.Environ(), childSetup+"="+string(text))
	c.cmd.Stderr = os.Stderr
	_, err = c.cmd.StdinPipe() // it ends with this process
	w.must(err)
	out, err := c.cmd.StdoutPipe()
	w.must(err)
	w.must(c.cmd.Start())
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.ended <- struct{}{}
		}
	}()
	w.Cleanup(func() { c.kill(); <-read; _ = c.cmd.Wait() })
	return c
}

func (c *child) kill() { _ = c.cmd.Process.Kill() }

// pause stops the process, and returns when it stands still.
func (c *child) pause() {
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		c.w.Error(err)
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(c.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || !status.Stopped() {
			c.w.Errorf("the worker is not paused: %v, %v", status, err)
		}
		return
	}
}

func (c *child) resume() { c.w.must(c.cmd.Process.Signal(syscall.SIGCONT)) }

// is waits until the journal says so of an order, and wakes workers for it all the while.
func (w *world) is(id topup.ID, state topup.State) {
	w.Helper()
	w.eventually(func() bool {
		w.hurry()
		o, err := w.book.Order(w.Context(), id)
		w.must(err)
		return o.State == state
	}, "%s is %s", id, state)
}

// key is a key of asynq's queue.
func key(name string) string { return "asynq:{" + tasks.QueueTopups + "}:" + name }

// place gives an order to the queue by way of a Redis or a proxy.
func (w *world) place(id topup.ID, phone topup.Phone, addr string, opts ...asynq.Option) {
	w.Helper()
	r := topup.Request{ID: id, Phone: phone, Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
	if !w.Ours {
		w.placePlain(r, addr, opts)
		return
	}
	q, err := queue.Open(w.Context(), "redis://"+addr, quiet)
	w.must(err)
	defer func() { w.must(q.Close()) }()
	_, _, err = producer.New(w.book, q, quiet).Place(w.Context(), r)
	w.must(err)
	if addr == w.Redis { // Place leaves a Redis that takes its time to the sweep; this world begins with a task
		w.must(q.EnqueueOrder(w.Context(), r, time.Time{}))
	}
}

// placePlain enqueues as a checkout does that knows nothing of queues: it tries again on an error.
func (w *world) placePlain(r topup.Request, addr string, opts []asynq.Option) {
	w.Helper()
	payload, err := json.Marshal(r)
	w.must(err)
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: addr})
	defer func() { w.must(client.Close()) }()
	for range 3 {
		task := asynq.NewTask(tasks.TypePurchase, payload)
		if _, err = client.Enqueue(task, append(opts, asynq.Queue(tasks.QueueTopups))...); err == nil {
			return
		}
	}
	w.must(err)
}

// take makes the next pending task one that a worker took and that is gone, with
// a lease that ended long ago, or with none. It returns the task's id.
func (w *world) take(lease bool) (task string) {
	w.Helper()
	task, err := w.rdb.LMove(w.Context(), key("pending"), key("active"), "RIGHT", "LEFT").Result()
	w.must(err)
	w.must(w.rdb.HSet(w.Context(), key("t:"+task), "state", "active").Err())
	if lease {
		w.must(w.rdb.ZAdd(w.Context(), key("lease"), redis.Z{Score: longAgo(), Member: task}).Err())
	}
	return task
}

// longAgo is before asynq calls a lease lost.
func longAgo() float64 { return float64(time.Now().Add(-100 * time.Second).Unix()) }

// expireLeases makes all leases end long ago.
func (w *world) expireLeases() { w.Helper(); w.backdate(key("lease")) }

// hurry makes all waits for a retry end.
func (w *world) hurry() { w.Helper(); w.backdate(key("retry")); w.backdate(key("scheduled")) }

func (w *world) backdate(set string) {
	w.Helper()
	members, err := w.rdb.ZRange(w.Context(), set, 0, -1).Result()
	w.must(err)
	for _, member := range members {
		w.must(w.rdb.ZAddXX(w.Context(), set, redis.Z{Score: longAgo(), Member: member}).Err())
	}
}

// drained reports whether no task is left that could wake a worker.
func (w *world) drained() bool {
	n := w.rdb.LLen(w.Context(), key("pending")).Val() + w.rdb.LLen(w.Context(), key("active")).Val()
	return n+w.rdb.ZCard(w.Context(), key("retry")).Val()+w.rdb.ZCard(w.Context(), key("scheduled")).Val() == 0
}

// charges is how often the distributor has charged an order.
func (w *world) charges(id topup.ID) (n int) {
	for _, p := range w.vendor.Purchases() {
		if p.DistributorTransactionID == string(id) {
			n++
		}
	}
	return n
}

// charged waits until an order has been charged so often.
func (w *world) charged(id topup.ID, times int) {
	w.Helper()
	w.eventually(func() bool { w.hurry(); return w.charges(id) >= times }, "%s is charged %d times", id, times)
}

// twice is the outcome where the plain worker charges twice.
func (w *world) twice(id topup.ID) {
	w.Helper()
	if w.Ours {
		w.once(id)
		return
	}
	w.charged(id, 2)
}

// lost is the outcome where the plain worker loses an order: its task stays where it is in Redis, and
// a server that starts and takes back another task, lost in the ordinary way, does not run it. No
// server may run at the call.
func (w *world) lost(id topup.ID, task string, isThere func() bool) {
	w.Helper()
	w.expireLeases()
	if w.Ours {
		w.start(w.setup)
		w.once(id)
		return
	}
	w.place("OTHER", ordinary, w.Redis)
	w.take(true)
	w.start(w.setup)
	w.charged("OTHER", 1)
	w.eventually(isThere, "task %s is where nothing finds it", task)
	if n := w.charges(id); n != 0 {
		w.Errorf("%s was charged %d times; it should be lost", id, n)
	}
}

// once is the outcome of our worker: however many workers are woken for the order, it is charged once,
// and the journal says so, or holds it.
func (w *world) once(id topup.ID) {
	w.Helper()
	w.eventually(func() bool { w.hurry(); return w.drained() }, "all tasks are done")
	w.vendor.Close()
	var o topup.Order
	w.eventually(func() bool {
		w.hurry()
		var err error
		o, err = w.book.Order(w.Context(), id)
		w.must(err)
		return (o.State.Final() || o.State == topup.StateUnknown) && w.charges(id) > 0 && w.drained()
	}, "%s ends", id)
	if n := w.charges(id); n != 1 || o.State != topup.StateSucceeded && o.State != topup.StateUnknown {
		w.Errorf("%s is %s and was charged %d times", id, o.State, n)
	}
	w.Logf("%s is %s after %d attempts", id, o.State, o.AttemptCount)
}
