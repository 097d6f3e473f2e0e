package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/procfs"

	"recarga/internal/testkit"
)

// BenchmarkWorkers is what many workers cost that share one Redis and one PostgreSQL, b.N seconds long (-benchtime
// 20x): idle, and with 100 orders a second. RECARGA_BENCH_BESIDE names another program, such as the former release,
// which is measured beside these sources.
func BenchmarkWorkers(b *testing.B) {
	for _, program := range []struct{ name, path string }{
		{"beside", os.Getenv("RECARGA_BENCH_BESIDE")}, {"this", binary},
	} {
		if program.path == "" {
			continue
		}
		for _, n := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("%s/idle-%d", program.name, n), func(b *testing.B) {
				f := newFleet(b, program.path, n)
				f.measure(b, func(context.Context) {})
			})
		}
		for _, n := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("%s/load-%d", program.name, n), func(b *testing.B) {
				f := newFleet(b, program.path, n)
				api := f.world.start(b, "api")
				orders := 0
				f.measure(b, func(ctx context.Context) { orders = steadily(ctx, b, api) })
				b.ReportMetric(float64(orders)/float64(b.N), "orders/s")
			})
		}
	}
}

// steadily places 100 orders a second until ctx ends, and returns how many.
func steadily(ctx context.Context, b *testing.B, api *process) (n int) {
	const every = 10 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
			place(b, api.client(), order(fmt.Sprintf("%s-%d", strings.ReplaceAll(b.Name(), "/", "."), n), "5537686660"))
			n++
		}
	}
}

// fleet is workers that share everything.
type fleet struct {
	world   *world
	workers []*process
	redis   *testkit.RedisServer
	book    *pgx.Conn
}

func newFleet(tb testing.TB, program string, n int) *fleet {
	tb.Helper()
	f := &fleet{world: newWorld(tb, nil), redis: testkit.Redis(tb)}
	database := testkit.Postgres(tb).URL()
	f.world.binary = program
	f.world.env["RECARGA_DATABASE_URL"], f.world.env["RECARGA_REDIS_URL"] = database, f.redis.URL()
	for range n {
		f.workers = append(f.workers, f.world.launch(tb, "worker"))
		if len(f.workers) == 1 {
			f.workers[0].await(f.workers[0].ready) // it migrates
		}
	}
	for _, w := range f.workers {
		w.await(w.ready)
	}
	var err error
	if f.book, err = pgx.Connect(tb.Context(), database); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.book.Close(context.WithoutCancel(tb.Context())) })
	return f
}

// cost is what the fleet has used so far.
type cost struct {
	// commands are those that Redis has run, those of scripts included, by their name.
	commands map[string]float64
	// transactions are those of PostgreSQL.
	transactions float64
	// workers and redis are seconds of CPU.
	workers, redis float64
}

// settle is how long a fleet is left alone after its start, and before what it used is read: PostgreSQL counts late.
const settle = 12 * time.Second

// measure reports what the fleet uses in b.N seconds beside what work does, which ends with its context.
func (f *fleet) measure(b *testing.B, work func(context.Context)) {
	b.Helper()
	pass(b, settle)
	before := f.read(b)
	ctx, end := context.WithTimeout(b.Context(), time.Duration(b.N)*time.Second)
	defer end()
	b.ResetTimer()
	done := make(chan struct{})
	go func() { work(ctx); close(done) }()
	<-ctx.Done()
	<-done
	b.StopTimer()
	after := f.read(b)
	each := 1 / float64(b.N*len(f.workers))
	total := 0.0
	for name, n := range after.commands {
		after.commands[name] = n - before.commands[name]
		total += after.commands[name]
	}
	names := slices.Collect(maps.Keys(after.commands))
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(after.commands[b], after.commands[a]) })
	for _, name := range names[:min(16, len(names))] {
		b.Logf("%-12s %6.2f a second and worker", name, after.commands[name]*each)
	}
	b.ReportMetric(total*each, "redis-cmd/s/worker")
	b.ReportMetric((after.transactions-before.transactions)*each, "tx/s/worker")
	b.ReportMetric(f.connections(b), "redis-conn/worker")
	b.ReportMetric(100*(after.workers-before.workers)/float64(b.N), "workers-cpu-%")
	b.ReportMetric(100*(after.redis-before.redis)/float64(b.N), "redis-cpu-%")
}

// pass waits while others work.
func pass(tb testing.TB, d time.Duration) {
	tb.Helper()
	select {
	case <-tb.Context().Done():
	case <-time.After(d):
	}
}

func (f *fleet) read(tb testing.TB) (c cost) {
	tb.Helper()
	c.commands = map[string]float64{}
	stats, _ := f.redis.Admin(tb, "INFO", "commandstats").(string)
	for line := range strings.Lines(stats) {
		name, values, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cmdstat_"), ":calls=")
		calls, _, _ := strings.Cut(values, ",")
		if n, err := strconv.ParseFloat(calls, 64); found && err == nil && name != "info" && name != "hello" { // its own
			c.commands[name] = n
		}
	}
	usage, _ := f.redis.Admin(tb, "INFO", "cpu").(string)
	for line := range strings.Lines(usage) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if n, err := strconv.ParseFloat(value, 64); err == nil && (name == "used_cpu_sys" || name == "used_cpu_user") {
			c.redis += n
		}
	}
	const count = `SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`
	if err := f.book.QueryRow(tb.Context(), count).Scan(&c.transactions); err != nil {
		tb.Fatal(err)
	}
	for _, w := range f.workers {
		if p, err := procfs.NewProc(w.cmd.Process.Pid); err == nil {
			if s, err := p.Stat(); err == nil {
				c.workers += s.CPUTime()
			}
		}
	}
	return c
}

// connections are those that a worker has to Redis.
func (f *fleet) connections(tb testing.TB) float64 {
	tb.Helper()
	list, _ := f.redis.Admin(tb, "CLIENT", "LIST").(string)
	return float64(strings.Count(list, "id=")-1) / float64(len(f.workers))
}
