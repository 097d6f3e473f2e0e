package queue

import (
	"context"
	"net"
	"strings"
	"sync"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// cancelChannel is the one in which asynq's tools ask for the end of a task.
const cancelChannel = "asynq:cancel"

// serverRedis is the servers' Redis as asynq sees it. Every one of asynq's servers subscribes to cancelChannel, for
// which each would need a connection of its own; here they get what one connection of this process hears.
type serverRedis struct {
	redis.UniversalClient // for all else
	relay                 *relay
}

// Subscribe implements redis.UniversalClient.
func (r serverRedis) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return r.relay.client.Subscribe(ctx, channels...)
}

// relay passes the messages of one channel on to subscribers in this process. To them it is a Redis.
type relay struct {
	server *server.Server
	// client connects to server within the process.
	client *redis.Client

	mu          sync.Mutex
	subscribers map[*server.Peer]bool
}

func newRelay() *relay {
	r := &relay{server: server.NewServerConn(), subscribers: map[*server.Peer]bool{}}
	for name, command := range map[string]server.Cmd{"SUBSCRIBE": r.subscribe, "PING": pong} {
		_ = r.server.Register(name, command) // the error is that of a name taken
	}
	r.client = redis.NewClient(&redis.Options{
		DisableIdentity: true, Protocol: 2,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			r.server.ServeConn(theirs)
			return ours, nil
		},
	})
	return r
}

func (r *relay) subscribe(c *server.Peer, _ string, channels []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.subscribers[c] {
		r.subscribers[c] = true
		c.OnDisconnect(func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.subscribers, c)
		})
	}
	for i, channel := range channels {
		c.Block(func(w *server.Writer) {
			w.WriteLen(3)
			w.WriteBulk("subscribe")
			w.WriteBulk(channel)
			w.WriteInt(i + 1)
		})
	}
}

// pong answers the PING of a subscriber.
func pong(c *server.Peer, _ string, args []string) {
	c.Block(func(w *server.Writer) {
		w.WriteLen(2)
		w.WriteBulk("pong")
		w.WriteBulk(strings.Join(args, ""))
	})
}

// run passes messages on until ctx ends.
func (r *relay) run(ctx context.Context, rdb redis.UniversalClient) {
	sub := rdb.Subscribe(ctx, cancelChannel)
	defer func() { _ = sub.Close() }()
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case message, open := <-messages:
			if !open {
				return
			}
			r.pass(message.Payload)
		}
	}
}

func (r *relay) pass(payload string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.subscribers {
		c.Block(func(w *server.Writer) {
			w.WriteLen(3)
			w.WriteBulk("message")
			w.WriteBulk(cancelChannel)
			w.WriteBulk(payload)
			w.Flush()
		})
	}
}

func (r *relay) close() error {
	err := r.client.Close()
	r.server.Close()
	return err
}
