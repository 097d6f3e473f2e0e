package api

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/singleflight"

	"recarga/distributor"
	"recarga/topup"
)

const (
	// balanceFresh is how long an answer of the distributor is shown again: its rate limit is shared
	// with the purchases.
	balanceFresh = 10 * time.Second
	// balancePatience bounds one question, whoever waits for it.
	balancePatience = 30 * time.Second
)

type balanceOutput struct {
	Body balance
}

type balance struct {
	Balance     json.Number `json:"balance"`
	Currency    string      `json:"currency"`
	LastUpdated *time.Time  `json:"last_updated"`
	FetchedAt   time.Time   `json:"fetched_at"`
	AgeSeconds  int64       `json:"age_seconds"`

	// What the workers recorded is for the operator alone: a tenant would read the others' business from it.
	Low     *bool                 `json:"low,omitempty"`
	History []balancePoint        `json:"history,omitzero"`
	Changes []topup.BalanceChange `json:"changes,omitzero"`
}

type balancePoint struct {
	At      time.Time    `json:"at"`
	Balance topup.Amount `json:"balance"`
}

const (
	// historySpan is how far the history of an answer goes back, and historyPoints how many it has at most.
	historySpan, historyPoints = 24 * time.Hour, 96
	// changesSpan is how far deposits and drifts go back.
	changesSpan = 7 * 24 * time.Hour
)

// BalanceBook has the balances that the workers recorded: journal.Journal.
type BalanceBook interface {
	Balance(ctx context.Context) (topup.BalanceStanding, error)
	BalancesSince(ctx context.Context, since time.Time) ([]topup.BalanceReading, error)
	BalanceChangesSince(ctx context.Context, since time.Time) ([]topup.BalanceChange, error)
}

func (s *Server) getBalance(ctx context.Context, _ *struct{}) (*balanceOutput, error) {
	if s.cfg.Balances == nil {
		return nil, huma.Error503ServiceUnavailable("this process does not talk to the distributor")
	}
	b, err := s.balance.get(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "balance not known", "request", requestID(ctx), "error", err)
		return nil, withHeader(huma.Error502BadGateway("the distributor did not answer with the balance; recarga doctor "+
			"says why"), "Retry-After", "10")
	}
	out := balance{Balance: b.Amount, Currency: b.Currency, FetchedAt: b.FetchedAt,
		AgeSeconds: int64(time.Since(b.FetchedAt) / time.Second)}
	if !b.LastUpdated.IsZero() {
		out.LastUpdated = &b.LastUpdated
	}
	if identityOf(ctx).SeesAll() {
		err = s.addHistory(ctx, &out, time.Now())
	}
	if err != nil {
		return nil, s.problem(ctx, "query", err)
	}
	return &balanceOutput{Body: out}, nil
}

// addHistory adds what the workers recorded.
func (s *Server) addHistory(ctx context.Context, b *balance, now time.Time) error {
	b.Low, b.History, b.Changes = new(bool), []balancePoint{}, []topup.BalanceChange{}
	if s.cfg.BalanceBook == nil {
		return nil
	}
	standing, err := s.cfg.BalanceBook.Balance(ctx)
	if err != nil {
		return err
	}
	*b.Low = standing.Low
	readings, err := s.cfg.BalanceBook.BalancesSince(ctx, now.Add(-historySpan))
	if err != nil {
		return err
	}
	step := (len(readings) + historyPoints - 1) / historyPoints
	for i, r := range readings {
		if (len(readings)-1-i)%step == 0 { // the latest is one of them
			b.History = append(b.History, balancePoint{r.At, r.Amount})
		}
	}
	b.Changes, err = s.cfg.BalanceBook.BalanceChangesSince(ctx, now.Add(-changesSpan))
	return err
}

// balanceCache keeps the last balance. Many who ask at once ask the distributor once.
type balanceCache struct {
	ask    Balances
	flight singleflight.Group

	mu   sync.Mutex
	last distributor.Balance
	at   time.Time
}

func (c *balanceCache) get(ctx context.Context) (distributor.Balance, error) {
	if b, ok := c.fresh(); ok {
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

func (c *balanceCache) fresh() (distributor.Balance, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, !c.at.IsZero() && time.Since(c.at) < balanceFresh
}

// fetch asks for all who wait, so it does not end when the first of them goes away.
func (c *balanceCache) fetch(ctx context.Context) (distributor.Balance, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), balancePatience)
	defer cancel()
	b, err := c.ask.Balance(ctx)
	if err != nil {
		return b, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.at = b, time.Now()
	return b, nil
}
