package queue

import (
	"net/http"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
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

// connector is an asynq.RedisConnOpt.
type connector struct{ q *Queue }

// MakeRedisClient implements asynq.RedisConnOpt.
func (c connector) MakeRedisClient() any { return c.q.newClient(func(*redis.UniversalOptions) {}) }
