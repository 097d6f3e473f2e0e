package journal_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"recarga/topup"
)

// testConclude: what else moved the balance is found wherever it stands, and counted once: approved, in doubt, under way,
// and settled since; and a reading that was kept ends the time.
func testConclude(t *testing.T, s store) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	life := func(id string, began, ended int, state topup.State, balance string) {
		_, _, err := s.Accept(t.Context(), request(id), at(began))
		must(t, err)
		o, err := s.Begin(t.Context(), topup.ID(id), 0, workerName, at(began+3), at(began))
		must(t, err)
		if state == topup.StateSubmitting {
			return
		}
		end := settlement(o, state)
		if end.Result.BalanceAfter = nil; balance != "" {
			n := json.Number(balance)
			end.Result.BalanceAfter = &n
		}
		_, _, err = s.Finish(t.Context(), end, at(ended))
		must(t, err)
	}
	concluded := func(id topup.ID) *topup.Conclusion {
		o, err := s.Order(t.Context(), id)
		must(t, err)
		orders := []topup.Order{o}
		must(t, s.Conclude(t.Context(), orders))
		return orders[0].Conclusion
	}
	says := func(call topup.Call, words string) {
		t.Helper()
		c := concluded("held")
		if c == nil || c.Call != call || !strings.Contains(strings.Join(c.Reasons, "\n"), words) {
			t.Errorf("%+v; want %s because %q", c, call, words)
		}
	}
	life("sold", 0, 1, topup.StateSucceeded, "1000.00")
	life("held", 2, 3, topup.StateUnknown, "")
	says(topup.CallCannotTell, "no balance is known from after")
	life("next", 30, 31, topup.StateSucceeded, "979.00")
	says(topup.CallCharged, "other purchases took 10.5 MXN; only with this one")
	life("other", 10, 11, topup.StateUnknown, "")
	says(topup.CallCannotTell, "1 more may have taken some; that is explained with and without")
	life("under way", 12, 0, topup.StateSubmitting, "")
	says(topup.CallCannotTell, "2 more may have taken some")
	_, _, err := s.Resolve(t.Context(), "other", topup.Resolution{Outcome: topup.ResolvedSucceeded, Reason: "statement",
		By: "ana"}, at(60))
	must(t, err)
	says(topup.CallCannotTell, "2 more may have taken some")
	must(t, s.RecordBalance(t.Context(), topup.BalanceReading{Amount: 958_00, From: at(24), At: at(25)}))
	says(topup.CallCannotTell, "down 42, of which other purchases took 0 MXN")
	if c := concluded("sold"); c != nil {
		t.Errorf("of one that is no doubt: %+v", c)
	}
	must(t, s.Conclude(t.Context(), nil))
}
