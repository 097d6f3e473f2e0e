package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recarga/internal/api/keys"
	"recarga/internal/api/openapi"
	"recarga/internal/api/problem"
	"recarga/internal/balance"
	"recarga/producer"
	"recarga/topup"
)

// balanceAnswer is the distributor's balance and how old it is.
type balanceAnswer struct {
	// Balance is as the distributor gave it, in Currency, which is not the orders'.
	Balance  json.Number `json:"balance"`
	Currency string      `json:"currency"`
	// LastUpdated is the distributor's own time of it; nil: it gave none.
	LastUpdated *time.Time `json:"last_updated"`
	// FetchedAt is when the distributor was asked, AgeSeconds ago.
	FetchedAt  time.Time `json:"fetched_at"`
	AgeSeconds int64     `json:"age_seconds"`

	// What the workers recorded is for the operator alone: a tenant would read the others' business from it.
	Low     *bool                   `json:"low,omitempty"`
	History []producer.BalancePoint `json:"history,omitzero"`
	Changes []topup.BalanceChange   `json:"changes,omitzero"`
}

const (
	// historySpan is how far the history of an answer goes back, and historyPoints how many it has at most.
	historySpan, historyPoints = 24 * time.Hour, 96
	// changesSpan is how far deposits and drifts go back.
	changesSpan = 7 * 24 * time.Hour
)

func (s *Server) getBalance(ctx context.Context, _ *struct{}) (out balanceAnswer, err error) {
	if s.cfg.Balances == nil {
		return out, problem.New(problem.NotHere, "this process does not talk to the distributor")
	}
	b, err := s.cfg.Balances.Balance(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "balance not known", "request", problem.RequestID(ctx), "error", err)
		return out, problem.WithHeader(problem.New(problem.DistributorUnreachable,
			"the distributor did not answer with the balance; recarga doctor says why"), "Retry-After", "10")
	}
	out = balanceAnswer{Balance: b.Amount, Currency: b.Currency, FetchedAt: b.FetchedAt,
		AgeSeconds: int64(time.Since(b.FetchedAt) / time.Second)}
	if !b.LastUpdated.IsZero() {
		out.LastUpdated = &b.LastUpdated
	}
	if keys.Of(ctx).SeesAll() {
		err = s.addHistory(ctx, &out, time.Now())
	}
	return out, err
}

// addHistory adds what the workers recorded.
func (s *Server) addHistory(ctx context.Context, b *balanceAnswer, now time.Time) error {
	b.History = []producer.BalancePoint{}
	standing, err := s.cfg.Book.Balance(ctx)
	if err != nil {
		return err
	}
	b.Low = &standing.Low
	readings, err := s.cfg.Book.BalancesSince(ctx, now.Add(-historySpan))
	if err != nil {
		return err
	}
	step := (len(readings) + historyPoints - 1) / historyPoints
	for i, r := range readings {
		if (len(readings)-1-i)%step == 0 { // the latest is one of them
			b.History = append(b.History, producer.BalancePoint{At: r.At, Balance: r.Amount})
		}
	}
	b.Changes, err = s.cfg.Book.BalanceChangesSince(ctx, now.Add(-changesSpan))
	return err
}

func opBalance() huma.Operation {
	op := openapi.New(http.MethodGet, "/v1/balance", "getBalance", 502)
	op.Description = fmt.Sprintf(op.Description, balance.Fresh)
	return op
}
