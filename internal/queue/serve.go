package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/internal/queue/link"
	"recarga/tasks"
)

// Handler does what one task asks for. A zero time ends the task; any other one asks for another run
// then. An error is logged, and the task comes back after a while.
type Handler func(ctx context.Context, task tasks.Task) (again time.Time, err error)

// Servers are the asynq servers of one queue in this process.
type Servers struct {
	servers []*asynq.Server
	wake    *waker // of the queue
	// stop ends the listening for tokens of other processes.
	stop context.CancelFunc
}

// ServeConfig says how a queue is served.
type ServeConfig struct {
	// Queue is its name.
	Queue string
	// Servers share the concurrency. One asynq server fetches one task a round trip; more of them
	// fetch side by side.
	Servers, Concurrency int
	// ShutdownTimeout must exceed all that a handler may do, or its task is given to somebody else
	// while it still runs.
	ShutdownTimeout time.Duration
}

// Serve starts to work on one queue. Task types are matched exactly.
func (q *Queue) Serve(cfg ServeConfig, handlers map[string]Handler) (*Servers, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Servers{stop: cancel, wake: q.wake[cfg.Queue]}
	if q.embedded == nil {
		q.starting.Do(q.startServing)
		q.beside.Go(func() { s.wake.listen(ctx, q.block) }) // which nothing but Close ends while it waits for a token
	}
	for i := range cfg.Servers {
		share := cfg.Concurrency / cfg.Servers
		if i < cfg.Concurrency%cfg.Servers {
			share++
		}
		if share == 0 {
			continue
		}
		server := asynq.NewServerFromRedisClient(q.serversRedis(), q.serverConfig(cfg, share))
		if err := server.Start(q.asynqHandler(cfg.Queue, handlers)); err != nil {
			s.Shutdown()
			return nil, fmt.Errorf("serve queue %s: %w", cfg.Queue, err)
		}
		s.servers = append(s.servers, server)
	}
	return s, nil
}

// startServing starts what the servers of all queues share.
func (q *Queue) startServing() {
	q.relay = link.NewRelay()
	q.beside.Go(func() { q.relay.Run(q.background, q.rest) })
	q.beside.Go(func() { q.look(q.background) })
}

// serversRedis is Redis as asynq's servers get it.
func (q *Queue) serversRedis() redis.UniversalClient {
	if q.embedded != nil {
		return q.serve
	}
	return q.relay.Servers(q.serve)
}

// Stop takes no more tasks; those under way continue.
func (s *Servers) Stop() {
	stopped := make(chan struct{})
	var waking sync.WaitGroup
	waking.Go(func() { s.wake.wakeUntil(stopped) }) // a server that waits for news would stop after it
	for _, server := range s.servers {
		server.Stop()
	}
	close(stopped)
	waking.Wait()
}

// Shutdown takes no more tasks and waits for those under way, up to the shutdown timeout.
func (s *Servers) Shutdown() {
	s.Stop() // all of them first: the last one must not fetch while the first one drains
	var wg sync.WaitGroup
	for _, server := range s.servers {
		wg.Go(server.Shutdown)
	}
	wg.Wait()
	s.stop()
}

func (q *Queue) serverConfig(cfg ServeConfig, concurrency int) asynq.Config {
	return asynq.Config{
		Concurrency:              concurrency,
		Queues:                   map[string]int{cfg.Queue: 1},
		TaskCheckInterval:        checkInterval,
		DelayedTaskCheckInterval: forwardEvery,
		JanitorInterval:          cleanEvery,
		ShutdownTimeout:          cfg.ShutdownTimeout,
		RetryDelayFunc:           q.retryDelay,
		IsFailure:                isFailure,
		ErrorHandler:             asynq.ErrorHandlerFunc(q.handleError),
		Logger:                   asynqLog{q.log},
		LogLevel:                 asynq.WarnLevel,
	}
}

const (
	// lostLeaseDelay keeps a task whose worker vanished away from other workers that are just
	// taking over the same task: with no delay asynq lets two of them run it at once.
	lostLeaseDelay = 10 * time.Second
	// failedDelay is when a task whose handler failed or panicked is tried again.
	failedDelay = 10 * time.Second
	// unknownTypeDelay is when a task of a type that this program does not know is tried again, perhaps
	// by a newer one.
	unknownTypeDelay = time.Minute
)

// comeBack asks asynq to run the task again at a time; it counts as no failure.
type comeBack struct{ at time.Time }

func (c comeBack) Error() string { return "again at " + c.at.Format(time.RFC3339) }

// errUnknownType is a task of an unknown type.
var errUnknownType = errors.New("unknown task type")

// asynqHandler translates a handler's answer into asynq's.
func (q *Queue) asynqHandler(queue string, handlers map[string]Handler) asynq.HandlerFunc {
	return func(ctx context.Context, received *asynq.Task) (err error) {
		task := tasks.Received(received)
		task.ID, _ = asynq.GetTaskID(ctx) // always there: asynq runs the task
		handler, known := handlers[task.Type]
		if !known {
			return fmt.Errorf("%w %q", errUnknownType, task.Type)
		}
		ctx, span := q.startTask(ctx, task)
		defer func() { endTask(span, err) }()
		defer func() {
			if p := recover(); p != nil {
				q.log.ErrorContext(ctx, "task handler panicked", "type", task.Type, "panic", p,
					"stack", string(debug.Stack()))
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		again, err := handler(ctx, task)
		if err != nil || again.IsZero() {
			return err
		}
		q.due.keep(dueTask{at: again, queue: queue, id: task.ID})
		return comeBack{at: again}
	}
}

// retryDelay must not panic: asynq calls it unprotected, also from the goroutine that recovers the
// tasks of dead workers. Nothing in it can.
func (q *Queue) retryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	var again comeBack
	switch {
	case errors.As(err, &again):
		now := time.Now()
		return processAt(again.at, now).Sub(now)
	case errors.Is(err, asynq.ErrLeaseExpired):
		return lostLeaseDelay
	case errors.Is(err, errUnknownType):
		return unknownTypeDelay
	default:
		return failedDelay
	}
}

// isFailure makes asynq count only what is one: an unknown type and another run use up no retries.
func isFailure(err error) bool {
	var again comeBack
	return err != nil && !errors.As(err, &again) && !errors.Is(err, errUnknownType)
}

// handleError leaves what is archived to its handler, which knows why.
func (q *Queue) handleError(_ context.Context, task *asynq.Task, err error) {
	if errors.Is(err, asynq.SkipRetry) {
		return
	}
	if isFailure(err) || errors.Is(err, errUnknownType) {
		q.log.Error("task failed", "type", task.Type(), "error", err)
	}
}

// Announce repeats the names of our queues to Redis: asynq does so once a process, so that after a
// loss of its data the inspecting tools would not see them.
func (q *Queue) Announce(ctx context.Context) error {
	return q.rest.SAdd(ctx, "asynq:queues", ourQueues()).Err()
}

// asynqLog passes what asynq says of itself on as structured records.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug("asynq", "message", fmt.Sprint(args...)) }
func (l asynqLog) Info(args ...any)  { l.log.Info("asynq", "message", fmt.Sprint(args...)) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn("asynq", "message", fmt.Sprint(args...)) }
func (l asynqLog) Error(args ...any) { l.log.Error("asynq", "message", fmt.Sprint(args...)) }
func (l asynqLog) Fatal(args ...any) { l.log.Error("asynq", "message", fmt.Sprint(args...)) }
