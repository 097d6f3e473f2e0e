package queue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// archiveAlarm is well below the 10,000 archived tasks above which asynq deletes without a word.
	archiveAlarm = 5_000
	// skewAlarm is well below the 30 s that asynq's leases bear.
	skewAlarm = 5 * time.Second
)

// Health is what one watch saw.
type Health struct {
	// Skew is how far this machine's clock is ahead of Redis' (negative: behind), give or take half a
	// round trip. asynq's leases and due times are written and read by the clocks of the workers, and
	// from 30 s on live tasks seem abandoned.
	Skew time.Duration
	// SkewUnknown: Redis permits no TIME.
	SkewUnknown bool
	// Queues are ours, by name.
	Queues map[string]QueueHealth
	// MemoryUsed and MemoryMax are what Redis uses and the most that it may, in bytes; 0 for what it does not say, or
	// where there is no limit. Of a cluster they are one node's.
	MemoryUsed, MemoryMax int64
}

// QueueHealth is the state of one queue.
type QueueHealth struct {
	// Depth counts the tasks by state: pending, active, scheduled, retry, archived and completed.
	Depth map[string]int
	// OldestPending is how long the next task has been waiting; 0 when none waits.
	OldestPending time.Duration
	// Paused by a person. A pause has no end of its own.
	Paused bool
	// Servers serve the queue, in all processes; a worker has several. One that was killed counts for
	// 10 s more.
	Servers int
	// ActiveWithoutLease are tasks that asynq would call active for ever. They get a lease, which has
	// ended, once they have been so for a minute.
	ActiveWithoutLease int
	// OverdueLeases ended more than 90 s ago and nobody has taken their tasks back, as some server
	// should have done.
	OverdueLeases int
	// Undecodable messages are kept, up to 1,000, in the Redis hash recarga:{QUEUE}:quarantine, by
	// task id. Deleting that key says that somebody has seen them.
	Undecodable int
	// Repaired counts what this watch did; what others did meanwhile, they have counted.
	Repaired Repairs
}

// Repairs are counts of what a watch fixed. Whatever order or event stood behind a task that was
// removed, the journal's sweep enqueues it again.
type Repairs struct {
	// Leases given to active tasks that had none, so that asynq takes them back.
	Leases int
	// Vanished are active tasks removed because their message is gone: nothing could ever run them.
	Vanished int
	// Quarantined are messages that cannot be decoded, taken out of the way of all others.
	Quarantined int
	// Archived tasks deleted for their age.
	Archived int
}

// Alarms are the things that a person must see to, a sentence each, queue by queue.
func (h Health) Alarms() []string {
	var alarms []string
	if h.Skew.Abs() > skewAlarm {
		skew := h.Skew.Abs().Round(time.Millisecond)
		alarms = append(alarms, fmt.Sprintf("this machine's clock and Redis' differ by %s", skew))
	}
	for _, name := range slices.Sorted(maps.Keys(h.Queues)) {
		q := h.Queues[name]
		for _, alarm := range []struct {
			on   bool
			text string
		}{
			{q.Paused, "is paused"},
			{q.Servers == 0, "is served by nobody"},
			{q.ActiveWithoutLease > 0, fmt.Sprintf("has %d active tasks without a lease", q.ActiveWithoutLease)},
			{q.OverdueLeases > 0, fmt.Sprintf("has %d tasks of lost workers that nobody takes back", q.OverdueLeases)},
			{q.Undecodable > 0, fmt.Sprintf("had %d tasks that cannot be decoded", q.Undecodable)},
			{q.Depth["archived"] > archiveAlarm, fmt.Sprintf("has %d archived tasks", q.Depth["archived"])},
		} {
			if alarm.on {
				alarms = append(alarms, "queue "+name+" "+alarm.text)
			}
		}
	}
	return alarms
}

// memory is for Health.
func (q *Queue) memory(ctx context.Context) (used, most int64) {
	if q.embedded != nil {
		return 0, 0
	}
	text, err := q.rest.Info(ctx, "memory").Result()
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "used_memory":
			used, _ = strconv.ParseInt(value, 10, 64) // not a number: as if it were not said
		case "maxmemory":
			most, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	return used, most
}
