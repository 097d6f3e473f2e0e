package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"recarga/internal/journal/search"
	"recarga/internal/queue"
	"recarga/tasks"
	"recarga/topup"
	"recarga/topup/desk"
)

const (
	// glanceFresh is how long an overview is shown to all who watch: however many they are, the journal is
	// asked once. One that takes long is shown glanceShare times as long.
	glanceFresh = 2 * time.Second
	glanceShare = 10
	// balanceSpan is how far the trend of recorded balances goes back.
	balanceSpan = 24 * time.Hour
	// queuePatience bounds what the page waits for Redis: what the journal says is shown without it.
	queuePatience = 2 * time.Second
)

// glance is the overview as its page shows it.
type glance struct {
	search.Overview
	// At is when the journal was read.
	At time.Time
	// Disputed are the orders whose final state is contradicted, the first since DisputedSince.
	Disputed      int64
	DisputedSince time.Time
	// States are all states in their order.
	States []stateCount
	// Queues are asynq's, in the order of their names; QueueError says why there are none.
	Queues     []queue.Info
	QueueError string
	// Orders, Settled and Good count the last hour: placed, final, and succeeded.
	Orders, Settled, Good int64
	// P50 and P99 are from placed to final, of the last hour. PerMinute draws its orders.
	P50, P99  time.Duration
	PerMinute chart
	// Balance is nil where none was recorded. Breaker is why purchases are deferred.
	Balance *balanceView
	Breaker BreakerState
	// Waiting are the orders that wait, by priority.
	Waiting []waiting
	Rate    string
	// Controls are the pauses and limits that people have set.
	Controls []desk.ControlStanding
}

// waiting is how many orders of a priority wait.
type waiting struct {
	topup.Priority
	// Count is how many of that priority wait.
	Count int64
}

type stateCount struct {
	topup.StateFacts
	// Count is how many orders are in that state.
	Count int64
}

// balanceView is the latest balance that the workers recorded.
type balanceView struct {
	// Amount is exact, in the distributor's Currency.
	Amount   json.Number
	Currency string
	// At is when the distributor gave it.
	At time.Time
	// Low: it is below RECARGA_BALANCE_LOW. Trend draws what was recorded before.
	Low   bool
	Trend chart
}

// Unknown counts the orders that are held.
func (g glance) Unknown() int64 { return g.ByState[topup.StateUnknown] }

// SuccessRate is in percent of what became final; -1 when nothing did.
func (g glance) SuccessRate() float64 {
	if g.Settled == 0 {
		return -1
	}
	return float64(g.Good) / float64(g.Settled) * 100
}

// snapshot keeps the latest glance for a moment.
type snapshot struct {
	c  *Console
	mu sync.Mutex

	last  glance
	until time.Time
}

func (s *snapshot) get(ctx context.Context) (glance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UTC()
	if now.Before(s.until) {
		return s.last, nil
	}
	o, err := s.c.cfg.Journal.Overview(ctx, now)
	if err != nil {
		return glance{}, err
	}
	disputed, since, err := s.c.cfg.Journal.Disputed(ctx)
	if err != nil {
		return glance{}, err
	}
	keep := max(glanceFresh, glanceShare*time.Since(now))
	g := glance{Overview: o, At: now, Disputed: disputed, DisputedSince: since}
	if g.Balance, err = s.standing(ctx, now); err != nil {
		return glance{}, err
	}
	for _, f := range topup.StateTable() {
		g.States = append(g.States, stateCount{f, o.ByState[f.State]})
	}
	g.hour()
	asking, cancel := context.WithTimeout(ctx, queuePatience)
	defer cancel()
	queues, err := s.c.cfg.Queue.Glance(asking)
	if err != nil {
		g.QueueError = err.Error()
	}
	for _, name := range []string{tasks.QueueTopups, tasks.QueueWebhooks} {
		if info, ok := queues[name]; ok {
			g.Queues = append(g.Queues, info)
		}
	}
	if s.c.cfg.Breaker != nil {
		if g.Breaker, err = s.c.cfg.Breaker.Breaker(asking); err != nil {
			s.c.cfg.Log.WarnContext(ctx, "breaker not read", "error", err)
		}
	}
	if err := g.countWaiting(ctx, s.c.cfg); err != nil {
		return glance{}, err
	}
	if g.Controls, err = s.c.cfg.Controls.Standings(ctx); err != nil {
		return glance{}, err
	}
	s.last, s.until = g, time.Now().Add(keep)
	return g, nil
}

func (g *glance) countWaiting(ctx context.Context, cfg Config) error {
	counts, err := cfg.Journal.WaitingByPriority(ctx)
	for _, p := range topup.Priorities() {
		g.Waiting = append(g.Waiting, waiting{p, counts[p]})
	}
	g.Rate = cfg.Rate
	return err
}

// hour sums up the last hour.
func (g *glance) hour() {
	var bars []bar
	for i, minute := range g.Minutes {
		at := g.At.Local().Truncate(time.Minute).Add(time.Duration(i-len(g.Minutes)+1) * time.Minute)
		b := bar{Label: at.Format("15:04")}
		for state, n := range minute {
			g.Orders += n
			switch {
			case state == topup.StateSucceeded:
				g.Good += n
				b.Good += n
			case state == topup.StateUnknown:
				b.Doubt += n
			case state.Final():
				b.Bad += n
			default:
				b.Open += n
			}
			if state.Final() {
				g.Settled += n
			}
		}
		bars = append(bars, b)
	}
	g.PerMinute = barChart(bars)
	latencies := slices.Sorted(slices.Values(g.Latencies))
	g.P50, g.P99 = quantile(latencies, 0.5), quantile(latencies, 0.99)
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

// standing is the balance as the workers recorded it; nil where they have not.
func (s *snapshot) standing(ctx context.Context, now time.Time) (*balanceView, error) {
	latest, err := s.c.cfg.Journal.Balance(ctx)
	if err != nil || latest.At.IsZero() {
		return nil, err
	}
	readings, err := s.c.cfg.Journal.BalancesSince(ctx, now.Add(-balanceSpan))
	if err != nil {
		return nil, err
	}
	v := &balanceView{Amount: exactly(latest.Amount), Currency: latest.Currency, At: latest.At, Low: latest.Low}
	var points []point
	for _, r := range readings {
		points = append(points, point{r.At, float64(r.Amount) / 100})
	}
	v.Trend = lineChart(points)
	return v, nil
}

// exactly is a balance with its decimals.
func exactly(hundredths topup.Amount) json.Number {
	return json.Number(decimal.New(int64(hundredths), -2).StringFixed(2))
}

func (c *Console) overview(w http.ResponseWriter, r *http.Request, _ operator) error {
	g, err := c.now.get(r.Context())
	if err != nil {
		return err
	}
	c.show(w, r, http.StatusOK, "overview", view{Title: "Overview", Live: true, Data: g})
	return nil
}
