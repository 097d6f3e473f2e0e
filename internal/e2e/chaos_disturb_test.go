package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/hibiken/asynq"

	"recarga/internal/testkit"
	"recarga/tasks"
)

// disturbances are all that can happen now.
func (c *chaos) disturbances(end time.Time) []disturbance {
	all := slices.Concat(c.onMembers(end), c.onRedis(), c.onNetworks())
	if c.pg != nil {
		all = append(all, c.onPostgres()...)
	}
	if c.disk != nil {
		part := "disk"
		if c.pg != nil {
			part = "postgres" // which cannot start without room
		}
		all = append(all, disturbance{"disk full", part, 2, func() {
			c.disk.fill()
			c.until(part, c.between(time.Second, 4*time.Second), c.disk.free)
		}})
	}
	return all
}

func (c *chaos) onMembers(end time.Time) []disturbance {
	m := c.members[c.r.IntN(len(c.members))]
	part := fmt.Sprintf("%p", m)
	// A pause outlives the attempt's deadline (5 s) in a short run, and asynq's leases in a long one.
	// Most are short: what is paused places no orders.
	pause := c.between(6*time.Second, 10*time.Second)
	if c.r.IntN(8) == 0 {
		pause = c.between(6*time.Second, max(7*time.Second, min(100*time.Second, time.Until(end)/4+7*time.Second)))
	}
	return []disturbance{
		{"kill -9", part, 8, func() {
			if m.down {
				return // it refused to start
			}
			m.down = true
			m.process.kill()
			c.until(part, c.between(0, 2*time.Second), func() { c.start(m) })
		}},
		{"SIGTERM", part, 3, func() {
			m.leaving = true
			_ = m.process.cmd.Process.Signal(syscall.SIGTERM)
		}},
		{"SIGSTOP", part, 3, func() {
			p := m.process
			_ = p.cmd.Process.Signal(syscall.SIGSTOP)
			c.until(part, pause, func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) })
		}},
	}
}

// onNetworks makes a network bad, for everybody or for one process.
func (c *chaos) onNetworks() (all []disturbance) {
	for _, to := range slices.Sorted(maps.Keys(c.links)) {
		links, part := c.links[to], "the network to "+to
		if c.r.IntN(2) == 0 {
			links = links[c.r.IntN(len(links)):][:1]
		}
		delay := c.between(50*time.Millisecond, 400*time.Millisecond)
		for _, way := range []struct {
			name string
			do   func(*testkit.Link)
		}{
			{"cut", (*testkit.Link).Cut}, {"stalls", (*testkit.Link).Stall}, {"loses answers", (*testkit.Link).Mute},
			{"is slow", func(l *testkit.Link) { l.Slow(delay) }},
		} {
			all = append(all, disturbance{part + " " + way.name, part, 1, func() {
				each(links, way.do)
				c.until(part, c.between(0, 5*time.Second), func() { each(links, (*testkit.Link).Heal) })
			}})
		}
	}
	return all
}

func (c *chaos) onRedis() []disturbance {
	server := c.redis[c.r.IntN(len(c.redis))]
	// Of a group, another one takes over meanwhile.
	away := c.between(0, 3*time.Second)
	if len(c.redis) > 1 {
		away = c.between(2*time.Second, 8*time.Second)
	}
	return []disturbance{
		{"Redis server killed", "redis", 2, func() {
			server.Kill()
			c.until("redis", away, server.Start)
		}},
		{"Redis server paused", "redis", 1, func() {
			server.Pause()
			c.until("redis", c.between(time.Second, 4*time.Second), server.Resume)
		}},
		{"FLUSHALL", "redis", 3, func() { c.inRedis(func(ctx context.Context) { c.client.FlushAll(ctx) }) }},
		{"click in the queue's page", "redis", 12, func() { c.inRedis(c.click) }},
	}
}

func (c *chaos) onPostgres() []disturbance {
	all := []disturbance{
		{"PostgreSQL killed", "postgres", 1, func() {
			c.pg.Kill()
			c.until("postgres", c.between(0, 3*time.Second), c.pg.Start)
		}},
		{"PostgreSQL restarted", "postgres", 1, func() {
			each(c.links["standby"], (*testkit.Link).Heal) // it does not stop before the standby has everything
			c.pg.Stop()
			c.until("postgres", c.between(0, time.Second), c.pg.Start)
		}},
		{"PostgreSQL read-only", "postgres", 1, func() {
			c.pg.ReadOnly(true)
			c.until("postgres", c.between(time.Second, 4*time.Second), func() { c.pg.ReadOnly(false) })
		}},
	}
	if c.standby == nil {
		return all
	}
	return append(all, disturbance{"PostgreSQL fails over to its standby", "postgres", 1, func() {
		c.pg.Kill()
		c.until("postgres", c.between(0, 2*time.Second), func() {
			c.standby.Promote()
			each(c.links["PostgreSQL"], func(l *testkit.Link) { l.Turn(c.standby.Addr()) })
			each(c.links["standby"], (*testkit.Link).Heal)
			delete(c.links, "standby")
			c.pg, c.standby = c.standby, nil
		})
	}})
}

func (c *chaos) inRedis(do func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	do(ctx)
}

// click does one of the things that somebody may do on the queue's page. Most fail: the task is gone.
func (c *chaos) click(ctx context.Context) {
	queue := []string{tasks.QueueTopups, tasks.QueueWebhooks}[c.r.IntN(2)]
	var found []*asynq.TaskInfo
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		c.inspector.ListPendingTasks, c.inspector.ListActiveTasks, c.inspector.ListScheduledTasks,
		c.inspector.ListRetryTasks, c.inspector.ListArchivedTasks,
	} {
		some, _ := list(queue, asynq.PageSize(5)) // no such queue, after a flush
		found = append(found, some...)
	}
	clicks := []func(){
		func() {
			if c.inspector.PauseQueue(queue) == nil {
				c.until("pause of "+queue, c.between(0, 3*time.Second), func() { _ = c.inspector.UnpauseQueue(queue) })
			}
		},
		func() { _, _ = c.inspector.ArchiveAllPendingTasks(queue) },
		func() { _, _ = c.inspector.DeleteAllRetryTasks(queue) },
		func() { _, _ = c.inspector.RunAllRetryTasks(queue) },
		func() { _, _ = c.inspector.RunAllArchivedTasks(queue) },
		func() { _ = c.inspector.DeleteQueue(queue, true) },
	}
	for _, task := range found {
		clicks = append(clicks,
			func() { _ = c.inspector.DeleteTask(queue, task.ID) },
			func() { _ = c.inspector.RunTask(queue, task.ID) },
			func() { _ = c.inspector.ArchiveTask(queue, task.ID) },
			func() { _ = c.inspector.CancelProcessing(task.ID) },
			func() { c.client.Del(ctx, "asynq:{"+queue+"}:t:"+task.ID) },
		)
	}
	clicks[c.r.IntN(len(clicks))]()
}
