package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

const (
	// waiters wait at once, each for an order of its own; changed of these orders change, one every changeEvery.
	waiters, changed = 5000, 2000
	changeEvery      = 5 * time.Millisecond
	// idleFor is how long their cost is measured before anything changes.
	idleFor = 10 * time.Second
)

// BenchmarkWaiters is what 5,000 requests that wait cost one api process, and several that share them: memory and CPU
// while nothing changes, and then the time from a change's record to its waiter's answer. All share one redis-server
// and one PostgreSQL; a change is made at one process, and most waiters are at others. Run it with -benchtime 1x.
func BenchmarkWaiters(b *testing.B) {
	for _, processes := range []int{1, 4} {
		b.Run(fmt.Sprintf("processes-%d", processes), func(b *testing.B) {
			for b.Loop() {
				waitTogether(b, processes)
			}
		})
	}
}

func waitTogether(b *testing.B, processes int) {
	w := newWorld(b, nil)
	w.env["RECARGA_DATABASE_URL"], w.env["RECARGA_REDIS_URL"] = testkit.Postgres(b).URL(), testkit.Redis(b).URL()
	w.env["RECARGA_HTTP_MAX_CONNECTIONS"], w.env["RECARGA_CALLBACK_URL"] = fmt.Sprint(4*waiters), ""
	apis := make([]*process, processes)
	for i := range apis {
		apis[i] = w.start(b, "api")
	}
	ids := placedBy(b, apis[0].client())
	resting := used(b, apis)
	delays := make([]time.Duration, waiters)
	var waiting, answered sync.WaitGroup
	waiting.Add(waiters)
	for i, id := range ids {
		answered.Go(func() { delays[i] = awaitEnd(b, apis[i%processes], id, waiting.Done) })
	}
	waiting.Wait()
	testkit.Eventually(b, patience, func() bool {
		all := 0.0
		for _, p := range apis {
			n, _ := p.metric(b, "recarga_http_waiting_requests")
			all += n
		}
		return all == waiters
	}, "all wait")
	before := used(b, apis)
	pass(b, idleFor)
	after := used(b, apis)
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	client := apis[0].client()
	for _, id := range ids[:changed] {
		<-tick.C
		if _, err := client.Cancel(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
	for _, p := range apis {
		p.terminate() // which answers the others
	}
	answered.Wait()
	told := delays[:changed]
	slices.Sort(told)
	b.ReportMetric((after.memory-resting.memory)/waiters, "resident-B/waiter")
	b.ReportMetric(100*(after.cpu-before.cpu)/idleFor.Seconds(), "idle-cpu-%")
	b.ReportMetric(float64(told[changed/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(told[changed*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(told[changed-1].Microseconds())/1000, "max-ms")
}

// placedBy are as many orders as there are waiters, which nobody buys.
func placedBy(b *testing.B, c *producer.Client) (ids []topup.ID) {
	var requests []topup.Request
	for i := range waiters {
		requests = append(requests, order(fmt.Sprint("ORD-", i), "5537686660"))
	}
	for some := range slices.Chunk(requests, producer.MaxBatch) {
		placed, err := c.PlaceMany(b.Context(), some)
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range placed {
			if p.Err != nil {
				b.Fatal(p.Err)
			}
			ids = append(ids, p.Order.ID)
		}
	}
	return ids
}

// awaitEnd waits for an order on a connection of its own, and returns how long after its last change that is answered.
func awaitEnd(b *testing.B, p *process, id topup.ID, sent func()) time.Duration {
	var once sync.Once
	defer once.Do(sent)
	conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", strings.TrimPrefix(p.apiURL, "http://"))
	if err != nil {
		b.Error(err)
		return 0
	}
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReaderSize(conn, 512)
	for {
		if _, err := fmt.Fprintf(conn, "GET /v1/topups/%s?wait=60s HTTP/1.1\r\nHost: recarga\r\nAuthorization: Bearer %s\r\n\r\n",
			id, apiKey); err != nil {
			b.Error(err)
			return 0
		}
		once.Do(sent)
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			b.Error(err)
			return 0
		}
		at := time.Now()
		var d topup.Details
		err = json.NewDecoder(answer.Body).Decode(&d)
		if _ = answer.Body.Close(); err != nil {
			b.Errorf("%s: %v", answer.Status, err)
			return 0
		}
		if d.State.Final() || answer.Close {
			return at.Sub(d.UpdatedAt)
		}
	}
}

// usage is what processes have used so far: resident bytes, and seconds of CPU.
type usage struct{ memory, cpu float64 }

func used(b *testing.B, all []*process) (u usage) {
	b.Helper()
	for _, p := range all {
		proc, err := procfs.NewProc(p.cmd.Process.Pid)
		if err != nil {
			b.Fatal(err)
		}
		s, err := proc.Stat()
		if err != nil {
			b.Fatal(err)
		}
		u.memory += float64(s.ResidentMemory())
		u.cpu += s.CPUTime()
	}
	return u
}
