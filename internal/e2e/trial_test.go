package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// trial is a steady flow of orders through real processes, while something happens to what they run on. All trials
// count alike, for one table: docs/deploy.md.
type trial struct {
	t *testing.T
	w *world
	// c asks about orders.
	c    *producer.Client
	stop context.CancelFunc
	flow sync.WaitGroup

	// mayHold: an order may be held whose attempt had begun, perhaps, when something happened. Else that is a loss.
	mayHold bool

	mu sync.Mutex
	// accepted are the orders that the API has accepted.
	accepted []topup.ID
	// refused counts requests that were not answered with 2xx. Each was repeated.
	refused int
	// refusals are their errors, each once.
	refusals []string
}

const (
	// trialEvery is the time from one order of a trial to the next. No pause of purchases is shorter.
	trialEvery = 50 * time.Millisecond
	// trialAfterwards is how many more orders are placed when all seems well again.
	trialAfterwards = 60
)

// trialPrefix is that of the ids of a trial's orders.
const trialPrefix = "TRIAL-"

// trial has orders flow through an API, and returns when they are bought.
func (w *world) trial(t *testing.T, api *process) *trial {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	tr := &trial{t: t, w: w, c: api.client(), stop: stop}
	checkout := clientOf(api.apiURL, apiKey, producer.WithRetryNotify(tr.refuse))
	tr.flow.Go(func() {
		tick := time.NewTicker(trialEvery)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			r := order(fmt.Sprintf("%s%05d", trialPrefix, n), phoneOf(n))
			tr.flow.Go(func() { tr.place(checkout, r) }) // whoever is not answered holds up nobody
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(tr.end)
	tr.buysOn()
	return tr
}

// place repeats an order until it is accepted, as a checkout does.
func (tr *trial) place(c *producer.Client, r topup.Request) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o, _, err := c.Place(ctx, r)
	if err != nil {
		tr.t.Errorf("place %s: %v", r.ID, err)
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.accepted = append(tr.accepted, o.ID)
}

func (tr *trial) refuse(err error, _ time.Duration) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.refused++
	why := err.Error()
	if problem := new(producer.Problem); errors.As(err, &problem) {
		why = cmp.Or(problem.Detail, problem.Title)
	}
	if !slices.Contains(tr.refusals, why) && len(tr.refusals) < 5 {
		tr.refusals = append(tr.refusals, why)
	}
}

// buysOn waits until an order is bought that is accepted from now on.
func (tr *trial) buysOn() {
	tr.t.Helper()
	from := len(tr.orders())
	testkit.Eventually(tr.t, patience, func() bool {
		charges := tr.w.charges()
		return slices.ContainsFunc(tr.orders()[from:], func(id topup.ID) bool { return charges[id] > 0 })
	}, "an order is bought")
}

// refuses waits until several requests are refused.
func (tr *trial) refuses() {
	tr.t.Helper()
	testkit.Eventually(tr.t, patience, func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.refused >= 10
	}, "orders are refused")
}

// stops waits until nothing has been bought for a while.
func (tr *trial) stops() {
	tr.t.Helper()
	bought, since := 0, time.Now()
	testkit.Eventually(tr.t, patience, func() bool {
		if n := len(tr.w.vendor.Purchases()); n > bought {
			bought, since = n, time.Now()
		}
		return time.Since(since) > 40*trialEvery
	}, "nothing is bought any more")
}

func (tr *trial) orders() []topup.ID {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.accepted)
}

// end ends the flow. Every order of it is accepted then.
func (tr *trial) end() { tr.stop(); tr.flow.Wait() }

// report ends the trial, and says in one line what came of it. Purchases paused for as long as no order was charged.
// A double is a charge more than one of an order. An order is lost that was accepted and not charged, or of which the
// checkout is not notified that it has succeeded.
func (tr *trial) report(name string) {
	tr.t.Helper()
	tr.buysOn()
	more := len(tr.orders()) + trialAfterwards
	testkit.Eventually(tr.t, patience, func() bool { return len(tr.orders()) >= more }, "orders flow on")
	over := time.Now()
	tr.end()
	tr.settle()
	charges := tr.w.charges()
	held, doubles, losses := 0, 0, 0
	for _, id := range tr.accepted {
		doubles += max(0, charges[id]-1)
		switch {
		case tr.held(id):
			held++
		case charges[id] == 0 || !tr.notified(id):
			losses++
		}
	}
	testkit.Proven(tr.t, "%s: purchases paused %s, %d requests refused, %d doubles, %d losses",
		name, tr.pause(over).Round(10*time.Millisecond), tr.refused, doubles, losses)
	if doubles+losses > 0 {
		tr.t.Errorf("%d doubles and %d losses of %d orders", doubles, losses, len(tr.accepted))
	}
	if held > 0 {
		tr.t.Logf("of %d orders %d are held", len(tr.accepted), held)
	}
	if tr.refused > 0 {
		tr.t.Logf("refused: %q", tr.refusals)
	}
}

// settle waits until the checkout knows of every order that it has succeeded, for as long as ever more are known; what
// is not known then, counts as lost. A busy machine leaves many in line.
func (tr *trial) settle() {
	tr.t.Helper()
	tick := time.NewTicker(trialEvery)
	defer tick.Stop()
	left := slices.Clone(tr.accepted)
	for deadline := time.Now().Add(patience); len(left) > 0 && time.Now().Before(deadline); <-tick.C {
		before := len(left)
		if left = slices.DeleteFunc(left, tr.notified); len(left) < before {
			deadline = time.Now().Add(patience)
		}
	}
	for _, id := range left {
		d, err := tr.c.Get(tr.t.Context(), id)
		tr.t.Errorf("%s is %s %s: %v", id, d.State, d.Reason, err)
	}
}

// notified reports whether the checkout knows that an order has succeeded, or is held where it may be.
func (tr *trial) notified(id topup.ID) bool {
	ev, ok := tr.w.hooks.last(id)
	return ok && (ev.Data.State == topup.StateSucceeded || tr.held(id))
}

func (tr *trial) held(id topup.ID) bool {
	ev, ok := tr.w.hooks.last(id)
	return tr.mayHold && ok && ev.Data.State == topup.StateUnknown
}

// pause is the longest time between two purchases of the flow, which was over then.
func (tr *trial) pause(over time.Time) (longest time.Duration) {
	var last time.Time
	for _, p := range tr.w.vendor.Purchases() {
		if !strings.HasPrefix(p.DistributorTransactionID, trialPrefix) || p.ChargedAt.After(over) {
			continue
		}
		if !last.IsZero() {
			longest = max(longest, p.ChargedAt.Sub(last))
		}
		last = p.ChargedAt
	}
	return max(longest, over.Sub(last))
}
