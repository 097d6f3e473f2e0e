package queue_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

// TestProcessAt: whenever asynq looks, which it does once a second and by whole seconds, it hands over a task before its
// time; or after it, where its process keeps the time.
func TestProcessAt(t *testing.T) {
	now := time.Now()
	for range 10_000 {
		wait := time.Duration(rand.Int64N(int64(testkit.Times(10, 100)) * int64(time.Second)))
		due := now.Add(wait)
		score := queue.ProcessAt(due, now).Truncate(time.Second) // as asynq writes it
		switch {
		case wait > queue.Nearly:
			if latest := score.Add(time.Second); latest.After(due) {
				t.Fatalf("due after %s, asynq hands over %s too late", wait, latest.Sub(due))
			}
			if due.Sub(score) > queue.Nearly {
				t.Fatalf("due after %s, asynq hands over %s before, when nobody keeps the time", wait, due.Sub(score))
			}
		case score.Before(due), score.After(due.Add(time.Second)):
			t.Fatalf("due after %s, asynq hands over after %s", wait, score.Sub(now))
		}
	}
}

// TestDueWithoutAsynq: what is due soon becomes pending where nobody serves the queue, and asynq moves nothing.
func TestDueWithoutAsynq(t *testing.T) {
	for name, url := range map[string]func() string{
		"embedded": func() string { return queue.Embedded }, "redis": func() string { return testkit.Redis(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := open(t, url())
			const orders = 40
			begin := time.Now().Add(200 * time.Millisecond)
			for _, i := range rand.Perm(orders) {
				id, at := topup.ID(fmt.Sprintf("ORD-%02d", i)), begin.Add(time.Duration(i)*10*time.Millisecond)
				persist(t, func() error { return q.EnqueueOrder(t.Context(), request(id), at) })
			}
			testkit.Eventually(t, testkit.Patience, func() bool {
				pending, err := q.Redis().LLen(t.Context(), "asynq:{"+tasks.QueueTopups+"}:pending").Result()
				return err == nil && pending == orders
			}, "all are pending")
		})
	}
}

// TestComesBackWithoutAsynq: a handler that asks to be run again soon is, where asynq moves nothing because another
// process leads.
func TestComesBackWithoutAsynq(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	q.LedBy(func() bool { return false })
	const times = 5
	due := []time.Time{{}} // of each run; that of the next one is written before it runs
	calls, handler := recorded(func() (time.Time, error) {
		if len(due) == times {
			return done()
		}
		due = append(due, time.Now().Add(time.Duration(rand.Int64N(int64(100*time.Millisecond)))))
		return due[len(due)-1], nil
	})
	serve(t, q, handler)
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("ORD-1"), time.Time{}) })
	var runs []run
	for range times {
		runs = append(runs, next(t, calls))
	}
	for i, r := range runs {
		if r.at.Before(due[i]) {
			t.Errorf("it runs %s early", due[i].Sub(r.at))
		}
	}
}
