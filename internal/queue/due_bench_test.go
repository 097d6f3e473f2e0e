package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

// BenchmarkLateness is how late a thousand tasks run that are due within ten seconds: scheduled ones, and those whose
// handler asks to be run again, as that of a retry or of a webhook's next try does. Beside them, asynq by itself.
func BenchmarkLateness(b *testing.B) {
	const count, within = 1000, 10 * time.Second
	for name, lateness := range map[string]func(*testing.B, *queue.Queue, []time.Time) []time.Duration{
		"scheduled": scheduledLateness, "again": againLateness, "asynq": asynqLateness,
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				q := open(b, testkit.Redis(b).URL())
				due := make([]time.Time, count)
				begin := time.Now().Add(3 * time.Second)
				for i := range due {
					due[i] = begin.Add(time.Duration(rand.Int64N(int64(within))))
				}
				late := lateness(b, q, due)
				slices.Sort(late)
				b.ReportMetric(float64(late[count/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(late[count*99/100].Microseconds())/1000, "p99-ms")
			}
		})
	}
}

func numbered(i int) topup.ID { return topup.ID(fmt.Sprint("ORD-", i)) }

// runLate runs what place places, and returns how late each was. again is when a task comes back that is not due yet.
func runLate(b *testing.B, q *queue.Queue, due []time.Time, again bool, place func(int) error) []time.Duration {
	times := map[string]time.Time{}
	for i := range due {
		times[string(numbered(i))] = due[i]
	}
	var mu sync.Mutex
	var late []time.Duration
	all := make(chan struct{})
	serve(b, q, func(_ context.Context, task tasks.Task) (time.Time, error) {
		now := time.Now()
		if again && now.Before(times[task.ID]) {
			return times[task.ID], nil
		}
		mu.Lock()
		defer mu.Unlock()
		if late = append(late, now.Sub(times[task.ID])); len(late) == len(due) {
			close(all)
		}
		return time.Time{}, nil
	})
	for i := range due {
		if err := place(i); err != nil {
			b.Fatal(err)
		}
	}
	<-all
	return late
}

func scheduledLateness(b *testing.B, q *queue.Queue, due []time.Time) []time.Duration {
	return runLate(b, q, due, true, func(i int) error { return q.EnqueueOrder(b.Context(), request(numbered(i)), due[i]) })
}

func againLateness(b *testing.B, q *queue.Queue, due []time.Time) []time.Duration {
	return runLate(b, q, due, true, func(i int) error {
		return q.EnqueueOrder(b.Context(), request(numbered(i)), time.Time{})
	})
}

// asynqLateness leaves the time to asynq, which looks as often as it does in the program.
func asynqLateness(b *testing.B, q *queue.Queue, due []time.Time) []time.Duration {
	client := asynq.NewClientFromRedisClient(q.Redis())
	return runLate(b, q, due, false, func(i int) error {
		task, err := tasks.NewPurchase(request(numbered(i)))
		if err == nil {
			_, err = client.Enqueue(task, asynq.TaskID(string(numbered(i))), asynq.ProcessAt(due[i].Add(time.Second)))
		}
		return err
	})
}
