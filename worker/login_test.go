package worker_test

import (
	"context"
	"testing"
	"time"

	"recarga/distributor"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/topup/desk"
	"recarga/worker"
)

// TestLoginSucceedsMeanwhile: an order whose login was refused, while another's succeeded, does not wait for a login, which
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
		b.vendor.login = distributor.ErrCredentials
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
