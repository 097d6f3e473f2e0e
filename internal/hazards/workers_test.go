package hazards

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"recarga/distributor"
	"recarga/internal/journal"
	"recarga/internal/queue"
	"recarga/tasks"
	"recarga/topup"
	"recarga/worker"
)

// setup is all that a worker is given, in this process or, as JSON, in another one.
type setup struct {
	Ours bool
	// Redis is host:port, of a server or of a proxy before it.
	Redis, Vendor, Database string
	ShutdownTimeout         time.Duration
	// CheckContext and RetryAtOnce are for the plain worker.
	CheckContext, RetryAtOnce bool
}

// running is a worker at work.
type running struct {
	// stop shuts the worker's servers down, as a deployment does; twice is once.
	stop func()
	// close waits for the handlers that a stop left running, and closes what they need.
	close func()
}

// run starts a worker. ended is called after each end of a handler.
func (s setup) run(ended func()) (*running, error) {
	if s.Ours {
		return s.runOurs(ended)
	}
	return s.runPlain(ended)
}

// runPlain is asynq as its examples show it. Only the polling is quicker.
func (s setup) runPlain(ended func()) (*running, error) {
	cfg := asynq.Config{
		Concurrency: 4, Queues: map[string]int{tasks.QueueTopups: 1}, ShutdownTimeout: s.ShutdownTimeout,
		TaskCheckInterval: 20 * time.Millisecond, DelayedTaskCheckInterval: 100 * time.Millisecond,
		LogLevel: asynq.FatalLevel,
	}
	if s.RetryAtOnce {
		cfg.RetryDelayFunc = func(int, error, *asynq.Task) time.Duration { return 0 }
	}
	var handlers sync.WaitGroup
	server := asynq.NewServer(asynq.RedisClientOpt{Addr: s.Redis}, cfg)
	err := server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		handlers.Add(1)
		defer func() { ended(); handlers.Done() }()
		return s.buy(ctx, task)
	}))
	return &running{stop: sync.OnceFunc(server.Shutdown), close: handlers.Wait}, err
}

// buy is the plain worker's handler.
func (s setup) buy(ctx context.Context, task *asynq.Task) error {
	if s.CheckContext && ctx.Err() != nil {
		return ctx.Err()
	}
	var session struct {
		AccessToken string `json:"access_token"`
	}
	if err := s.post("/login", "", []byte(`{"customer_id":"demo","secret_key":"demo"}`), &session); err != nil {
		return err
	}
	return s.post("/product_purchase", session.AccessToken, task.Payload(), nil)
}

func (s setup) post(path, token string, body []byte, answer any) error {
	req, err := http.NewRequest(http.MethodPost, s.Vendor+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: HTTP status %d", path, res.StatusCode)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// vendorTimeout is short, so that an attempt without an answer times out seconds later.
const vendorTimeout = 5 * time.Second

// runOurs is the worker of `recarga worker`, less the webhooks.
func (s setup) runOurs(ended func()) (*running, error) {
	ctx, log := context.Background(), quiet
	book, err := journal.Open(ctx, s.Database)
	if err != nil {
		return nil, err
	}
	q, err := queue.Open(ctx, "redis://"+s.Redis, log)
	if err != nil {
		return nil, err
	}
	vendor, err := distributor.New(distributor.Config{URL: s.Vendor, CustomerID: "demo", SecretKey: "demo",
		Timeout: vendorTimeout, Log: log})
	if err != nil {
		return nil, err
	}
	w := worker.New(worker.Config{
		Journal: book, Distributor: stoppable{vendor, s}, Deliverer: delivered{}, Waker: q, Timeout: vendorTimeout,
		SweepInterval: 200 * time.Millisecond, Log: log,
		Policy: worker.Policy{Initial: 200 * time.Millisecond, Max: time.Second, MaxAttempts: 10},
	})
	var handlers sync.WaitGroup
	cfg := queue.ServeConfig{Queue: tasks.QueueTopups, Servers: 1, Concurrency: 4, ShutdownTimeout: s.ShutdownTimeout}
	servers, err := q.Serve(cfg,
		map[string]queue.Handler{tasks.TypePurchase: func(ctx context.Context, task tasks.Task) (time.Time, error) {
			handlers.Add(1)
			defer func() { ended(); handlers.Done() }()
			return w.HandlePurchase(ctx, task)
		}})
	if err != nil {
		return nil, err
	}
	sweeping, stopSweep := context.WithCancel(ctx)
	handlers.Go(func() { w.Sweep(sweeping) })
	return &running{stop: sync.OnceFunc(servers.Shutdown), close: func() {
		stopSweep()
		handlers.Wait()
		w.Close()
		vendor.Close()
		_ = q.Close()
		_ = book.Close()
	}}, nil
}

// stoppable is the vendor's client, which logs in once more between the record of an attempt and its request, where a
// test can stop it.
type stoppable struct {
	*distributor.Client
	s setup
}

func (v stoppable) Purchase(ctx context.Context, o topup.Order, sendBy time.Time) topup.Result {
	_ = v.s.post("/login", "", []byte(`{"customer_id":"demo","secret_key":"demo"}`), nil) // its answer is of no use
	return v.Client.Purchase(ctx, o, sendBy)
}

// delivered is a Deliverer whose webhooks are all delivered at once.
type delivered struct{}

func (delivered) DeliverNow(context.Context, topup.Event, func(topup.Event, time.Time)) bool {
	return true
}

func (delivered) Deliver(context.Context, string) (time.Time, error) { return time.Time{}, nil }
