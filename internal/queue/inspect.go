package queue

import (
	"context"
	"fmt"
	"maps"
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

func infoOf(queue string, h QueueHealth) Info {
	i := Info{
		Queue: queue, Paused: h.Paused, Pending: h.Depth["pending"], Active: h.Depth["active"],
		Scheduled: h.Depth["scheduled"], Retry: h.Depth["retry"], Archived: h.Depth["archived"], Latency: h.OldestPending,
	}
	i.Size = i.Pending + i.Active + i.Scheduled + i.Retry + i.Archived
	return i
}

// infos are what queues have in them, in the order of their names. asynq's own question for it wants MEMORY, which
// hosted Redis may not permit.
func infos(ctx context.Context, rdb redis.UniversalClient, names []string) ([]Info, error) {
	pipe, now := rdb.Pipeline(), time.Now()
	counts := map[string]*redis.Cmd{}
	for _, name := range names {
		counts[name] = survey(ctx, pipe, name, now)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var all []Info
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		found, err := counts[name].Slice()
		if err != nil {
			return nil, fmt.Errorf("queue %s: %w", name, err)
		}
		all = append(all, infoOf(name, healthOf(found, 0, Repairs{})))
	}
	return all, nil
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
func (i Inspector) Queues(ctx context.Context) (all []Info, err error) {
	names, err := i.asynq.Queues()
	if err != nil || len(names) == 0 {
		return nil, err
	}
	return infos(ctx, i.rdb, names)
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
	all, err := infos(ctx, q.rest, ourQueues())
	if err != nil {
		return nil, fmt.Errorf("queues: %w", err)
	}
	for _, info := range all {
		found[info.Queue] = info
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
