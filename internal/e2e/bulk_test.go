package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// bulkOrder is an order of the book of TestBulkInABrowser: two callers have each kind of them, for each number.
type bulkOrder struct {
	caller string
	phone  topup.Phone
	state  topup.State
	number int
	// exhausted: its event was not delivered.
	exhausted bool
}

func (o bulkOrder) id() topup.ID {
	return topup.ID(fmt.Sprintf("%s-%s-%s-%d", o.caller, o.phone.Digits(), o.state, o.number))
}

// TestBulkInABrowser follows the links and presses the buttons of each bulk action, from the list of one caller's
// orders for one number. All others (of other callers, numbers and states) must stay as they were, in the book and in
// the distributor's ledger, and nobody may be notified of them.
func TestBulkInABrowser(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	chromium := testkit.Chromium(t)
	w := newWorld(t, nil)
	cases := []struct {
		name, list, state, link, choice string
		chosen                          bulkOrder
		left                            topup.State
		charges                         int
	}{
		{"charged", "orders", "unknown", "Resolve all of these", "succeeded",
			bulkOrder{phone: "5537686660", state: topup.StateUnknown}, topup.StateSucceeded, 0},
		{"failed", "orders", "unknown", "Resolve all of these", "failed",
			bulkOrder{phone: "5537686661", state: topup.StateUnknown}, topup.StateFailed, 0},
		{"resend", "orders", "unknown", "Resolve all of these", "resend",
			bulkOrder{phone: "5537686662", state: topup.StateUnknown}, topup.StateSucceeded, 1},
		{"cancel", "orders", "queued", "Cancel all of these", "", bulkOrder{phone: "5537686663", state: topup.StateQueued},
			topup.StateCanceled, 0},
		{"send again", "events", "exhausted", "Send all of these again", "",
			bulkOrder{phone: "5537686664", state: topup.StateCanceled, exhausted: true}, topup.StateCanceled, 0},
	}
	var book []bulkOrder
	for _, tt := range cases {
		for _, caller := range []string{topup.DefaultCaller, "other"} {
			for _, state := range []topup.State{topup.StateUnknown, topup.StateQueued, topup.StateCanceled} {
				for number := range 2 {
					book = append(book, bulkOrder{caller, tt.chosen.phone, state, number, tt.chosen.exhausted &&
						state == topup.StateCanceled})
				}
			}
		}
	}
	writeBook(t, w, book)
	p := w.start(t, "serve")
	c := clientOf(p.apiURL, adminKey)
	b := browse(t, chromium, p.apiURL, 1120, 760, false)
	b.do("login", chromedp.Navigate(b.url+"/console/"), chromedp.WaitVisible("#key"),
		chromedp.SendKeys("#name", "Ana"), chromedp.SendKeys("#key", adminKey+kb.Enter), chromedp.WaitVisible(".tiles"))
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			b.t = t
			before := stories(t, c, book)
			b.do("list", chromedp.Navigate(b.url+"/console/"+tt.list), chromedp.WaitVisible("form.filter"))
			b.do("state", chromedp.Click(`//nav[@class="chips"]/a[text()="`+tt.state+`"]`, chromedp.BySearch),
				chromedp.WaitVisible(`.chips a[aria-current="true"][href*="`+tt.state+`"]`),
				chromedp.SendKeys(`.filter input[name="caller"]`, topup.DefaultCaller))
			if tt.list == "orders" {
				b.do("phone", chromedp.SendKeys(`.filter input[name="phone"]`, "+52 "+tt.chosen.phone.Digits()))
			}
			b.do("filter", chromedp.Click(".filter button"), chromedp.WaitVisible(
				`.filter input[name="caller"][value="default"]`))
			b.do("all of these", chromedp.Click(`//a[contains(., "`+tt.link+`")]`, chromedp.BySearch),
				chromedp.WaitVisible("#reason"))
			b.says("I mean all 2 of them", topup.DefaultCaller)
			b.fits("bulk " + tt.name)
			if tt.choice != "" {
				b.do("choose", chromedp.Click(`input[value="`+tt.choice+`"]`))
			}
			b.do("do it", chromedp.SendKeys("#reason", "by the statement of 23 November"),
				chromedp.Click(`input[type="checkbox"][required]`),
				chromedp.Click("main button.primary"), chromedp.WaitVisible(`progress[value="100"]`))
			b.says("2 of 2 done")
			for _, o := range book {
				if o.caller != topup.DefaultCaller || o.phone != tt.chosen.phone || o.state != tt.chosen.state {
					continue
				}
				delete(before, o.id())
				testkit.Eventually(t, patience, func() bool { return get(t, c, o.id()).State == tt.left }, "%s becomes %s", o.id(),
					tt.left)
				w.notified(t, get(t, c, o.id()))
				testkit.Eventually(t, patience, func() bool { return delivered(get(t, c, o.id())) },
					"the webhooks of %s are recorded", o.id())
			}
			if len(before) != len(book)-2 {
				t.Fatalf("%d orders were meant", len(book)-len(before))
			}
			after := stories(t, c, book)
			for id, was := range before {
				if diff := cmp.Diff(was, after[id]); diff != "" {
					t.Errorf("%s was not meant, and changed: %s", id, diff)
				}
			}
		})
	}
	t.Run("correct", func(t *testing.T) {
		b.t = t
		o := bulkOrder{caller: topup.DefaultCaller, phone: "5537686661", state: topup.StateUnknown}
		before := stories(t, c, book)
		delete(before, o.id())
		b.do("correct", chromedp.Navigate(b.url+"/console/orders/"+string(o.id())),
			chromedp.Click(`//a[contains(., "Correct…")]`, chromedp.BySearch), chromedp.WaitVisible("#reason"))
		b.fits("correct")
		b.do("charged", chromedp.Click(`input[value="succeeded"]`), chromedp.SendKeys("#reason",
			"the distributor's support says so"),
			chromedp.Click("main button.primary"), chromedp.WaitVisible("p.done"))
		b.says("Corrected.", "Corrected to succeeded")
		w.notified(t, get(t, c, o.id()))
		after := stories(t, c, book)
		delete(after, o.id())
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("others were not meant, and changed: %s", diff)
		}
	})
	b.t = t
	b.clean()
	charged, notified := map[topup.ID]int{}, map[topup.ID]bool{}
	for _, tt := range cases {
		for number := range 2 {
			o := tt.chosen
			o.caller, o.number = topup.DefaultCaller, number
			notified[o.id()] = true
			if tt.charges > 0 {
				charged[o.id()] = tt.charges
			}
		}
	}
	if diff := cmp.Diff(charged, w.charges()); diff != "" {
		t.Errorf("the distributor charged others than were meant: %s", diff)
	}
	if diff := cmp.Diff(notified, w.hooks.orders()); diff != "" {
		t.Errorf("the callers were notified of others than were meant: %s", diff)
	}
}

// delivered reports whether the journal knows that the last event of an order was delivered: the next comparison
// begins with that.
func delivered(d topup.Details) bool {
	return len(d.Events) > 0 && d.Events[len(d.Events)-1].DeliveredAt != nil
}

// says checks what the page shows now, and goes on if it does not: what follows shows the harm.
func (b *browser) says(texts ...string) {
	b.t.Helper()
	var body string
	b.do("read", chromedp.Evaluate(`document.body.innerText`, &body))
	for _, text := range texts {
		if !strings.Contains(body, text) {
			b.t.Errorf("the page does not say %q:\n%s", text, body)
		}
	}
}

// writeBook makes a journal before anybody has it open.
func writeBook(t *testing.T, w *world, book []bulkOrder) {
	t.Helper()
	j, err := journal.Open(t.Context(), w.env["RECARGA_DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range book {
		if err := o.write(t.Context(), j, time.Now().Add(time.Duration(i-len(book))*time.Second-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func (o bulkOrder) write(ctx context.Context, j *journal.Journal, at time.Time) error {
	r := order(string(o.id()), o.phone)
	r.Caller = o.caller
	if o.state == topup.StateQueued {
		r.ProcessAt = new(time.Now().Add(time.Hour))
	}
	placed, _, err := j.Accept(ctx, r, at)
	if err != nil {
		return err
	}
	var ev *topup.Event
	switch o.state {
	case topup.StateUnknown:
		if _, err = j.Begin(ctx, placed.ID, 0, "worker-1", at.Add(time.Minute), at); err != nil {
			return err
		}
		_, ev, err = j.Finish(ctx, topup.Settlement{
			ID: placed.ID, Number: 1, State: topup.StateUnknown, Result: topup.Result{Outcome: topup.OutcomeUnknown,
				HTTPStatus: 502},
		}, at.Add(time.Second))
	case topup.StateCanceled:
		_, ev, err = j.Cancel(ctx, placed.ID, "", at.Add(time.Second))
	}
	if err != nil || ev == nil {
		return err
	}
	status, end := 204, topup.EventDelivered
	if o.exhausted {
		status, end = 500, topup.EventExhausted
	}
	return j.RecordTry(ctx, *ev, topup.Try{At: at.Add(2 * time.Second), Status: &status}, end, time.Time{})
}

// stories are the orders as the API shows them, with all that happened to them.
func stories(t *testing.T, c *producer.Client, book []bulkOrder) map[topup.ID]string {
	t.Helper()
	all := map[topup.ID]string{}
	for _, o := range book {
		text, err := json.MarshalIndent(get(t, c, o.id()), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		all[o.id()] = string(text)
	}
	return all
}
