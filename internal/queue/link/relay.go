package link

import (
	"context"
	"net"
	"strings"
	"sync"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// CancelChannel is the one in which asynq's tools ask for the end of a task.
const CancelChannel = "asynq:cancel"

// serverRedis is the servers' Redis as asynq sees it. Every one of asynq's servers subscribes to CancelChannel, for
// which each would need a connection of its own; here they get what one connection of this process hears.
type serverRedis struct {
	redis.UniversalClient // for all else
	relay                 *Relay
}

// Subscribe implements redis.UniversalClient.
func (r serverRedis) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return r.relay.client.Subscribe(ctx, channels...)
}

// Relay passes the messages of one channel on to subscribers in this process. To them it is a Redis.
type Relay struct {
	server *server.Server
	// client connects to server within the process.
	client *redis.Client

	mu          sync.Mutex
	subscribers map[*server.Peer]bool
}

// NewRelay makes a Relay, which Run feeds.
func NewRelay() *Relay {
	r := &Relay{server: server.NewServerConn(), subscribers: map[*server.Peer]bool{}}
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

func (r *Relay) subscribe(c *server.Peer, _ string, channels []string) {
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

// Run passes messages on until ctx ends.
func (r *Relay) Run(ctx context.Context, rdb redis.UniversalClient) {
	sub := rdb.Subscribe(ctx, CancelChannel)
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

func (r *Relay) pass(payload string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.subscribers {
		c.Block(func(w *server.Writer) {
			w.WriteLen(3)
			w.WriteBulk("message")
			w.WriteBulk(CancelChannel)
			w.WriteBulk(payload)
			w.Flush()
		})
	}
}

// Servers is a client of Redis for asynq's servers.
func (r *Relay) Servers(rdb redis.UniversalClient) redis.UniversalClient { return serverRedis{rdb, r} }

// Close ends it, after the servers.
func (r *Relay) Close() error {
	err := r.client.Close()
	r.server.Close()
	return err
}
