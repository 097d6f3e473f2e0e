package link_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"recarga/internal/queue/link"
	"recarga/internal/testkit"
)

// TestTogetherEnds: commands end that have no deadline, and those that wait for them, also when no connection is ever
// made.
func TestTogetherEnds(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	client := redis.NewClient(&redis.Options{Dialer: func(context.Context, string, string) (net.Conn, error) {
		<-hangs
		return nil, errors.New("the test is over")
	}})
	t.Cleanup(func() { close(hangs); _ = client.Close() })
	client.AddHook(link.Together(client, 50*time.Millisecond))
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			if err := client.Exists(context.Background(), "key").Err(); err == nil {
				t.Error("answered")
			}
		})
	}
	ended := make(chan struct{})
	go func() { asking.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-testkit.Hung():
		t.Fatal("a command hangs")
	}
}
