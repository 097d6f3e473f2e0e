package journal_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/testkit"
	"recarga/topup"
)

// BenchmarkLifecycle takes orders through their whole life: accepted, begun, finished, delivered. Its
// baseline, in the same run, lets one write in at a time, so that each has a commit of its own.
func BenchmarkLifecycle(b *testing.B) {
	engines := []struct {
		name string
		url  func(testing.TB) string
	}{
		{"sqlite", func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "bench.db") }},
		{"postgres", func(tb testing.TB) string { return testkit.PostgresOwn(tb).URL() }},
	}
	for _, e := range engines {
		for _, workers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", e.name, workers), func(b *testing.B) {
				benchmarkLifecycle(b, e.url(b), workers, new(noLock))
			})
		}
		b.Run(e.name+"/baseline=64", func(b *testing.B) {
			benchmarkLifecycle(b, e.url(b), 64, new(sync.Mutex))
		})
	}
}

type noLock struct{}

func (noLock) Lock()   {}
func (noLock) Unlock() {}

func benchmarkLifecycle(b *testing.B, url string, workers int, alone sync.Locker) {
	var c commits
	j := open(b, url, journal.WithObserver(c.count))
	b.ResetTimer()
	lifecycles(b, j, b.N, workers, alone)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric(float64(c.operations.Load())/float64(c.made.Load()), "writes/commit")
}

// lifecycles takes n orders from acceptance to the delivery of their event.
func lifecycles(tb testing.TB, j *journal.Journal, n, workers int, alone sync.Locker) {
	tb.Helper()
	var next atomic.Int64
	each(workers, func(int) {
		for i := next.Add(1); i <= int64(n); i = next.Add(1) {
			if err := lifecycle(tb, j, fmt.Sprintf("ORD-%08d", i), alone); err != nil {
				tb.Error(err)
				return
			}
		}
	})
}

func lifecycle(tb testing.TB, j *journal.Journal, id string, alone sync.Locker) error {
	ctx, now := tb.Context(), time.Now()
	var o topup.Order
	var ev *topup.Event
	steps := []func() error{
		func() (err error) { o, _, err = j.Accept(ctx, request(id), now); return err },
		func() (err error) { o, err = j.Begin(ctx, o.ID, 0, workerName, now.Add(time.Minute), now); return err },
		func() (err error) { o, ev, err = j.Finish(ctx, settlement(o, topup.StateSucceeded), now); return err },
		func() error {
			status := 200
			return j.RecordTry(ctx, *ev, topup.Try{At: now, Status: &status, DurationMS: 12}, topup.EventDelivered, time.Time{})
		},
	}
	for _, step := range steps {
		alone.Lock()
		err := step()
		alone.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkOrder(b *testing.B) {
	j := open(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"))
	if _, _, err := j.Accept(b.Context(), request("A"), time.Now()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := j.Order(b.Context(), "A"); err != nil {
			b.Fatal(err)
		}
	}
}
