package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/internal/queue/link"
	"recarga/tasks"
)

// TestNativeKnowsAsynqsScripts finds an asynq whose scripts are others: they would be run as Lua.
func TestNativeKnowsAsynqsScripts(t *testing.T) {
	q, err := Open(t.Context(), Embedded, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	missed := &passing{}
	q.enqueue.AddHook(missed) // behind the one that takes what it knows
	q.serve.AddHook(missed)
	ran := make(chan struct{})
	servers, err := q.Serve(ServeConfig{Queue: "topups", Servers: 1, Concurrency: 1}, map[string]Handler{
		"a": func(context.Context, tasks.Task) (time.Time, error) { close(ran); return time.Time{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.client.Enqueue(asynq.NewTask("a", nil), asynq.Queue("topups")); err != nil {
		t.Fatal(err)
	}
	<-ran
	servers.Shutdown()
	processed, err := q.rest.Get(t.Context(), "asynq:{topups}:processed").Result()
	if err != nil || processed != "1" {
		t.Errorf("processed %s, %v", processed, err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	for _, keys := range missed.scripts {
		if strings.HasPrefix(keys, "[asynq:{topups}:t:") || strings.Contains(keys, ":processed") ||
			strings.Contains(keys, ":paused") {
			t.Errorf("run as Lua: %s", keys)
		}
	}
}

// passing notes the scripts that get as far as Redis.
type passing struct {
	link.NoHook
	mu      sync.Mutex
	scripts []string
}

func (p *passing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			p.mu.Lock()
			p.scripts = append(p.scripts, fmt.Sprint(cmd.Args()[3:]))
			p.mu.Unlock()
		}
		return next(ctx, cmd)
	}
}
