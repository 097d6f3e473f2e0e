package queue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"recarga/tasks"
	"recarga/topup"
)

const (
	// enqueueTimeout bounds what a caller waits for Redis; the sweep enqueues what was not.
	enqueueTimeout = 500 * time.Millisecond
	// outagePause is how long nobody else tries after an enqueueing failed for want of Redis.
	outagePause = time.Second
	// soonEnough is how much later than asked a task that waits may run, and count as the one that wakes.
	soonEnough = time.Minute
	// overdueForward is how long after its time asynq should have moved a task that was put off to those that wait.
	overdueForward = 30 * time.Second
	// generations bounds the ids tried for one order or event.
	generations = 16
)

// ErrUnreachable: Redis did not answer a moment ago, so this one was not tried.
var ErrUnreachable = errors.New("redis is not reachable")

// EnqueueOrder asks some worker to look at an order at the given time (now, if it has passed). An error
// means that nobody was notified; the sweep will.
func (q *Queue) EnqueueOrder(ctx context.Context, r topup.Request, at time.Time) error {
	return q.add(ctx, orderItem(r), at, false)
}

// EnqueueEvent asks some worker to deliver an event at the given time.
func (q *Queue) EnqueueEvent(ctx context.Context, eventID string, at time.Time) error {
	return q.add(ctx, eventItem(eventID), at, false)
}

// ForceEnqueueOrder enqueues an order that should have been looked at long ago: a task that is active in
// asynq for it counts as dead, and a new one is made beside it. Both may run: the journal decides.
func (q *Queue) ForceEnqueueOrder(ctx context.Context, r topup.Request) error {
	return q.add(ctx, orderItem(r), time.Time{}, true)
}

// ForceEnqueueEvent is ForceEnqueueOrder for an event.
func (q *Queue) ForceEnqueueEvent(ctx context.Context, eventID string) error {
	return q.add(ctx, eventItem(eventID), time.Time{}, true)
}

// item is what somebody is woken for.
type item struct {
	queue, id string
	task      func(context.Context) (*asynq.Task, error)
}

func orderItem(r topup.Request) item {
	return item{tasks.QueueTopups, string(r.ID), func(ctx context.Context) (*asynq.Task, error) { return tasks.NewPurchaseContext(ctx, r) }}
}

func eventItem(id string) item {
	return item{tasks.QueueWebhooks, id, func(ctx context.Context) (*asynq.Task, error) { return tasks.NewDelivery(ctx, id) }}
}

func (q *Queue) add(ctx context.Context, r item, at time.Time, force bool) error {
	if !q.outage.over() {
		return ErrUnreachable
	}
	ctx, span := q.startEnqueue(ctx, r)
	task, err := r.task(ctx)
	if err != nil {
		endEnqueue(span, "", err)
		return err
	}
	// A client that hangs up does not stop its order, which has been accepted, from being enqueued; and what ends
	// early says nothing of Redis.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enqueueTimeout)
	defer cancel()
	taskID, err := q.put(ctx, task, r, at, force)
	endEnqueue(span, taskID, err)
	return err
}

// put enqueues a task under the item's id, or, where a task of that id can wake nobody any more
// in time (archived, a ghost without a list, active for too long, or put off until much later), under id~1, id~2, … It returns no id where
// a task is there already.
func (q *Queue) put(ctx context.Context, task *asynq.Task, r item, at time.Time, force bool) (taskID string, err error) {
	for generation := range generations {
		taskID := r.id
		if generation > 0 {
			taskID = fmt.Sprintf("%s~%d", r.id, generation)
		}
		_, err := q.client.EnqueueContext(ctx, task, asynq.TaskID(taskID), asynq.ProcessAt(notBefore(at)))
		switch {
		case err == nil:
			if !at.After(time.Now()) {
				q.wake[r.queue].announce()
			}
			return taskID, nil
		case !errors.Is(err, asynq.ErrTaskIDConflict):
			q.outage.begin()
			return "", fmt.Errorf("enqueue %s: %w", taskID, err)
		case q.willWake(ctx, r.queue, taskID, at, force):
			return "", nil
		}
	}
	return q.putLast(ctx, task, r, at)
}

// putLast enqueues a task where those of all other ids are stuck.
func (q *Queue) putLast(ctx context.Context, task *asynq.Task, r item, at time.Time) (taskID string, err error) {
	taskID = q.lastID(r.id, time.Now())
	_, err = q.client.EnqueueContext(ctx, task, asynq.TaskID(taskID), asynq.ProcessAt(notBefore(at)))
	switch {
	case errors.Is(err, asynq.ErrTaskIDConflict):
		return "", nil
	case err != nil:
		q.outage.begin()
		return "", fmt.Errorf("enqueue %s: %w", taskID, err)
	}
	q.log.WarnContext(ctx, "all tasks of an id are stuck; made another one", "queue", r.queue, "id", r.id, "task", taskID)
	return taskID, nil
}

// willWake reports whether the task that holds an id will still be run, at about the time given. asynq refuses an id while any
// trace of its task is left, also of one that nothing will ever run.
func (q *Queue) willWake(ctx context.Context, queue, taskID string, at time.Time, force bool) bool {
	info, err := q.inspector.GetTaskInfo(queue, taskID)
	if err != nil {
		// It ended between the two questions, or it is a ghost; one wake-up too many harms nobody.
		return false
	}
	switch info.State {
	case asynq.TaskStatePending:
		return !force || !q.lost(ctx, queue, taskID)
	case asynq.TaskStateScheduled, asynq.TaskStateRetry:
		if force && time.Since(info.NextProcessAt) > overdueForward {
			return false
		}
		// An event that is sent again has a task that waits for the next try of the schedule, for up to a day.
		return !info.NextProcessAt.After(later(at, time.Now()).Add(soonEnough))
	case asynq.TaskStateActive:
		return !force
	default:
		return false
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// notBefore rounds up to the next second: asynq cuts due times to whole seconds, which would make a
// task run up to a second early.
func notBefore(at time.Time) time.Time {
	whole := at.Truncate(time.Second)
	if whole.Equal(at) {
		return at
	}
	return whole.Add(time.Second)
}

// outage remembers that Redis did not answer, so that not every caller waits for the same time-out.
type outage struct{ until atomic.Int64 }

func (o *outage) begin()     { o.until.Store(time.Now().Add(outagePause).UnixNano()) }
func (o *outage) over() bool { return time.Now().UnixNano() >= o.until.Load() }
