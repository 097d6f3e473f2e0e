package worker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"recarga/topup"
	"recarga/worker"
)

// watched is the journal, with the deadline of the latest attempt.
type watched struct {
	worker.Journal
	deadline time.Time
}

func (w *watched) Begin(
	ctx context.Context, id topup.ID, attempts int, name string, deadline, now time.Time,
) (topup.Order, error) {
	w.deadline = deadline
	return w.Journal.Begin(ctx, id, attempts, name, deadline, now)
}

func (w *watched) BeginFirst(
	ctx context.Context, id topup.ID, name string, deadline, now time.Time,
) (topup.Order, error) {
	w.deadline = deadline
	return w.Journal.BeginFirst(ctx, id, name, deadline, now)
}

// TestARequestEndsBeforeItsAttempt: whatever the timeout and the slack are, a request that leaves in the last moment
// and takes as long as it may is over when others may call its attempt unknown; and some time is left to send it.
func TestARequestEndsBeforeItsAttempt(t *testing.T) {
	b := setUp(t, unavailable)
	by := rand.New(rand.NewPCG(1, 2))
	for n := range 50 {
		book, id := &watched{Journal: b.journal}, topup.ID(fmt.Sprint("ORD-", n))
		timeout, slack := time.Duration(1+by.Int64N(int64(5*time.Minute))), time.Duration(by.Int64N(int64(time.Minute)))
		b.with(func(c *worker.Config) { c.Journal, c.Timeout, c.Slack = book, timeout, slack })
		began := time.Now()
		b.accept(t, request(id))
		if n%2 == 0 {
			b.process(t, id)
		} else if _, err := b.HandlePurchase(t.Context(), purchaseTask(t, request(id), "")); err != nil {
			t.Fatal(err)
		}
		if sendBy := b.vendor.sendBy; sendBy.Add(timeout).After(book.deadline) || sendBy.Before(began.Add(slack/2)) {
			t.Errorf("timeout %s, slack %s: to be sent within %s, over after %s", timeout, slack, sendBy.Sub(began),
				book.deadline.Sub(began))
		}
	}
}

// TestTheEndNeedsNoQueue: an order whose time is over ends while Redis is away.
func TestTheEndNeedsNoQueue(t *testing.T) {
	b := setUp(t, approved)
	r, past := request("A"), time.Now().Add(-time.Hour)
	r.ExpiresAt = &past
	if _, _, err := b.journal.Accept(t.Context(), r, past.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.outlet.failed = true
	b.SweepOnce(t.Context())
	b.is(t, "A", topup.StateFailed, topup.ReasonExpired, 0)
}
