package queue

import (
	"context"
	"fmt"

	"github.com/hibiken/asynq"

	"recarga/tasks"
)

// Glance is what asynq says of our queues, by name.
func (q *Queue) Glance(ctx context.Context) (map[string]asynq.QueueInfo, error) {
	if err := q.Announce(ctx); err != nil { // asynq knows no queue that nothing was ever put into
		return nil, fmt.Errorf("queues: %w", err)
	}
	found := map[string]asynq.QueueInfo{}
	for _, name := range []string{tasks.QueueTopups, tasks.QueueWebhooks} {
		info, err := q.inspector.GetQueueInfo(name)
		if err != nil {
			return nil, fmt.Errorf("queue %s: %w", name, err)
		}
		found[name] = *info
	}
	return found, nil
}

// Pause stops a queue: no worker takes a task of it until Resume. Pausing what is paused is no error.
func (q *Queue) Pause(ctx context.Context, name string) error {
	return q.turn(ctx, name, true, q.inspector.PauseQueue)
}

// Resume undoes Pause. Resuming what is not paused is no error.
func (q *Queue) Resume(ctx context.Context, name string) error {
	return q.turn(ctx, name, false, q.inspector.UnpauseQueue)
}

func (q *Queue) turn(ctx context.Context, name string, paused bool, do func(string) error) error {
	all, err := q.Glance(ctx)
	if err != nil || all[name].Paused == paused {
		return err
	}
	if err := do(name); err != nil {
		return fmt.Errorf("queue %s: %w", name, err)
	}
	return nil
}
