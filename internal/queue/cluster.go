package queue

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// mapped is a hook that has a Redis Cluster's client read anew which server has which keys, whenever one has not
// answered. By itself the client does so once a minute, or when a server says that the keys have moved; one that has
// died says nothing.
type mapped struct {
	noHook
	cluster *redis.ClusterClient
}

func (m *mapped) note(ctx context.Context, err error) {
	var reply redis.Error
	if err != nil && !errors.As(err, &reply) {
		m.cluster.ReloadState(ctx)
	}
}

// ProcessHook implements redis.Hook.
func (m *mapped) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		m.note(ctx, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (m *mapped) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		m.note(ctx, err)
		return err
	}
}
