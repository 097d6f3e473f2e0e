package queue

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"recarga/internal/queue/link"
)

// Page is asynq's own web page of the queues, with the API behind it. Close it after the last request.
type Page interface {
	http.Handler
	Close() error
}

// PageOptions say how the page shows the queues.
type PageOptions struct {
	// Root is the path that the page is served at, without a slash at its end.
	Root string
	// ReadOnly leaves out every button, and refuses what they would do.
	ReadOnly bool
	// Payload and Result make the text to show of a task's payload and of its result.
	Payload, Result func([]byte) string
}

// Page opens a connection of its own.
func (q *Queue) Page(o PageOptions) Page {
	return asynqmon.New(asynqmon.Options{
		RootPath: o.Root, RedisConnOpt: connector{q}, ReadOnly: o.ReadOnly,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(func(_ string, payload []byte) string { return o.Payload(payload) }),
		ResultFormatter:  asynqmon.ResultFormatterFunc(func(_ string, result []byte) string { return o.Result(result) }),
	})
}

// pageTimeout is what a button may take that acts on all tasks of a queue.
const pageTimeout = 10 * time.Second

// connector is an asynq.RedisConnOpt.
type connector struct{ q *Queue }

// MakeRedisClient implements asynq.RedisConnOpt.
func (c connector) MakeRedisClient() any {
	client := c.q.newClient(func(o *redis.UniversalOptions) { o.ReadTimeout = pageTimeout })
	client.AddHook(sizeless{})
	c.q.maps.add(client, pageTimeout)
	return client
}

// sizeless is a hook that shows a queue as taking no memory where Redis does not say how much: asynq asks for it in
// the middle of all else that the page shows, and without it the page would show nothing.
type sizeless struct{ link.NoHook }

// ProcessHook implements redis.Hook.
func (sizeless) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		result, ok := cmd.(*redis.Cmd)
		if !ok || !Refused(err) {
			return err
		}
		switch cmd.Name() {
		case "evalsha": // which script it is shows only when it is sent whole
			result.SetErr(sendWhole{})
		case "eval":
			if script, _ := cmd.Args()[1].(string); strings.Contains(script, `redis.call("MEMORY", "USAGE"`) {
				result.SetVal(int64(0))
				result.SetErr(nil)
			}
		}
		return result.Err()
	}
}

// sendWhole makes a caller send its script whole.
type sendWhole struct{}

func (sendWhole) Error() string { return "NOSCRIPT the script must be sent whole" }
func (sendWhole) RedisError()   {}
