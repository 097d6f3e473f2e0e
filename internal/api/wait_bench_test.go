package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"

	"recarga/internal/api"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/listen"
	"recarga/internal/longpoll"
	"recarga/internal/testkit"
	"recarga/producer"
)

// waitersOfBench wait at once.
const waitersOfBench = 5000

// BenchmarkWaiterMemory is what a request that waits takes of memory, heap and stacks, after a collection: of a plain
// net/http server whose handler blocks, and of the API. Both have the clients' ends in the same process. Run it with
// -benchtime 1x.
func BenchmarkWaiterMemory(b *testing.B) {
	for b.Loop() {
		plain := plainWaiters(b)
		ours := apiWaiters(b)
		b.ReportMetric(plain, "net/http-B/waiter")
		b.ReportMetric(ours, "api-B/waiter")
		b.ReportMetric(ours-plain, "beyond-B/waiter")
	}
}

// plainWaiters are those of net/http alone.
func plainWaiters(b *testing.B) float64 {
	var waiting atomic.Int64
	end := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		waiting.Add(1)
		select {
		case <-r.Context().Done():
		case <-end:
		}
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	defer func() { close(end); _ = server.Close(); <-served }()
	return perWaiter(b, listener.Addr().String(), func(int) string { return "/" }, func() int { return int(waiting.Load()) })
}

func apiWaiters(b *testing.B) float64 {
	database := journaltest.SQLite(b)
	j, err := journal.Open(b.Context(), database)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	hub := longpoll.New(longpoll.Config{Book: j, Most: waitersOfBench, Share: waitersOfBench,
		Heard: func() bool { return true }})
	ctx, end := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); hub.Run(ctx) }()
	defer func() { end(); <-ended }()
	quiet := slog.New(slog.DiscardHandler)
	url := listenOn(b, api.Config{Orders: producer.New(j, noWaker{}, quiet), Book: j, Callers: twoShops(), Log: quiet,
		Waits: hub}, func(c *listen.Config) { c.MaxConnections, c.Share = 2*waitersOfBench, 2*waitersOfBench })
	s := &server{tb: b, url: url, journal: j, client: client(b)}
	const orders = 100
	for i := range orders {
		s.place(fmt.Sprint("ORD-", i)).want(http.StatusAccepted)
	}
	s.client.CloseIdleConnections()
	return perWaiter(b, s.url[len("http://"):], func(i int) string {
		return fmt.Sprintf("/v1/topups/ORD-%d?wait=60s", i%orders)
	}, hub.Waiting)
}

// perWaiter is what each of the waiters takes.
func perWaiter(b *testing.B, addr string, path func(i int) string, waiting func() int) float64 {
	before := inUse()
	connections := make([]net.Conn, waitersOfBench)
	for i := range connections {
		c, err := new(net.Dialer).DialContext(b.Context(), "tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		connections[i] = c
		request := "GET " + path(i) + " HTTP/1.1\r\nHost: recarga\r\nAuthorization: Bearer " + shopKey + "\r\n\r\n"
		if _, err := c.Write([]byte(request)); err != nil {
			b.Fatal(err)
		}
	}
	testkit.Eventually(b, testkit.Patience, func() bool { return waiting() == waitersOfBench }, "all wait")
	return (inUse() - before) / waitersOfBench
}

// inUse is the memory of the heap and the stacks, after what is not needed has gone.
func inUse() float64 {
	for range 3 { // stacks shrink in a collection
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}
