package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/tasks"
)

// Info is what a queue has in it.
type Info struct {
	// Queue is its name.
	Queue string
	// Paused by a person. A pause has no end of its own.
	Paused bool
	// Size counts all tasks but the completed ones: the sum of those that follow.
	Size int
	// Pending tasks wait for a worker, and Active ones have one.
	Pending, Active int
	// Scheduled tasks wait for their time, and Retry ones for their next run.
	Scheduled, Retry int
	// Archived tasks are run by nobody until a person does.
	Archived int
	// Latency is how long the oldest pending task has been waiting; 0 when none waits.
	Latency time.Duration
}

func infoOf(q *asynq.QueueInfo) Info {
	return Info{Queue: q.Queue, Paused: q.Paused, Size: q.Size, Pending: q.Pending, Active: q.Active,
		Scheduled: q.Scheduled, Retry: q.Retry, Archived: q.Archived, Latency: q.Latency}
}

// Inspector reads asynq's queues in any Redis, also one that Open refuses. Where asynq takes no context, the client's
// time-outs bound it.
type Inspector struct {
	asynq *asynq.Inspector
	rdb   redis.UniversalClient
}

// NewInspector reads through a client, which the caller closes.
func NewInspector(rdb redis.UniversalClient) Inspector {
	return Inspector{asynq.NewInspectorFromRedisClient(rdb), rdb}
}

// Queues are all queues there are, also those of others, in the order of their names.
func (i Inspector) Queues() (all []Info, err error) {
	names, err := i.asynq.Queues()
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		q, err := i.asynq.GetQueueInfo(name)
		switch {
		case errors.Is(err, asynq.ErrQueueNotFound): // it was removed meanwhile
		case err != nil:
			return nil, err
		default:
			all = append(all, infoOf(q))
		}
	}
	return all, nil
}

// Serving counts the servers in all processes by the queue that they serve.
func (i Inspector) Serving() (map[string]int, error) {
	servers, err := i.asynq.Servers()
	if err != nil {
		return nil, err
	}
	serving := map[string]int{}
	for _, s := range servers {
		for name := range s.Queues {
			serving[name]++
		}
	}
	return serving, nil
}

// Leaseless counts a queue's active tasks that nobody has a valid lease of. asynq's own inspector shows those whose
// lease is over, not those that have none.
func (i Inspector) Leaseless(ctx context.Context, queue string) (int, error) {
	key := "asynq:{" + queue + "}:"
	active, err := i.rdb.LRange(ctx, key+"active", 0, -1).Result()
	if err != nil {
		return 0, err
	}
	// Read after the active ones: a task that ends in between is in neither, and counts as one; a lease is good for
	// half a minute, so its last second does not matter.
	leased, err := i.rdb.ZRangeByScore(ctx, key+"lease",
		&redis.ZRangeBy{Min: strconv.FormatInt(time.Now().Unix(), 10), Max: "+inf"}).Result()
	if err != nil {
		return 0, err
	}
	return len(slices.DeleteFunc(active, func(id string) bool { return slices.Contains(leased, id) })), nil
}

// Glance is what our queues have in them, by name.
func (q *Queue) Glance(ctx context.Context) (map[string]Info, error) {
	if err := q.Announce(ctx); err != nil { // asynq knows no queue that nothing was ever put into
		return nil, fmt.Errorf("queues: %w", err)
	}
	found := map[string]Info{}
	for _, name := range ourQueues() {
		info, err := q.inspector.GetQueueInfo(name)
		if err != nil {
			return nil, fmt.Errorf("queue %s: %w", name, err)
		}
		found[name] = infoOf(info)
	}
	return found, nil
}

// Pause stops a queue: no worker takes a task of it until Resume. Pausing what is paused is no error.
func (q *Queue) Pause(ctx context.Context, name string) error {
	return q.setPaused(ctx, name, true, q.inspector.PauseQueue)
}

// Resume undoes Pause. Resuming what is not paused is no error.
func (q *Queue) Resume(ctx context.Context, name string) error {
	return q.setPaused(ctx, name, false, q.inspector.UnpauseQueue)
}

func (q *Queue) setPaused(ctx context.Context, name string, paused bool, do func(string) error) error {
	all, err := q.Glance(ctx)
	if err != nil || all[name].Paused == paused {
		return err
	}
	if err := do(name); err != nil {
		return fmt.Errorf("queue %s: %w", name, err)
	}
	return nil
}

func ourQueues() []string { return []string{tasks.QueueTopups, tasks.QueueWebhooks} }
