package journal_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/testkit"
	"recarga/topup"
)

// BenchmarkLifecycle takes orders through their whole life: accepted, begun, finished, told.
//
// Its baseline is the same with one journal that is used by one goroutine at a time, so that every
// write has a commit of its own.
func BenchmarkLifecycle(b *testing.B) {
	engines := map[string]func(testing.TB) string{
		"sqlite":   func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "bench.db") },
		"postgres": func(tb testing.TB) string { return testkit.PostgresOwn(tb).URL() },
	}
	for name, url := range engines {
		for _, workers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", name, workers), func(b *testing.B) {
				benchmarkLifecycle(b, open(b, url(b)), workers)
			})
		}
	}
}

func benchmarkLifecycle(b *testing.B, j *journal.Journal, workers int) {
	var n atomic.Int64
	b.SetParallelism(workers) // times GOMAXPROCS, which -cpu 1 makes 1
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := lifecycle(j, "ORD-"+strconv.FormatInt(n.Add(1), 10)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	s := j.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric(float64(s.Operations)/float64(s.Commits), "writes/commit")
}

func lifecycle(j *journal.Journal, id string) error {
	ctx, now := context.Background(), time.Now()
	o, _, err := j.Accept(ctx, request(id), now)
	if err != nil {
		return err
	}
	if o, err = j.Begin(ctx, o.ID, 0, "5f0c1d0e-6f35-4b7e-a2a9-0d9b7d1f3c11", now.Add(time.Minute), now); err != nil {
		return err
	}
	_, ev, err := j.Finish(ctx, approved(o), now)
	if err != nil {
		return err
	}
	status := 200
	return j.RecordTry(ctx, *ev, topup.Try{At: now, Status: &status, DurationMS: 12}, topup.EventDelivered, time.Time{})
}

func TestSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "size.db")
	j := open(t, "sqlite:"+path)
	const n = 20000
	done := make(chan error)
	for w := range 64 {
		go func() {
			for i := w; i < n; i += 64 {
				if err := lifecycle(j, fmt.Sprintf("ORD-%08d", i)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 64 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	st, _ := os.Stat(path)
	t.Logf("%d bytes/order", st.Size()/n)
}

func open(tb testing.TB, url string) *journal.Journal {
	tb.Helper()
	j, err := journal.Open(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := j.Close(); err != nil {
			tb.Error(err)
		}
	})
	return j
}

func request(id string) topup.Request {
	return topup.Request{ID: topup.ID(id), Caller: "default", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: 1000, Operator: "MOVISTAR"}
}

func approved(o topup.Order) topup.Settlement {
	return topup.Settlement{ID: o.ID, Number: o.AttemptCount, State: topup.StateSucceeded, Result: topup.Result{
		Outcome: topup.OutcomeApproved, HTTPStatus: 200, Code: "00", Message: "Aprobado", TransactionID: "TXN-123456789012", Reference: "RRN-123456789", AuthCode: "ABC123",
	}}
}
