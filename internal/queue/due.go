package queue

import (
	"container/heap"
	"context"
	_ "embed"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// asynq counts whole seconds and looks once a second for what is due, so that a task comes up to two seconds late,
// with all others of its second. So a task that waits for longer than nearly is handed over early: its handler, which
// knows the time of its order or event, asks to be run again then. Who hears of a time so near keeps it in this
// process, and makes the task pending at that moment. Should the process end before, asynq does, at the next second.
const (
	// handOver is how long before its time asynq is to hand over a task. It takes up to a second.
	handOver = 1500 * time.Millisecond
	// nearly is how long a process keeps the time of a task: from the earliest moment that asynq hands it over.
	nearly = handOver + time.Second
	// dueAgain is when a task is asked for again that its handler has not given back yet, and dueTries how often.
	dueAgain, dueTries = 5 * time.Millisecond, 8
	// duePage bounds the tasks of one script, and mostDue those that a process keeps.
	duePage, mostDue = 200, 100_000
)

//go:embed due.lua
var dueSource string

var dueScript = redis.NewScript(dueSource)

// processAt is the time that asynq is given for a task which is due at another one.
func processAt(due, now time.Time) time.Time {
	switch wait := due.Sub(now); {
	case wait <= 0:
		return due
	case wait > nearly:
		return due.Add(-handOver).Truncate(time.Second)
	}
	whole := due.Truncate(time.Second)
	if whole.Before(due) { // rounded up: asynq cuts it, and a task would run early again and again
		whole = whole.Add(time.Second)
	}
	return whole
}

// dueTask is a task that waits for a time which is near.
type dueTask struct {
	at        time.Time
	queue, id string
	// tries counts how often it was active at its time.
	tries int
}

// dueTasks are those whose times this process keeps, the next one first.
type dueTasks struct {
	mu  sync.Mutex
	all dueHeap
	// sooner has a token when the next time has come nearer.
	sooner chan struct{}
}

// keep keeps the time of a task, if it is near.
func (d *dueTasks) keep(t dueTask) {
	if time.Until(t.at) > nearly {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.all) >= mostDue {
		return
	}
	heap.Push(&d.all, t)
	if d.all[0].at.Equal(t.at) {
		offer(d.sooner)
	}
}

// take removes the tasks that are due, and says how long the next one waits.
func (d *dueTasks) take() (due []dueTask, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.all) > 0 {
		if wait = time.Until(d.all[0].at); wait > 0 {
			return due, wait
		}
		due = append(due, heap.Pop(&d.all).(dueTask))
	}
	return due, time.Hour
}

// runDue makes each task pending at its time, until ctx ends.
func (q *Queue) runDue(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due, wait := q.due.take()
		byQueue := map[string][]dueTask{}
		for _, t := range due {
			byQueue[t.queue] = append(byQueue[t.queue], t)
		}
		for _, tasks := range byQueue {
			for page := range slices.Chunk(tasks, duePage) {
				q.makePending(ctx, page)
			}
		}
		if len(due) > 0 {
			continue // others may be due by now
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-q.due.sooner:
		}
	}
}

// makePending makes tasks of one queue pending. Where it fails asynq makes them pending at the next whole second.
func (q *Queue) makePending(ctx context.Context, due []dueTask) {
	prefix := "asynq:{" + due[0].queue + "}:"
	args := []any{prefix + "t:", time.Now().UnixNano()}
	for _, t := range due {
		args = append(args, t.id)
	}
	active, err := dueScript.Run(ctx, q.rest, []string{prefix + "pending", prefix + "scheduled", prefix + "retry"},
		args...).StringSlice()
	if err != nil {
		return
	}
	if n := len(due) - len(active); n > 0 {
		q.wake[due[0].queue].announce(min(n, mostTokens))
	}
	for _, t := range due {
		if slices.Contains(active, t.id) && t.tries < dueTries {
			q.due.keep(dueTask{time.Now().Add(dueAgain << t.tries), t.queue, t.id, t.tries + 1})
		}
	}
}

// dueHeap has the next one first.
type dueHeap []dueTask

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(dueTask)) }
func (h *dueHeap) Pop() (last any) {
	old := *h
	last = old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
