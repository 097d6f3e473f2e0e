package conclusion_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/distributor"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/sandbox"
	"recarga/topup"
)

// worlds are random ones in which orders become unknown, one after the other at the same distributor, whose ledger says
// afterwards which of them were charged. Their time is none that passes.
type worlds struct {
	testing.TB
	*rand.Rand
	journal *journal.Journal
	vendor  *sandbox.Server
	client  *distributor.Client
	charged map[topup.ID]bool // as it should be by the fates
	made    int
	tally   map[row]*score
}

// row is a line of the table: how much was bought at the same time, and when the conclusion was drawn.
type row struct {
	others int // 0, 1: few, 2: many
	soon   bool
}

// score counts the unknown orders, by what was said and what was so.
type score struct{ charged, chargedRight, not, notRight, cannot int }

func newWorlds(tb testing.TB, seed uint64) *worlds {
	j, err := journal.Open(tb.Context(), journaltest.SQLite(tb))
	if err != nil {
		tb.Fatal(err)
	}
	vendor := sandbox.New(sandbox.DefaultConfig(), nil)
	server := httptest.NewServer(vendor)
	client, err := distributor.New(distributor.Config{URL: server.URL + "/api/distributor", CustomerID: "demo",
		SecretKey: "demo", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		client.Close()
		vendor.Close()
		server.Close()
		if err := j.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &worlds{TB: tb, Rand: rand.New(rand.NewPCG(seed, 1)), journal: j, vendor: vendor, client: client,
		charged: map[topup.ID]bool{}, tally: map[row]*score{}}
}

func (w *worlds) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// happening is something that happens at a time of a world.
type happening struct {
	at time.Time
	do func(now time.Time)
}

// fate is what becomes of a purchase.
type fate struct {
	phone   string
	charges int
	unknown bool
	// late: it is charged although its answer never came. died: the worker has, so that nothing is known of the request.
	late, died bool
}

// fates of a purchase, of which one in three becomes unknown.
func (w *worlds) fate() fate {
	switch n := w.IntN(300); {
	case n < 1:
		return fate{phone: "5500000002", charges: 2}
	case n < 10:
		return fate{phone: "5500000051"}
	case n < 15:
		return fate{phone: "5500000091"}
	case n < 200:
		return fate{phone: "5537686660", charges: 1}
	case n < 220:
		return fate{phone: "5537686660", charges: 1, unknown: true, late: true}
	case n < 240:
		return fate{phone: "5537686660", charges: w.IntN(2), unknown: true, died: true}
	}
	charged := []string{"5500000501", "5500000502", "5500000200", "5500000599"}
	if w.IntN(2) == 0 {
		return fate{phone: charged[w.IntN(len(charged))], charges: 1, unknown: true}
	}
	return fate{phone: []string{"5500000500", "5500000503"}[w.IntN(2)], unknown: true}
}

// run lives through one world.
func (w *worlds) run() {
	w.made++
	start := time.Date(2026, 1, 1, 6, 0, 0, 0, time.UTC).Add(time.Duration(w.made) * 24 * time.Hour)
	w.account()
	traffic := w.IntN(3)
	orders := 1 + []int{0, w.IntN(5), 10 + w.IntN(20)}[traffic]
	var all []happening
	var unknown []topup.ID
	later := func(d time.Duration, do func(now time.Time)) { all = append(all, happening{start.Add(d), do}) }
	// Purchases before all others, by which the balance and the price of a peso are known.
	for i := range 4 {
		at := time.Duration(10*(i-3)) * time.Minute
		later(at, w.order(start, fate{phone: "5537686660", charges: 1}, w.id(900+i), later, nil))
	}
	for i := range orders {
		f := w.fate()
		if i == 0 {
			for !f.unknown {
				f = w.fate()
			}
		}
		id, at := w.id(i+1), time.Duration(60+w.IntN(1200))*time.Second
		if f.unknown {
			unknown = append(unknown, id)
			later(at+4*time.Minute, func(time.Time) { w.judge(id, row{traffic, true}) })
		}
		later(at, w.order(start, f, id, later, w.Rand))
	}
	if w.IntN(10) > 0 { // the balance is watched
		every := time.Duration(120+w.IntN(300)) * time.Second
		for at := every; at < 80*time.Minute; at += every {
			w.watch(at, later)
		}
	}
	if w.IntN(20) == 0 { // somebody else buys from the same account, or tops it up
		later(time.Duration(w.IntN(1200))*time.Second, func(time.Time) {
			w.buy(fate{phone: "5537686660", charges: 1}, w.id(999), w.amount())
		})
	}
	later(50*time.Minute, w.order(start, fate{phone: "5537686660", charges: 1}, w.id(998), later, nil))
	later(100*time.Minute, func(now time.Time) { w.end(now, unknown, traffic) })
	for len(all) > 0 {
		slices.SortStableFunc(all, func(a, b happening) int { return a.at.Compare(b.at) })
		next := all[0]
		all = all[1:]
		next.do(next.at)
	}
}

func (w *worlds) id(n int) topup.ID { return topup.ID(fmt.Sprintf("W%d-%d", w.made, n)) }

func (w *worlds) amount() topup.Amount {
	return topup.Amount(100 * []int{10, 10, 20, 20, 30, 50, 50, 100, 150, 200}[w.IntN(10)])
}

// account sets the balance and, in one world of three, an exchange rate that moves.
func (w *worlds) account() {
	change := `{"initial_balance":500000,"exchange_rate":1,"exchange_step":0}`
	if w.IntN(3) == 0 {
		change = fmt.Sprintf(`{"initial_balance":30000,"exchange_rate":%d,"exchange_step":0.01}`, 16+w.IntN(4))
	}
	r := httptest.NewRequest(http.MethodPost, "/sandbox/config", strings.NewReader(change))
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	if w.vendor.ServeHTTP(answer, r); answer.Code != http.StatusOK {
		w.Fatalf("%d %s", answer.Code, answer.Body)
	}
}

// buy has the distributor carry out a purchase.
func (w *worlds) buy(f fate, id topup.ID, amount topup.Amount) topup.Result {
	w.charged[id] = f.charges > 0
	o := topup.Order{ID: id, Phone: topup.Phone(f.phone), Product: "MOVISTAR_TAE", Amount: amount}
	return w.client.Purchase(w.Context(), o, time.Now().Add(time.Minute))
}

// order is placed, begun, charged and settled, each in its time.
func (w *worlds) order(
	start time.Time, f fate, id topup.ID, later func(time.Duration, func(time.Time)), lots *rand.Rand,
) func(time.Time) {
	amount, took, charged := w.amount(), 2*time.Second, time.Second
	if lots != nil {
		took = time.Duration(500+lots.IntN(8000)) * time.Millisecond
		charged = time.Duration(lots.Int64N(int64(took)))
	}
	return func(now time.Time) {
		_, _, err := w.journal.Accept(w.Context(), topup.Request{ID: id, Caller: "shop", Phone: topup.Phone(f.phone),
			Product: "MOVISTAR_TAE", Amount: amount}, now)
		w.must(err)
		o, err := w.journal.Begin(w.Context(), id, 0, "worker", now.Add(150*time.Second), now)
		w.must(err)
		at := now.Sub(start)
		s := topup.Settlement{ID: id, Number: o.AttemptCount}
		switch {
		case f.died:
			took = 150 * time.Second
			s.Result = topup.Result{Outcome: topup.OutcomeUnknown, Error: "timed out"}
			if f.charges > 0 {
				later(at+charged, func(time.Time) { w.buy(f, id, amount) })
			}
		case f.late:
			s.Result = topup.Result{Outcome: topup.OutcomeUnknown, Error: "no whole answer: timeout",
				Evidence: `request written; HTTP status 0; answer ""`}
			delay := time.Duration(w.IntN(120)) * time.Second
			if w.IntN(10) == 0 {
				delay *= 5
			}
			later(at+took+delay, func(time.Time) { w.buy(f, id, amount) })
		default:
			later(at+charged, func(time.Time) { s.Result = w.buy(f, id, amount) })
		}
		later(at+took, func(now time.Time) { w.settle(s, now) })
	}
}

func (w *worlds) settle(s topup.Settlement, now time.Time) {
	next := now.Add(2 * time.Hour)
	switch s.Result.Outcome {
	case topup.OutcomeApproved:
		s.State = topup.StateSucceeded
	case topup.OutcomeDeclined:
		s.State, s.Reason = topup.StateFailed, topup.ReasonDeclined
	case topup.OutcomeUnavailable:
		s.State, s.NextAttemptAt = topup.StateRetrying, &next
	default:
		s.State = topup.StateUnknown
	}
	_, _, err := w.journal.Finish(w.Context(), s, now)
	w.must(err)
}

// watch asks for the balance, whose figure is some time old.
func (w *worlds) watch(at time.Duration, later func(time.Duration, func(time.Time))) {
	age := time.Duration(w.IntN(30)) * time.Second
	var b distributor.Balance
	later(at-age, func(time.Time) {
		var err error
		b, err = w.client.Balance(w.Context())
		w.must(err)
	})
	later(at, func(now time.Time) {
		amount, err := topup.ParseBalance(b.Amount)
		w.must(err)
		w.must(w.journal.RecordBalance(w.Context(), topup.BalanceReading{Amount: amount, From: now.Add(-30 * time.Second),
			At: now}))
	})
}

// end settles some of the unknown orders by what is true, as a statement does, and judges the others.
func (w *worlds) end(now time.Time, unknown []topup.ID, traffic int) {
	for i, id := range unknown {
		if i > 0 && w.IntN(3) == 0 {
			outcome := topup.ResolvedFailed
			if w.charged[id] {
				outcome = topup.ResolvedSucceeded
			}
			_, _, err := w.journal.Resolve(w.Context(), id, topup.Resolution{Outcome: outcome, Reason: "statement", By: "test",
				Forced: true}, now)
			w.must(err)
		}
	}
	for _, id := range unknown {
		w.judge(id, row{traffic, false})
	}
}

func (w *worlds) judge(id topup.ID, in row) {
	o, err := w.journal.Order(w.Context(), id)
	w.must(err)
	orders := []topup.Order{o}
	w.must(w.journal.Conclude(w.Context(), orders))
	c := orders[0].Conclusion
	if o.State != topup.StateUnknown {
		if c != nil {
			w.Errorf("%s is %s, and concluded: %+v", id, o.State, c)
		}
		return
	}
	s := w.tally[in]
	if s == nil {
		s = new(score)
		w.tally[in] = s
	}
	s.add(c.Call, w.charged[id])
	if c.Call == topup.CallCannotTell && !in.soon && testing.Verbose() {
		w.Logf("cannot: %d %s, charged %t: %s", in.others, id, w.charged[id], mustJSON(c))
	}
	if wrong := c.Call == topup.CallCharged && !w.charged[id] || c.Call == topup.CallNotCharged && w.charged[id]; wrong {
		w.Logf("wrong: %s, charged %t: %s", id, w.charged[id], mustJSON(c))
	}
}

func mustJSON(v any) string {
	text, _ := json.MarshalIndent(v, "", " ") // it has texts alone
	return string(text)
}

func (s *score) add(call topup.Call, charged bool) {
	switch call {
	case topup.CallCharged:
		s.charged++
		if charged {
			s.chargedRight++
		}
	case topup.CallNotCharged:
		s.not++
		if !charged {
			s.notRight++
		}
	default:
		s.cannot++
	}
}

func (s *score) plus(o *score) {
	s.charged, s.chargedRight = s.charged+o.charged, s.chargedRight+o.chargedRight
	s.not, s.notRight, s.cannot = s.not+o.not, s.notRight+o.notRight, s.cannot+o.cannot
}

func (s *score) count() int { return s.charged + s.not + s.cannot }

// ledger compares what should have been charged with what was.
func (w *worlds) ledger() {
	really := map[topup.ID]bool{}
	for _, p := range w.vendor.Purchases() {
		really[topup.ID(p.DistributorTransactionID)] = true
	}
	for id, charged := range w.charged {
		if charged != really[id] {
			w.Errorf("%s: charged %t by its fate, %t by the ledger", id, charged, really[id])
		}
	}
}

// table is the figures, and all of them together.
func (w *worlds) table() (string, score) {
	var b strings.Builder
	var total score
	b.WriteString("| bought in the same hour | concluded | unknown | said charged, right | said not charged, right | " +
		"cannot be told |\n|---|---|---|---|---|---|\n")
	rows := slices.SortedFunc(func(yield func(row) bool) {
		for r := range w.tally {
			if !yield(r) {
				return
			}
		}
	}, func(a, b row) int { return cmp.Or(cmp.Compare(a.others, b.others), boolOrder(b.soon, a.soon)) })
	for _, r := range rows {
		s := w.tally[r]
		total.plus(s)
		when := "an hour after"
		if r.soon {
			when = "four minutes after"
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s |\n", []string{"nothing else", "up to 5 orders", "10 to 30 orders"}[r.others],
			when, s.count(), share(s.chargedRight, s.charged), share(s.notRight, s.not),
			fmt.Sprintf("%.0f %%", 100*float64(s.cannot)/float64(max(s.count(), 1))))
	}
	return b.String(), total
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func share(right, all int) string {
	if all == 0 {
		return "0"
	}
	return fmt.Sprintf("%d, %.1f %%", all, 100*float64(right)/float64(all))
}
