package balance

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"recarga/distributor"
)

const (
	// Fresh is how long an answer of the distributor is shown again: its rate limit is shared with the purchases.
	Fresh = 10 * time.Second
	// patience bounds one question, whoever waits for it.
	patience = 30 * time.Second
)

// Cache keeps the distributor's last answer, for all in this process who want to see the balance. Many who ask at once
// ask the distributor once. It is safe for concurrent use.
type Cache struct {
	asker  Asker
	flight singleflight.Group

	mu   sync.Mutex
	last distributor.Balance
	at   time.Time // when it came; zero: there is none
}

// NewCache keeps what a distributor answers.
func NewCache(asker Asker) *Cache { return &Cache{asker: asker} }

// Balance is the balance as it was within Fresh. Errors: those of the distributor, and of ctx.
func (c *Cache) Balance(ctx context.Context) (distributor.Balance, error) {
	if b, at := c.Last(); !at.IsZero() && time.Since(at) < Fresh {
		return b, nil
	}
	answer := c.flight.DoChan("", func() (any, error) { return c.fetch(ctx) })
	select {
	case r := <-answer:
		b, _ := r.Val.(distributor.Balance)
		return b, r.Err
	case <-ctx.Done():
		return distributor.Balance{}, ctx.Err()
	}
}

// Last is the last answer, however old, and when it came; zero: there has been none.
func (c *Cache) Last() (b distributor.Balance, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, c.at
}

// fetch asks for all who wait, so it does not end when the first of them goes away.
func (c *Cache) fetch(ctx context.Context) (distributor.Balance, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	b, err := c.asker.Balance(ctx)
	if err != nil {
		return b, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.at = b, time.Now()
	return b, nil
}
