package queue

import (
	"context"
	_ "embed"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"recarga/internal/queue/link"
)

// One process leads those that work on the same queues: it does what needs to be done once, however many there are.
// asynq has every server do it. Two processes may lead at a time, and nothing is done twice by that: all of it is
// harmless when repeated.

const (
	// lookEvery is the time between two looks for tasks that wait and that nobody has announced: of a program that has
	// only Redis, or with a token that got lost.
	lookEvery = 100 * time.Millisecond
	// forwardEvery is asynq's time between two moves of the tasks that are due, and cleanEvery between two removals of
	// completed ones; the servers of one process share them.
	forwardEvery, cleanEvery = time.Second, 8 * time.Second
)

// LedBy says whether this process leads, for all that is served after it. Without it, it does.
func (q *Queue) LedBy(leads func() bool) { q.leads = leads }

// look finds tasks that wait, while this process leads, and wakes servers for them.
func (q *Queue) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !q.leads() {
			continue
		}
		for queue, n := range q.waiting(ctx) {
			q.wake[queue].announce(min(n, mostTokens))
		}
	}
}

// waiting counts the tasks that wait, but for those of a queue that is paused. It says nothing of one that could not
// be asked.
func (q *Queue) waiting(ctx context.Context) map[string]int {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	found := map[string]int{}
	pipe := q.rest.Pipeline()
	pending := map[string]*redis.IntCmd{}
	for _, queue := range ourQueues() {
		pending[queue] = pipe.LLen(ctx, "asynq:{"+queue+"}:pending")
	}
	_, _ = pipe.Exec(ctx) // each has an error of its own
	for queue, n := range pending {
		if n.Val() == 0 {
			continue
		}
		if paused, err := q.rest.Exists(ctx, "asynq:{"+queue+"}:paused").Result(); err == nil && paused == 0 {
			found[queue] = int(n.Val())
		}
	}
	return found
}

var (
	//go:embed asynq_forward.lua
	luaForward string
	//go:embed asynq_clean.lua
	luaClean string
)

// leaderHook is a hook on the servers' Redis client that leaves to the process that leads what one does for all: to
// move tasks that are due to those that wait, and to remove completed ones. For the others nothing is there to do.
type leaderHook struct {
	link.NoHook
	q *Queue
	// every is the shortest time between two runs of a script by its hash.
	every map[string]time.Duration
	// forward is the hash of luaForward.
	forward string

	mu sync.Mutex
	// next is when a script may run again, by its hash and its first key.
	next map[[2]string]time.Time
}

func newLeaderHook(q *Queue) *leaderHook {
	forward, clean := redis.NewScript(luaForward).Hash(), redis.NewScript(luaClean).Hash()
	return &leaderHook{
		q: q, every: map[string]time.Duration{forward: forwardEvery, clean: cleanEvery}, forward: forward,
		next: map[[2]string]time.Time{},
	}
}

func (l *leaderHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		result, ok := cmd.(*redis.Cmd)
		if !ok || cmd.Name() != "evalsha" || len(cmd.Args()) < 5 {
			return next(ctx, cmd)
		}
		hash, _ := cmd.Args()[1].(string)
		key, _ := cmd.Args()[3].(string)
		every, known := l.every[hash]
		if !known {
			return next(ctx, cmd)
		}
		if !l.mayRun(hash, key, every) {
			result.SetVal(int64(0))
			return nil
		}
		err := next(ctx, cmd)
		if n, _ := result.Int(); err != nil || n > 0 { // there may be more
			l.again(hash, key)
		}
		l.announce(hash, result)
		return err
	}
}

// mayRun reports whether a script is to run, and notes that it does.
func (l *leaderHook) mayRun(hash, key string, every time.Duration) bool {
	if !l.q.leads() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Before(l.next[[2]string{hash, key}]) {
		return false
	}
	l.next[[2]string{hash, key}] = now.Add(every - every/10) // the servers' timers are not one
	return true
}

func (l *leaderHook) again(hash, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.next, [2]string{hash, key})
}

// announce wakes servers for the tasks that were moved.
func (l *leaderHook) announce(hash string, result *redis.Cmd) {
	if hash != l.forward {
		return
	}
	pending, _ := result.Args()[4].(string)
	queue, _ := queueOf(pending, "pending")
	if n, err := result.Int(); err == nil && n > 0 && l.q.wake[queue] != nil {
		l.q.wake[queue].announce(min(n, mostTokens))
	}
}
