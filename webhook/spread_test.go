package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/webhook"
)

// memoryNet is a network in memory, as synctest needs it, with one server.
type memoryNet struct {
	conns chan net.Conn
	ended chan struct{}
}

func (n *memoryNet) Accept() (net.Conn, error) {
	select {
	case conn := <-n.conns:
		return conn, nil
	case <-n.ended:
		return nil, net.ErrClosed
	}
}

func (n *memoryNet) Close() error   { close(n.ended); return nil }
func (n *memoryNet) Addr() net.Addr { return &net.TCPAddr{} }

func (n *memoryNet) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	n.conns <- there
	return here, nil
}

// TestRetriesAreSpread: each of the events that failed together comes back at its own time, spread over the whole window
// of its wait, and never before what its receiver has asked for.
func TestRetriesAreSpread(t *testing.T) {
	for seed := range uint64(testkit.Times(20, 500)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			testkit.Bubble(t, func(t *testing.T) { retriesAreSpread(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func retriesAreSpread(t *testing.T, r *rand.Rand) {
	const together = 8
	wait := time.Duration(1+r.IntN(600)) * time.Second
	asked := r.IntN(3) * r.IntN(1200)                       // in seconds; often none
	time.Sleep(time.Duration(r.Int64N(int64(time.Second)))) // where in a second they fail

	network := &memoryNet{conns: make(chan net.Conn), ended: make(chan struct{})}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", fmt.Sprint(asked))
			w.WriteHeader(http.StatusServiceUnavailable)
		})}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(network); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	defer serving.Wait()
	defer func() { _ = server.Close() }()

	var random []float64
	b := newBook()
	for i := range together {
		b.events[fmt.Sprint("evt_", i)] = news(t, fmt.Sprint("evt_", i))
	}
	d := webhook.NewDeliverer(webhook.Config{
		Schedule: []time.Duration{wait}, AllowPrivate: true, Dial: network.dial, Log: slog.New(slog.DiscardHandler),
		Random: func() float64 { random = append(random, r.Float64()); return random[len(random)-1] },
	}, b, at("http://shop.example/", vectorSecret))
	defer d.Close(context.Background())

	failedAt := time.Now()
	var next [together]time.Time
	for i := range next {
		next[i] = deliver(t, d, fmt.Sprint("evt_", i))
	}

	// Each event took two numbers at its first try: for the wait of the schedule, and for that of its receiver.
	numbers := 1
	if asked > 0 {
		numbers = 2
	}
	for i := range together {
		due := wait - wait/10 + time.Duration(random[i*numbers]*float64(wait/5+1))
		if asked > 0 {
			asked := time.Duration(asked) * time.Second
			within := min(max(asked/10, time.Second), time.Minute)
			due = max(due, asked+time.Duration(random[i*numbers+1]*float64(within)))
		}
		if got := next[i].Sub(failedAt); got != due {
			t.Errorf("event %d comes back after %s, want %s", i, got, due)
		}
	}
}
