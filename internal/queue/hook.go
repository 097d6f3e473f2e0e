package queue

import "github.com/redis/go-redis/v9"

// noHook leaves connections and pipelines as they are; hooks on single commands embed it.
type noHook struct{}

// DialHook implements redis.Hook.
func (noHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (noHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
