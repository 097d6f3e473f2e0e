package link

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// mostTogether bounds a pipeline, and by it what its first command waits for the last.
const mostTogether = 64

// together is a hook on a Redis client that sends commands which wait at the same time in one pipeline:
// under load most of a command's price is the write and the read for it, at both ends. There is no timer:
// a lone one goes out at once, by its own caller, and only those that come meanwhile wait for it. So a client
// needs one connection most of the time.
//
// Commands that get no answer fail together. Each of their callers takes that as it would alone.
type together struct {
	NoHook
	client redis.UniversalClient
	// timeout bounds a pipeline, which is on nobody's own time, and a lone command, for which others wait.
	timeout time.Duration

	mu sync.Mutex
	// busy: somebody is sending.
	busy    bool
	waiting []*command
}

// command is one that waits.
type command struct {
	cmd redis.Cmder
	// batch receives what its caller must send, its own command the first; nothing when that has been sent.
	batch chan []*command
}

func (t *together) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		switch cmd.Name() {
		case "evalsha", "exists", "getrange", "sadd", "set", "zadd":
		default: // above all those with which a connection begins, for which one of these waits
			return next(ctx, cmd)
		}
		s := &command{cmd: cmd, batch: make(chan []*command, 1)}
		if t.mustWait(s) {
			if batch := <-s.batch; len(batch) == 0 {
				return cmd.Err()
			} else if len(batch) > 1 {
				t.send(batch)
				return cmd.Err()
			}
		}
		defer t.pass()
		ctx, cancel := context.WithTimeout(ctx, t.timeout) // others wait, who may have less time
		defer cancel()
		return next(ctx, cmd)
	}
}

// Together is that hook for a client; timeout bounds a pipeline, which is on nobody's own time, and a lone command.
func Together(client redis.UniversalClient, timeout time.Duration) redis.Hook {
	return &together{client: client, timeout: timeout}
}

// mustWait reports whether somebody is sending, who or whose successor answers then. Otherwise the caller sends.
func (t *together) mustWait(s *command) bool {
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
func (t *together) send(batch []*command) {
	defer t.pass()
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer cancel()
	pipe := t.client.Pipeline()
	for _, s := range batch {
		_ = pipe.Process(ctx, s.cmd) // only queues it
	}
	_, _ = pipe.Exec(ctx) // every command has an error of its own
	for _, s := range batch[1:] {
		s.batch <- nil
	}
}
