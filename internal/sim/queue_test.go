package sim

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	queues "recarga/internal/queue"
	"recarga/tasks"
	"recarga/topup"
)

// queue is the queue as it may behave: it hands tasks over at least once, in any order, and forgets some.
type queue struct {
	w      *world
	mu     sync.Mutex
	tasks  []*task
	paused map[string]bool // by name
}

type task struct {
	id      string // the order's or the event's
	event   bool
	payload []byte
	at      time.Time
	by      *process // who handles it; nil: nobody
}

func (t *task) queue() string {
	if t.event {
		return tasks.QueueWebhooks
	}
	return tasks.QueueTopups
}

// Glance implements controls.Queue.
func (q *queue) Glance(context.Context) (map[string]queues.Info, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := map[string]queues.Info{}
	for name, paused := range q.paused {
		all[name] = queues.Info{Paused: paused}
	}
	return all, nil
}

// Pause implements controls.Queue.
func (q *queue) Pause(_ context.Context, name string) error { q.pause(name, true); return nil }

// Resume implements controls.Queue.
func (q *queue) Resume(_ context.Context, name string) error { q.pause(name, false); return nil }

func (q *queue) pause(name string, is bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused[name] = is
}

const (
	// lease is how long a task belongs to a process that has died.
	lease = 30 * time.Second
	// afterError is when a task is run again that failed.
	afterError = 10 * time.Second
)

func (q *queue) add(id string, event bool, payload any, at time.Time, force bool) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	same := func(t *task) bool { return t.id == id && (!force || t.by == nil && !t.at.After(time.Now())) }
	if slices.ContainsFunc(q.tasks, same) {
		return nil
	}
	q.tasks = append(q.tasks, &task{id: id, event: event, payload: body, at: at})
	return nil
}

// EnqueueOrder implements worker.Waker.
func (q *queue) EnqueueOrder(_ context.Context, r topup.Request, at time.Time) error {
	return q.add(string(r.ID), false, r, at, false)
}

// EnqueueEvent implements worker.Waker.
func (q *queue) EnqueueEvent(_ context.Context, id string, at time.Time) error {
	return q.add(id, true, tasks.Delivery{EventID: id}, at, false)
}

// ForceEnqueueOrder implements worker.Waker.
func (q *queue) ForceEnqueueOrder(_ context.Context, r topup.Request) error {
	return q.add(string(r.ID), false, r, time.Time{}, true)
}

// ForceEnqueueEvent implements worker.Waker.
func (q *queue) ForceEnqueueEvent(_ context.Context, id string) error {
	return q.add(id, true, tasks.Delivery{EventID: id}, time.Time{}, true)
}

// Announce implements worker.Waker.
func (*queue) Announce(context.Context) error { return nil }

// due are the tasks that may be handed over now.
func (q *queue) due() (due []*task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.tasks {
		if t.by == nil && !q.paused[t.queue()] && !t.at.After(time.Now()) {
			due = append(due, t)
		}
	}
	return due
}

// next is when the next task is due that is not paused; zero: there is none.
func (q *queue) next() (at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.tasks {
		if t.by == nil && !q.paused[t.queue()] && (at.IsZero() || t.at.Before(at)) {
			at = t.at
		}
	}
	return at
}

// ended learns what a handler returned.
func (q *queue) ended(t *task, again time.Time, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.by = nil
	switch {
	case err != nil && !errors.Is(err, tasks.ErrArchive):
		t.at = time.Now().Add(afterError)
	case err == nil && !again.IsZero():
		t.at = again
	default:
		q.tasks = slices.DeleteFunc(q.tasks, func(other *task) bool { return other == t })
	}
}

// abandoned: a process is dead, and its tasks are handed over again once their lease is over.
func (q *queue) abandoned(p *process) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.tasks {
		if t.by == p {
			t.by, t.at = nil, time.Now().Add(lease)
		}
	}
}

// flush forgets everything.
func (q *queue) flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks, q.paused = nil, map[string]bool{}
}
