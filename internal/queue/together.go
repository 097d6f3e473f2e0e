package queue

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// mostTogether bounds a pipeline, and by it what its first script waits for the last.
const mostTogether = 64

// together is a hook on a Redis client that sends scripts which wait at the same time in one pipeline:
// under load most of a script's price is the write and the read for it, at both ends. There is no timer:
// a lone script goes out at once, by its own caller, and only those that come meanwhile wait for it.
//
// Scripts that get no answer fail together. Each of their callers takes that as it would alone.
type together struct {
	noHook
	client redis.UniversalClient
	// timeout bounds a pipeline, which is on nobody's own time.
	timeout time.Duration

	mu sync.Mutex
	// busy: somebody is sending.
	busy    bool
	waiting []*script
}

// script is one that waits.
type script struct {
	cmd redis.Cmder
	// batch receives what its caller must send, its own script the first; nothing when that has been sent.
	batch chan []*script
}

func (t *together) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" {
			return next(ctx, cmd)
		}
		s := &script{cmd: cmd, batch: make(chan []*script, 1)}
		if t.mustWait(s) {
			if batch := <-s.batch; len(batch) == 0 {
				return cmd.Err()
			} else if len(batch) > 1 {
				t.send(batch)
				return cmd.Err()
			}
		}
		defer t.pass()
		return next(ctx, cmd)
	}
}

// mustWait reports whether somebody is sending, who or whose successor answers then. Otherwise the caller sends.
func (t *together) mustWait(s *script) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy {
		t.waiting = append(t.waiting, s)
		return true
	}
	t.busy = true
	return false
}

// pass lets the first who waits send, with all that wait.
func (t *together) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(t.waiting), mostTogether)
	if n == 0 {
		t.busy = false
		return
	}
	batch := t.waiting[:n:n]
	t.waiting = t.waiting[n:]
	batch[0].batch <- batch
}

// send sends a batch, and lets the next one be sent.
func (t *together) send(batch []*script) {
	defer t.pass()
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer cancel()
	pipe := t.client.Pipeline()
	for _, s := range batch {
		_ = pipe.Process(ctx, s.cmd) // only queues it
	}
	_, _ = pipe.Exec(ctx) // every script has an error of its own
	for _, s := range batch[1:] {
		s.batch <- nil
	}
}
