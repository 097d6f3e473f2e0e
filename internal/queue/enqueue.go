package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/tasks"
	"recarga/topup"
)

const (
	// enqueueTimeout bounds what a caller waits for Redis; the sweep enqueues again what failed.
	enqueueTimeout = 500 * time.Millisecond
	// outagePause is how long nobody else tries after Redis did not take a task.
	outagePause = time.Second
	// outageAsk is how often Redis is asked meanwhile whether it answers again.
	outageAsk = 100 * time.Millisecond
	// soonEnough is how much later than asked a waiting task may run, and count as the one that wakes.
	soonEnough = time.Minute
	// overdueForward is how long after its time asynq should have moved a scheduled task to the pending ones.
	overdueForward = 30 * time.Second
	// generations bounds the ids tried for one order or event.
	generations = 16
	// pendingPage bounds what is read of the pending tasks, to find one.
	pendingPage = 2000
)

// ErrUnreachable: Redis did not answer a moment ago, so nothing was enqueued.
var ErrUnreachable = errors.New("redis is not reachable")

// EnqueueOrder asks some worker to process an order at the given time (now, if it has passed). An error
// means that none was asked; the sweep will ask.
func (q *Queue) EnqueueOrder(ctx context.Context, r topup.Request, at time.Time) error {
	return q.enqueueSubject(ctx, ofOrder(r), at, false)
}

// EnqueueEvent asks some worker to deliver an event at the given time.
func (q *Queue) EnqueueEvent(ctx context.Context, eventID string, at time.Time) error {
	return q.enqueueSubject(ctx, ofEvent(eventID), at, false)
}

// ForceEnqueueOrder enqueues an order that should have been processed long ago: a task that is active in
// asynq for it counts as dead, and a new one is made beside it. Both may run: the journal decides.
func (q *Queue) ForceEnqueueOrder(ctx context.Context, r topup.Request) error {
	return q.enqueueSubject(ctx, ofOrder(r), time.Time{}, true)
}

// ForceEnqueueEvent is ForceEnqueueOrder for an event.
func (q *Queue) ForceEnqueueEvent(ctx context.Context, eventID string) error {
	return q.enqueueSubject(ctx, ofEvent(eventID), time.Time{}, true)
}

// subject is the order or event that a task is for.
type subject struct {
	// queue is the task's, and id the order's or event's.
	queue, id string
	// attribute is the name of the id in a trace.
	attribute string
	task      func(context.Context) (*asynq.Task, error)
}

func ofOrder(r topup.Request) subject {
	return subject{tasks.QueueTopups, string(r.ID), topup.TraceOrder,
		func(ctx context.Context) (*asynq.Task, error) { return tasks.NewPurchaseContext(ctx, r) }}
}

func ofEvent(id string) subject {
	return subject{tasks.QueueWebhooks, id, topup.TraceEvent,
		func(ctx context.Context) (*asynq.Task, error) { return tasks.NewDelivery(ctx, id) }}
}

func (q *Queue) enqueueSubject(ctx context.Context, s subject, at time.Time, force bool) error {
	if !q.outage.over() {
		return ErrUnreachable
	}
	ctx, span := q.startEnqueue(ctx, s)
	task, err := s.task(ctx)
	if err != nil {
		endEnqueue(span, "", err)
		return err
	}
	// A client that hangs up does not stop its order, which has been accepted, from being enqueued; and what ends
	// early says nothing of Redis.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enqueueTimeout)
	defer cancel()
	taskID, err := q.enqueueTask(ctx, task, s, at, force)
	endEnqueue(span, taskID, err)
	return err
}

// enqueueTask enqueues a task under its subject's id. Where a task of that id can wake nobody any more in time (it is
// archived, a ghost without a list, active for too long, or scheduled for much later), it takes id~1, id~2, … It
// returns no id where a task is there already.
func (q *Queue) enqueueTask(
	ctx context.Context, task *asynq.Task, s subject, at time.Time, force bool,
) (taskID string, err error) {
	for generation := range generations {
		taskID := s.id
		if generation > 0 {
			taskID = fmt.Sprintf("%s~%d", s.id, generation)
		}
		err := q.enqueueAt(ctx, task, s.queue, taskID, at)
		switch {
		case err == nil:
			return taskID, nil
		case !errors.Is(err, asynq.ErrTaskIDConflict):
			q.outage.begin()
			return "", fmt.Errorf("enqueue %s: %w", taskID, err)
		case q.willWake(ctx, s.queue, taskID, at, force):
			return "", nil
		}
	}
	return q.enqueueLast(ctx, task, s, at)
}

// enqueueLast enqueues a task where those of all other ids are stuck.
func (q *Queue) enqueueLast(
	ctx context.Context, task *asynq.Task, s subject, at time.Time,
) (taskID string, err error) {
	taskID = q.lastID(s.id, time.Now())
	err = q.enqueueAt(ctx, task, s.queue, taskID, at)
	switch {
	case errors.Is(err, asynq.ErrTaskIDConflict):
		return "", nil
	case err != nil:
		q.outage.begin()
		return "", fmt.Errorf("enqueue %s: %w", taskID, err)
	}
	q.log.WarnContext(ctx, "all tasks of an id are stuck; made another one", "queue", s.queue, "id", s.id, "task", taskID)
	return taskID, nil
}

// enqueueAt enqueues a task under an id.
func (q *Queue) enqueueAt(ctx context.Context, task *asynq.Task, queue, id string, at time.Time) error {
	now := time.Now()
	_, err := q.client.EnqueueContext(ctx, task, asynq.TaskID(id), asynq.ProcessAt(processAt(at, now)))
	switch {
	case err != nil:
	case at.After(now):
		q.due.keep(dueTask{at: at, queue: queue, id: id})
	default:
		q.wake[queue].announce(1)
	}
	return err
}

// lastID is the id of a task for whose order or event all others are stuck: one a minute of each process, and none
// that anybody could take before.
func (q *Queue) lastID(id string, now time.Time) string {
	return id + "~" + q.nonce + "-" + strconv.FormatInt(now.Unix()/60, 36)
}

// willWake reports whether the task that has an id will still be run, at about the time given. asynq refuses an id
// while any trace of its task is left, also of one that nothing will ever run.
func (q *Queue) willWake(ctx context.Context, queue, taskID string, at time.Time, force bool) bool {
	info, err := q.inspector.GetTaskInfo(queue, taskID)
	if err != nil {
		// It ended between the two questions, or it is a ghost; a task too many harms nobody.
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

// lost reports whether a task that calls itself pending is missing from the pending ones, so that nothing would ever
// find it. It is not said of a list longer than pendingPage.
func (q *Queue) lost(ctx context.Context, queue, taskID string) bool {
	list := "asynq:{" + queue + "}:pending"
	pipe := q.rest.Pipeline()
	length := pipe.LLen(ctx, list)
	place := pipe.LPos(ctx, list, taskID, redis.LPosArgs{Rank: -1, MaxLen: pendingPage})
	_, _ = pipe.Exec(ctx) // each has an error of its own
	return length.Err() == nil && length.Val() <= pendingPage && errors.Is(place.Err(), redis.Nil)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// outage remembers that Redis did not answer, so that not every caller waits for the same time-out.
type outage struct {
	until atomic.Int64
	// begun has a token when somebody must find out when it is over.
	begun chan struct{}
}

func (o *outage) begin() {
	o.until.Store(time.Now().Add(outagePause).UnixNano())
	offer(o.begun)
}

func (o *outage) over() bool { return time.Now().UnixNano() >= o.until.Load() }

// watch ends an outage as soon as Redis answers.
func (o *outage) watch(ctx context.Context, ask func() error) {
	tick := time.NewTicker(outageAsk)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.begun:
		}
		for answers := false; !answers && !o.over(); {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if answers = ask() == nil; answers {
				o.until.Store(0)
			}
		}
	}
}
