package balance

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"recarga/distributor"
	"recarga/topup"
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
	record func(context.Context, topup.BalanceReading)
	flight singleflight.Group

	mu   sync.Mutex
	last distributor.Balance
	at   time.Time // when it came; zero: there is none
}

// NewCache keeps what a distributor answers. record gets each answer, for the other processes; it must not fail for
// long. Nil: nobody gets it.
func NewCache(asker Asker, record func(context.Context, topup.BalanceReading)) *Cache {
	if record == nil {
		record = func(context.Context, topup.BalanceReading) {}
	}
	return &Cache{asker: asker, record: record}
}

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
	from := time.Now().Add(-stale)
	b, err := c.asker.Balance(ctx)
	if err != nil {
		return b, err
	}
	if amount, err := topup.ParseBalance(b.Amount); err == nil {
		c.record(ctx, topup.BalanceReading{Amount: amount, Currency: b.Currency, From: from, At: time.Now()})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.at = b, time.Now()
	return b, nil
}
