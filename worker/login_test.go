package worker_test

import (
	"context"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/topup/desk"
	"recarga/worker"
)

// TestHangingLogin: while no login succeeds, whatever the reason, orders wait, and no try is spent: nothing was sent.
func TestHangingLogin(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		b := setUp(t, unavailable, approved)
		b.accept(t, request("TRIED"))
		again := b.process(t, "TRIED")
		b.accept(t, request("NEW"))
		b.vendor.login = context.DeadlineExceeded
		b.vendor.loggingIn = func() { time.Sleep(30 * time.Second) }
		time.Sleep(time.Until(again))
		for range 20 { // more than there are tries
			b.process(t, "TRIED")
			if _, err := b.HandlePurchase(t.Context(), purchaseTask(t, request("NEW"), "")); err != nil {
				t.Fatal(err)
			}
		}
		b.is(t, "TRIED", topup.StateRetrying, "", 1)
		b.is(t, "NEW", topup.StateQueued, "", 1)
		b.waitsFor(t, "NEW", topup.WaitLogin)
		if d := b.details(t, "TRIED"); d.WaitsFor != topup.NullString(topup.WaitLogin) || d.AttemptCount != 1 {
			t.Errorf("waits for %q after %d attempts", d.WaitsFor, d.AttemptCount)
		}
	})
}

// TestLoginSucceedsMeanwhile: an order whose login failed, while another's succeeded, does not wait for a login, which
// nobody would make: it is processed again in a second.
func TestLoginSucceedsMeanwhile(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		b := setUp(t, approved)
		once, cancel := context.WithCancel(t.Context())
		cancel()
		var another func()
		b.with(func(c *worker.Config) {
			c.Admission.Controls = func(context.Context) desk.Controls { // read before the order would wait
				if another != nil {
					another()
				}
				return nil
			}
		})
		b.accept(t, request("A"))
		b.vendor.login = context.DeadlineExceeded
		b.vendor.loggingIn = func() {
			time.Sleep(time.Second) // what was read of the controls is old
			another = func() {
				b.vendor.login, b.vendor.loggingIn, another = nil, nil, nil
				b.Login(once)
			}
		}
		if again := b.process(t, "A"); time.Until(again) != time.Second {
			t.Errorf("processed again in %s", time.Until(again))
		}
		b.waitsFor(t, "A", "")
		time.Sleep(time.Second)
		b.process(t, "A")
		b.is(t, "A", topup.StateSucceeded, "", 1)
	})
}
