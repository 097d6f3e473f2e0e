package console

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"recarga/internal/journal/search"
	"recarga/internal/known"
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
	// queuePatience bounds what the page waits for Redis: what the journal says is shown without it.
	queuePatience = 2 * time.Second
)

// glance is the overview as its page shows it. What is read elsewhere is a known.Figure, so that each panel says when
// it is not known.
type glance struct {
	// At is when it was read.
	At time.Time
	// Ranges lead to the same page of another range.
	Ranges []chip
	// Orders are what the journal says of orders and events.
	Orders known.Figure[ordersGlance]
	// Balance is the distributor's, as any process read it last.
	Balance known.Figure[balanceGlance]
	// Controls are the pauses and limits that people have set.
	Controls known.Figure[[]desk.ControlStanding]
	// Purchases are what keeps them from being made, as the workers say it in Redis.
	Purchases known.Figure[purchasesGlance]
	// Queues are asynq's, in the order of their names.
	Queues known.Figure[[]queue.Info]
	// Rate is the setting.
	Rate string
}

// Purchasing says in a word whether purchases are made: not known, paused (all of them), deferred (some of them), or
// running.
func (g glance) Purchasing() string {
	purchases, set, queues := g.Purchases.Read(), g.Controls.Read(), g.Queues.Read()
	if purchases == nil || set == nil || queues == nil {
		return "not known"
	}
	state := "running"
	if purchases.Deferred() {
		state = "deferred"
	}
	for _, c := range *set {
		switch {
		case c.Kind == desk.PausePurchases:
			return "paused"
		case !c.Kind.IsLimit() && c.Kind != desk.PauseWebhooks:
			state = "deferred"
		}
	}
	for _, q := range *queues {
		if q.Queue == tasks.QueueTopups && q.Paused {
			return "paused"
		}
	}
	return state
}

// Explained reports whether a pause that somebody has set says why a queue is paused.
func (g glance) Explained(queue string) bool {
	set := g.Controls.Read()
	return set != nil && slices.ContainsFunc(*set, func(c desk.ControlStanding) bool { return c.Kind == pauseOf(queue) })
}

// ordersGlance is what the journal says of orders and events.
type ordersGlance struct {
	search.Overview
	// Range is what it looks back on, in words.
	Range string
	// Open are the states that an order leaves again, Final those that it has for ever.
	Open, Final []stateCount
	// Good, Bad, Canceled and Doubt count the orders of the range: succeeded, failed, canceled, and unknown now.
	Good, Bad, Canceled, Doubt int64
	// Chart draws them.
	Chart chart
	// Lines are the orders that wait, by priority.
	Lines []waiting
	// until is when its last bar ends.
	until time.Time
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

// Unknown counts the orders that are held.
func (g ordersGlance) Unknown() int64 { return g.ByState[topup.StateUnknown] }

// Share is a count in percent of the orders of the range that were bought, failed, or may have been bought: a doubt is
// no success. Those that their callers withdrew are none of them. It is -1 where there are none at all.
func (g ordersGlance) Share(n int64) float64 {
	all := g.Good + g.Bad + g.Doubt
	if all == 0 {
		return -1
	}
	return float64(n) / float64(all) * 100
}

// named is how long a kind of things took.
type named struct {
	// Name says what they are.
	Name string
	search.Times
}

// Took are the times of the range.
func (g ordersGlance) Took() []named {
	return []named{
		{"An order, to its end", g.Ended}, {"A call of the distributor", g.Purchases}, {"A try of a webhook", g.Tries},
	}
}

// List leads to the orders of a state in the range.
func (g ordersGlance) List(state topup.State) string {
	return address(g.listed(state, g.Since, g.until), "orders")
}

// listed chooses the orders that came to a state in a time: ended ones by their end, unknown ones by when they were
// placed.
func (g ordersGlance) listed(state topup.State, since, until time.Time) url.Values {
	from, to := since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339)
	if state == topup.StateUnknown {
		return query("state", state, "since", from, "until", to)
	}
	q := query("finished_since", from, "finished_until", to)
	if state != "" {
		q.Set("state", string(state))
	}
	return q
}

// purchasesGlance is what keeps purchases from being made.
type purchasesGlance struct {
	// PausedUntil is when requests may be sent again that the distributor did not want; zero: it wants them.
	PausedUntil time.Time
	// Outages are those of operators, the oldest first.
	Outages []outageGlance
}

// outageGlance is an operator's outage.
type outageGlance struct {
	// Operator is whose it is.
	Operator string
	topup.Outage
	// Waiting are its orders that wait; not known where the journal is not.
	Waiting known.Figure[int64]
}

// cause is what most of an outage's failures were.
type cause struct {
	// Name is the code, or what there was instead; Times is how many were it, Of how many were counted.
	Name      string
	Times, Of int
}

// Cause is nil where nobody counted.
func (g outageGlance) Cause() *cause {
	name, times, of := g.Outage.Cause()
	if name == "" {
		return nil
	}
	return &cause{name, times, of}
}

// Deferred reports whether some purchases are not made at once.
func (g purchasesGlance) Deferred() bool { return !g.PausedUntil.IsZero() || len(g.Outages) > 0 }

// snapshot keeps the latest glance of each range for a moment.
type snapshot struct {
	c  *Console
	mu sync.Mutex

	last map[string]glance // by the range's name
	keep map[string]time.Time
}

func (s *snapshot) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.keep)
}

func (s *snapshot) get(ctx context.Context, over search.Range) glance {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UTC()
	if now.Before(s.keep[over.Name]) {
		return s.last[over.Name]
	}
	g := s.c.glance(ctx, now, over)
	s.last[over.Name], s.keep[over.Name] = g, time.Now().Add(max(glanceFresh, glanceShare*time.Since(now)))
	return g
}

// glance reads all that there is to see. What cannot be read is not known, and the log says why.
func (c *Console) glance(ctx context.Context, now time.Time, over search.Range) glance {
	g := glance{At: now, Rate: c.cfg.Rate}
	for _, r := range search.Ranges() {
		g.Ranges = append(g.Ranges, chip{r.Name, address(query("range", r.Name)), r.Name == over.Name})
	}
	g.Orders = seen(ctx, c, "orders", func() (ordersGlance, error) { return c.ordersGlance(ctx, now, over) })
	g.Balance = seen(ctx, c, "balance", func() (balanceGlance, error) { return c.balanceGlance(ctx, now, over) })
	g.Controls = seen(ctx, c, "controls", func() ([]desk.ControlStanding, error) { return c.cfg.Controls.Standings(ctx) })
	asking, cancel := context.WithTimeout(ctx, queuePatience)
	defer cancel()
	g.Queues = seen(ctx, c, "queues", func() ([]queue.Info, error) { return c.queuesGlance(asking) })
	g.Purchases = seen(ctx, c, "purchases", func() (purchasesGlance, error) {
		return c.purchasesGlance(asking, now, g.Orders)
	})
	return g
}

// seen is what was read for a panel.
func seen[T any](ctx context.Context, c *Console, panel string, read func() (T, error)) known.Figure[T] {
	value, err := read()
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.WarnContext(ctx, "overview not complete", "panel", panel, "error", err)
	}
	return known.Of(value, err)
}

func (c *Console) ordersGlance(ctx context.Context, now time.Time, over search.Range) (ordersGlance, error) {
	o, err := c.cfg.Journal.Overview(ctx, now, over)
	if err != nil {
		return ordersGlance{}, err
	}
	g := ordersGlance{Overview: o, Range: "last " + over.Name}
	g.until = o.Since.Add(time.Duration(over.Bars) * over.Bar)
	for _, f := range topup.StateTable() {
		one := stateCount{f, o.ByState[f.State]}
		if f.State.Final() {
			g.Final = append(g.Final, one)
		} else {
			g.Open = append(g.Open, one)
		}
	}
	for _, p := range topup.Priorities() {
		line := waiting{Priority: p}
		for _, n := range o.Waiting[p] {
			line.Count += n
		}
		g.Lines = append(g.Lines, line)
	}
	g.draw(over)
	return g, nil
}

// draw sums up the range, and draws it.
func (g *ordersGlance) draw(over search.Range) {
	layout := "15:04"
	if over.Bar*time.Duration(over.Bars) > 48*time.Hour {
		layout = "Mon 2 Jan 15:04"
	}
	var bars []bar
	for i, states := range g.Bars {
		from := g.Since.Add(time.Duration(i) * over.Bar)
		b := bar{
			Label: from.Local().Format(layout), Good: max(states[topup.StateSucceeded], 0),
			Bad:   max(states[topup.StateFailed]+states[topup.StateCanceled], 0),
			Doubt: states[topup.StateUnknown], Link: address(g.listed("", from, from.Add(over.Bar)), "orders"),
		}
		g.Good += states[topup.StateSucceeded]
		g.Bad += states[topup.StateFailed]
		g.Canceled += states[topup.StateCanceled]
		g.Doubt += states[topup.StateUnknown]
		bars = append(bars, b)
	}
	g.Chart = barChart(bars)
}

func (c *Console) queuesGlance(ctx context.Context) (all []queue.Info, err error) {
	queues, err := c.cfg.Queue.Glance(ctx)
	for _, name := range []string{tasks.QueueTopups, tasks.QueueWebhooks} {
		if info, ok := queues[name]; ok {
			all = append(all, info)
		}
	}
	return all, err
}

func (c *Console) purchasesGlance(
	ctx context.Context, now time.Time, orders known.Figure[ordersGlance],
) (g purchasesGlance, err error) {
	restrictions, err := c.cfg.Purchases.Restrictions(ctx)
	if err != nil {
		return g, err
	}
	if now.Before(restrictions.PausedUntil) {
		g.PausedUntil = restrictions.PausedUntil
	}
	for _, operator := range slices.Sorted(maps.Keys(restrictions.Outages)) {
		one := outageGlance{Operator: operator, Outage: restrictions.Outages[operator]}
		if o := orders.Read(); o != nil {
			one.Waiting = known.Of(o.waitingFor(operator), nil)
		}
		g.Outages = append(g.Outages, one)
	}
	slices.SortStableFunc(g.Outages, func(a, b outageGlance) int { return a.Since.Compare(b.Since) })
	return g, nil
}

// waitingFor counts the orders that wait of an operator's products.
func (g ordersGlance) waitingFor(operator string) (n int64) {
	for _, products := range g.Waiting {
		for product, count := range products {
			if topup.OperatorOf(product) == operator {
				n += count
			}
		}
	}
	return n
}

// balanceGlance is the balance at the distributor.
type balanceGlance struct {
	// Recorded: there has been a reading. All else is zero without one.
	Recorded bool
	// Amount is exact, in the distributor's Currency.
	Amount   json.Number
	Currency string
	// At is when the distributor gave it.
	At time.Time
	// Low: it is below RECARGA_BALANCE_LOW. Trend draws what was recorded in the range.
	Low   bool
	Trend chart
	// Drift is what left the account within a day without an order to explain it, and DriftEver since the first reading.
	Drift, DriftEver json.Number
	// Spent is what left it within a day, and Lasts how long the rest lasts at that pace; 0: nothing was spent, or too
	// little of a day is recorded.
	Spent json.Number
	Lasts time.Duration
}

// Drifted reports whether anything left the account within a day without an order to explain it.
func (g balanceGlance) Drifted() bool { return g.Drift != exactly(0) }

const (
	// paceOf is the time whose pace is said to go on, and paceLeast how much of it must have been recorded.
	paceOf, paceLeast = 24 * time.Hour, time.Hour
	// trendPoints is how many readings a line has at most.
	trendPoints = 300
)

func (c *Console) balanceGlance(ctx context.Context, now time.Time, over search.Range) (g balanceGlance, err error) {
	latest, err := c.cfg.Journal.Balance(ctx)
	if err != nil || latest.At.IsZero() {
		return g, err
	}
	since, dayAgo := over.Since(now), now.Add(-paceOf)
	from := dayAgo
	if since.Before(from) {
		from = since
	}
	readings, err := c.cfg.Journal.BalancesSince(ctx, from)
	if err != nil {
		return g, err
	}
	changes, err := c.cfg.Journal.BalanceChangesSince(ctx, dayAgo)
	if err != nil {
		return g, err
	}
	var drift topup.Amount
	for _, change := range changes {
		if change.Kind == topup.BalanceDrift {
			drift += change.Amount
		}
	}
	g = balanceGlance{
		Recorded: true, Amount: exactly(latest.Amount), Currency: latest.Currency, At: latest.At, Low: latest.Low,
		Drift: exactly(drift), DriftEver: exactly(latest.Drift),
	}
	spent, within := spentOf(readings, dayAgo)
	g.Spent = exactly(spent)
	if spent > 0 && within >= paceLeast && latest.Amount > 0 {
		g.Lasts = time.Duration(float64(latest.Amount) / float64(spent) * float64(within))
	}
	g.Trend = lineChart(trend(readings, since), g.Currency)
	return g, nil
}

// spentOf is what left the balance since a time, and in what time. A rise is a deposit, which is not set against it.
func spentOf(readings []topup.BalanceReading, since time.Time) (spent topup.Amount, within time.Duration) {
	readings = slices.DeleteFunc(slices.Clone(readings), func(r topup.BalanceReading) bool { return r.At.Before(since) })
	for i := 1; i < len(readings); i++ {
		spent += max(readings[i-1].Amount-readings[i].Amount, 0)
	}
	if len(readings) > 0 {
		within = readings[len(readings)-1].At.Sub(readings[0].At)
	}
	return spent, within
}

// trend are points of the readings since a time, of which the latest is one.
func trend(readings []topup.BalanceReading, since time.Time) (points []point) {
	step := (len(readings) + trendPoints - 1) / trendPoints
	for i, r := range readings {
		if !r.At.Before(since) && (len(readings)-1-i)%step == 0 {
			points = append(points, point{r.At, float64(r.Amount) / 100})
		}
	}
	return points
}

// exactly is a balance with its decimals.
func exactly(hundredths topup.Amount) json.Number {
	return json.Number(decimal.New(int64(hundredths), -2).StringFixed(2))
}

func (c *Console) overview(w http.ResponseWriter, r *http.Request, _ operator) error {
	over := search.Ranges()[0]
	if name := r.URL.Query().Get("range"); name != "" {
		at := slices.IndexFunc(search.Ranges(), func(r search.Range) bool { return r.Name == name })
		if at < 0 {
			return &problem{http.StatusUnprocessableEntity, (&topup.FieldError{Field: "range", Value: name,
				Allowed: "hour, day or week"}).Error()}
		}
		over = search.Ranges()[at]
	}
	c.show(w, r, http.StatusOK, "overview", view{Title: "Overview", Live: true, Data: c.now.get(r.Context(), over)})
	return nil
}
