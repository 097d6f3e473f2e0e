package e2e

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"recarga/internal/coordination"
	"recarga/internal/journal"
	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/topup"
)

// walk counts the clicks of somebody who is called at night.
type walk struct {
	*browser
	clicks int
}

func (w *walk) click(elements ...string) {
	w.t.Helper()
	for _, element := range elements {
		w.clicks++
		w.do(element, chromedp.WaitVisible(element), chromedp.Click(element))
	}
}

// because says why, and presses the button that acts.
func (w *walk) because(why string) {
	w.t.Helper()
	w.do("why", chromedp.WaitVisible("#reason"), chromedp.SendKeys("#reason", why))
	w.click("main form button.primary")
}

// faults are those of the table in docs/operations.md, each from its alarm on the overview to what ends it.
var faults = []struct {
	name string
	walk func(w *walk, redis *testkit.RedisServer)
}{
	{"The distributor is down", func(w *walk, _ *testkit.RedisServer) {
		w.sees("MOVISTAR is out", "1 order waits")
		w.click(`.alert a[href*="waits_for=outage"]`)
		w.sees("WAITS", "waits: outage")
	}},
	{"The balance is used up", func(w *walk, _ *testkit.RedisServer) {
		w.click(`a[href$="/queues/topups/pause"]`)
		w.because("the account is empty")
		w.sees("All purchases paused")
		w.click(`a[href$="/queues/topups/resume"]`)
		w.because("paid in")
		w.sees("Queue topups running")
		w.click(`.figures a[href*="state=failed"]`)
		w.do("code", chromedp.WaitVisible(`input[name="code"]`), chromedp.SendKeys(`input[name="code"]`, "51"))
		w.click(".filter button")
		w.do("filtered", chromedp.WaitVisible(`input[name="code"][value="51"]`)) // the list itself shows it before
		w.sees("EMPTY-51", "declined 51")
	}},
	{"A receiver is down", func(w *walk, _ *testkit.RedisServer) {
		w.sees("1 webhook exhausted")
		w.click(`.alert a[href*="state=exhausted"]`, `a[href*="/bulk/redeliver"]`, `input[type="checkbox"][required]`)
		w.because("the shop is back")
		w.sees("1 of 1 done")
	}},
	{"Orders are unknown", func(w *walk, _ *testkit.RedisServer) {
		w.sees("1 unknown.")
		w.click(`.alert a[href*="state=unknown"]`, `a[href$="/orders/DOUBT"]`, `a[href$="/resolve"]`,
			`input[value="failed"]`)
		w.because("not in the statement of 23 November")
		w.sees("Resolved.", "Money not moved")
	}},
	{"An order was settled wrongly", func(w *walk, _ *testkit.RedisServer) {
		w.sees("1 disputed.")
		w.click(`.alert a[href*="disputed=true"]`, `a[href$="/orders/WRONG"]`, `a[href$="/correct"]`,
			`input[value="succeeded"]`)
		w.because("in the statement of 23 November, line 812")
		w.sees("Corrected.", "Money moved")
	}},
	{"Redis is full or down", func(w *walk, redis *testkit.RedisServer) {
		redis.Pause()
		w.do("again", chromedp.Reload())
		w.sees("Redis does not answer")
		redis.Resume() // what a person does at the server
		w.sees("Queue topups running")
	}},
}

// TestFaultsInABrowser: from the alarm to the fix, each fault takes as many clicks as docs/operations.md says.
func TestFaultsInABrowser(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w, redis := newWorld(t, nil), testkit.Redis(t)
	w.env["RECARGA_REDIS_URL"] = redis.URL()
	faulty(t, w, redis.URL())
	b := browse(t, testkit.Chromium(t), w.start(t, "api").apiURL, 1440, 900, false)
	b.logIn()
	said := clicksSaid(t)
	for _, fault := range faults {
		one := &walk{browser: b}
		one.do("overview", chromedp.Navigate(b.url+"/console/"), chromedp.WaitVisible(".tiles"))
		fault.walk(one, redis)
		if got := fmt.Sprint(one.clicks); got != said[fault.name] {
			t.Errorf("%s: %s clicks; docs/operations.md says %q", fault.name, got, said[fault.name])
		}
	}
	b.clean()
}

// clicksSaid is the last column of the document's table, by its first.
func clicksSaid(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, " | "); len(cells) == 4 {
			said[strings.TrimPrefix(cells[0], "| ")] = strings.TrimSuffix(strings.TrimSpace(cells[3]), " |")
		}
	}
	return said
}

// faulty leaves in a book, and in a Redis, what each fault leaves there.
func faulty(t *testing.T, w *world, redis string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	j, err := journal.Open(t.Context(), w.env["RECARGA_DATABASE_URL"])
	must(err)
	at := time.Now().Add(-10 * time.Minute)
	placed := func(id topup.ID) {
		_, _, err := j.Accept(t.Context(), order(string(id), "5537686660"), at)
		must(err)
	}
	ended := func(id topup.ID, s topup.Settlement) topup.Event {
		placed(id)
		_, err := j.Begin(t.Context(), id, 0, "worker-1", at.Add(time.Minute), at)
		must(err)
		s.ID, s.Number = id, 1
		_, ev, err := j.Finish(t.Context(), s, at)
		must(err)
		return *ev
	}
	declined := topup.Settlement{State: topup.StateFailed, Reason: topup.ReasonDeclined,
		Result: topup.Result{Outcome: topup.OutcomeDeclined, HTTPStatus: 402, Code: "51"}}
	lost := ended("EMPTY-51", declined)
	must(j.RecordTry(t.Context(), lost, topup.Try{At: at, Error: "connection refused"}, topup.EventExhausted, time.Time{}))
	ended("WRONG", declined)
	_, err = j.Dispute(t.Context(), "WRONG", topup.Dispute{Evidence: "statement.csv line 812 charges it", RaisedBy: "ana"},
		at)
	must(err)
	ended("DOUBT", topup.Settlement{State: topup.StateUnknown, Result: topup.Result{Outcome: topup.OutcomeUnknown}})
	placed("WAITS")
	must(j.Defer(t.Context(), "WAITS", 0, topup.WaitOutage, at))
	must(j.Close())
	q, err := queue.Open(t.Context(), redis, slog.New(slog.DiscardHandler))
	must(err)
	shared := coordination.Redis{Client: q.Redis()}
	must(shared.SharedState(w.env["RECARGA_DISTRIBUTOR_SECRET_KEY"]).SetOutage(t.Context(), "MOVISTAR",
		topup.Outage{Since: at, Why: "every purchase failed"}))
	must(q.Close())
}
