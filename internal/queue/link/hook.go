// Package link stands between asynq and its Redis: commands that wait at the same time are sent together, asynq's
// scripts run in Go on the embedded Redis, and all servers of a process hear of cancellations over one connection.
package link

import "github.com/redis/go-redis/v9"

// NoHook implements redis.Hook: it leaves connections and pipelines as they are; hooks on single commands embed it.
type NoHook struct{}

// DialHook implements redis.Hook.
func (NoHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (NoHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
