package coordination

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"recarga/topup"
)

// Changes notifies the processes on one Redis which orders have changed, so that those who wait for one hear of it at
// once. It proves nothing and promises nothing: whoever hears of a change reads the book, and whoever waits asks the
// book now and then as well. So what others write here costs a read, and what gets lost a moment.
type Changes struct {
	rdb redis.UniversalClient
	// id is this process's, which does not hear itself.
	id string
	// reject is that of Redis, never nil.
	reject func(ctx context.Context, kind, key, why string)
	heard  atomic.Bool
	// news says that there is something to announce.
	news chan struct{}

	mu              sync.Mutex
	orders, callers map[string]struct{}
}

const (
	// changesChannel is where changes are announced.
	changesChannel = "recarga:changes"
	// announceEvery is the shortest time between two announcements, which are of all that changed meanwhile.
	announceEvery = 5 * time.Millisecond
	// mostChanges bounds what is announced together, and maxChanges what is read as an announcement, in bytes.
	mostChanges, maxChanges = 4096, 512 << 10
	// silence is after how long without a message the connection is asked whether it lives, and again to answer.
	silence = 3 * time.Second
	// relisten is the time before another try to listen.
	relisten = 250 * time.Millisecond
)

// changes is an announcement.
type changes struct {
	// From is the process that changed them.
	From string `json:"from"`
	// Orders have changed, by their ids; Callers have new events.
	Orders  []string `json:"orders,omitempty"`
	Callers []string `json:"callers,omitempty"`
}

// Changes are those that the processes on this Redis announce.
func (r Redis) Changes() *Changes {
	return &Changes{
		rdb: r.Client, id: uuid.NewString(), reject: r.rejecting(), news: make(chan struct{}, 1),
		orders: map[string]struct{}{}, callers: map[string]struct{}{},
	}
}

// Announce says that an order has changed and, unless caller is empty, that this caller has a new event. It does not
// block. What is too much is left to those who ask the book.
func (c *Changes) Announce(order topup.ID, caller string) {
	c.mu.Lock()
	if len(c.orders) < mostChanges {
		c.orders[string(order)] = struct{}{}
	}
	if caller != "" && len(c.callers) < mostChanges {
		c.callers[caller] = struct{}{}
	}
	c.mu.Unlock()
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// Publish announces, until ctx ends, and then what is left: the end takes back nothing that is about to be announced.
func (c *Changes) Publish(ctx context.Context) {
	sending := context.WithoutCancel(ctx)
	for {
		select {
		case <-ctx.Done():
			c.publish(sending)
			return
		case <-c.news:
			c.publish(sending)
		}
		select {
		case <-ctx.Done():
		case <-time.After(announceEvery):
		}
	}
}

// publish ignores an error: those who wait ask the book.
func (c *Changes) publish(ctx context.Context) {
	c.mu.Lock()
	all := changes{c.id, slices.Collect(maps.Keys(c.orders)), slices.Collect(maps.Keys(c.callers))}
	clear(c.orders)
	clear(c.callers)
	c.mu.Unlock()
	if len(all.Orders) == 0 {
		return
	}
	message, _ := json.Marshal(all) // it has texts alone
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_ = c.rdb.Publish(ctx, changesChannel, message).Err()
}

// Heard reports whether other processes' announcements are heard now.
func (c *Changes) Heard() bool { return c.heard.Load() }

// Listen calls order and events for what other processes announce, until ctx ends. Neither may block.
func (c *Changes) Listen(ctx context.Context, order func(topup.ID), events func(caller string)) {
	for ctx.Err() == nil {
		c.listen(ctx, order, events)
		c.heard.Store(false)
		select {
		case <-ctx.Done():
		case <-time.After(relisten):
		}
	}
}

// listen ends with its connection.
func (c *Changes) listen(ctx context.Context, order func(topup.ID), events func(caller string)) {
	subscription := c.rdb.Subscribe(ctx, changesChannel)
	closed := sync.OnceFunc(func() { _ = subscription.Close() })
	defer closed()
	defer context.AfterFunc(ctx, closed)() // a read does not end with ctx
	for asked := false; ; {
		message, err := subscription.ReceiveTimeout(ctx, silence)
		var late net.Error
		switch {
		case err == nil:
			asked = false
		case asked, !errors.As(err, &late) || !late.Timeout():
			return
		default:
			if asked = true; subscription.Ping(ctx) != nil {
				return
			}
			continue
		}
		switch m := message.(type) {
		case *redis.Subscription:
			c.heard.Store(true)
		case *redis.Message:
			c.hear(ctx, m.Payload, order, events)
		}
	}
}

// hear reads an announcement.
func (c *Changes) hear(ctx context.Context, payload string, order func(topup.ID), events func(caller string)) {
	var all changes
	err := fmt.Errorf("it has %d bytes", len(payload))
	if len(payload) <= maxChanges {
		err = json.Unmarshal([]byte(payload), &all)
	}
	if err != nil {
		c.reject(ctx, KindChanges, changesChannel, err.Error())
		return
	}
	if all.From == c.id {
		return
	}
	for _, id := range all.Orders {
		order(topup.ID(id))
	}
	for _, caller := range all.Callers {
		events(caller)
	}
}
