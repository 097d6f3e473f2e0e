package journal_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// reading is a balance asked for at once, so many seconds after noon.
func reading(pesos int64, after int) topup.BalanceReading {
	at := noon.Add(time.Duration(after) * time.Second)
	return topup.BalanceReading{Amount: topup.Pesos(pesos), Currency: "USD", From: at, At: at}
}

func testBalance(t *testing.T, s store) {
	var claimed atomic.Int64
	claim := func(after time.Duration) int64 {
		claimed.Store(0)
		each(20, func(int) {
			ok, err := s.ClaimBalance(t.Context(), time.Minute, noon.Add(after))
			if err != nil {
				t.Error(err)
			}
			if ok {
				claimed.Add(1)
			}
		})
		return claimed.Load()
	}
	for _, c := range []struct {
		after time.Duration
		want  int64
	}{{0, 1}, {30 * time.Second, 0}, {time.Minute, 1}, {-time.Hour, 1}} { // the last is a clock that is behind
		if got := claim(c.after); got != c.want {
			t.Errorf("after %s %d of 20 may ask, want %d", c.after, got, c.want)
		}
	}
	for _, r := range []topup.BalanceReading{reading(100, 0), reading(90, 10), reading(80, 70), reading(70, 130)} {
		must(t, s.RecordBalance(t.Context(), r))
	}
	late := reading(95, 130)
	late.From = noon // it overlaps all others, and is no lower
	must(t, s.RecordBalance(t.Context(), late))
	standing, err := s.Balance(t.Context())
	must(t, err)
	if standing.Amount != topup.Pesos(70) || !standing.At.Equal(noon.Add(130*time.Second)) {
		t.Errorf("the balance is known as %v", standing)
	}
	history, err := s.BalancesSince(t.Context(), noon.Add(-time.Minute))
	must(t, err)
	var got []string
	for _, r := range history {
		got = append(got, fmt.Sprint(r.Amount, r.Currency))
	}
	if want := []string{"90USD", "80USD", "95USD"}; !slices.Equal(got, want) {
		t.Errorf("one a minute: %v, want %v", got, want)
	}
	hour := 59 - noon.Minute() + 1
	must(t, s.RecordBalance(t.Context(), reading(1, int((91*24*time.Hour).Seconds())+60*hour)))
	if history, _ = s.BalancesSince(t.Context(), time.Time{}); len(history) != 1 {
		t.Errorf("after 91 days there are %d readings", len(history))
	}
}

// testBalanceLow: of many that see a fall, one hears that it is news; and again only after it has risen.
func testBalanceLow(t *testing.T, s store) {
	news := func(r topup.BalanceReading) (n, events int64) {
		var heard, notified atomic.Int64
		each(20, func(int) {
			ok, ev, err := s.SetBalanceLow(t.Context(), r, topup.Pesos(50), true, noon)
			if err != nil {
				t.Error(err)
			}
			if ok {
				heard.Add(1)
			}
			if ev != nil {
				notified.Add(1)
			}
		})
		return heard.Load(), notified.Load()
	}
	older := reading(90, 4)
	older.From = noon
	for i, step := range []struct {
		reading      topup.BalanceReading
		news, events int64
	}{
		{reading(100, 0), 0, 0}, {reading(49, 1), 1, 1}, {reading(20, 2), 0, 0},
		{older, 0, 0}, // from before the fall was seen
		{reading(60, 5), 1, 0}, {reading(10, 6), 1, 1},
	} {
		if n, events := news(step.reading); n != step.news || events != step.events {
			t.Errorf("step %d is news to %d, with %d events; want %d and %d", i, n, events, step.news, step.events)
		}
	}
}

// testBalanceDrift: what orders can explain is no drift, whatever becomes of them.
func testBalanceDrift(t *testing.T, s store) {
	amount := request("X").Amount
	judge := func(hundredths topup.Amount, after int) (drift, deposit topup.Amount) {
		t.Helper()
		r := reading(0, after)
		r.Amount = hundredths
		m, err := s.JudgeBalance(t.Context(), r, time.Second, true, noon)
		must(t, err)
		if (m.Event != nil) != (m.Drift > 0) {
			t.Errorf("a drift of %s makes the event %v", m.Drift, m.Event)
		}
		return m.Drift, m.Deposit
	}
	balance := topup.Pesos(1000)
	is := func(what string, after int, drift, deposit topup.Amount) {
		t.Helper()
		if gotDrift, gotDeposit := judge(balance, after); gotDrift != drift || gotDeposit != deposit {
			t.Errorf("%s: drift %s, deposit %s; want %s, %s", what, gotDrift, gotDeposit, drift, deposit)
		}
	}
	is("the first", -3600, 0, 0)
	is("nothing moved", -3000, 0, 0)
	balance += topup.Pesos(500)
	is("a deposit", -2400, 0, topup.Pesos(500))
	balance -= topup.Pesos(7)
	is("somebody else", -1800, topup.Pesos(7), 0)
	is("notified once", -600, 0, 0)
	for _, state := range []topup.State{topup.StateSubmitting, topup.StateSucceeded, topup.StateUnknown} {
		s.inState(t, "B-"+string(state), state)
		balance -= amount
	}
	is("orders", 2, 0, 0)
	balance -= 1
	is("a centavo more than orders explain", 3, 1, 0)
	s.inState(t, "B-failed", topup.StateFailed)
	is("a failed order", 4000, 0, 0)
	changes, err := s.BalanceChangesSince(t.Context(), noon.Add(-time.Hour))
	must(t, err)
	at := func(after int) time.Time { return noon.Add(time.Duration(after) * time.Second) }
	want := []topup.BalanceChange{
		{At: at(-2400), Kind: topup.BalanceDeposit, Amount: topup.Pesos(500)},
		{At: at(-1800), Kind: topup.BalanceDrift, Amount: topup.Pesos(7)},
		{At: at(3), Kind: topup.BalanceDrift, Amount: 1},
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Error(diff)
	}
	if standing, err := s.Balance(t.Context()); err != nil || standing.Drift != topup.Pesos(7)+1 {
		t.Errorf("all drifts are %s, %v", standing.Drift, err)
	}
}
