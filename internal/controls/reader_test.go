package controls_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"recarga/internal/controls"
	"recarga/internal/testkit"
	"recarga/topup/desk"
)

// TestNoPauseEndsByAFault: what is not known yet, or not known any more, is paused as far as anybody knows.
func TestNoPauseEndsByAFault(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		var set desk.Controls
		down := errors.New("the book does not answer")
		failure := down
		changes := 0
		r := controls.NewReader(func(context.Context) (desk.Controls, error) { return set, failure },
			func(desk.Controls) { changes++ }, slog.New(slog.DiscardHandler))
		check := func(when string, paused bool) {
			t.Helper()
			time.Sleep(time.Second) // what was read before is old
			now := r.Now(t.Context())
			if _, webhooks := now.Of(desk.PauseWebhooks); now.PausesPurchases() != paused || webhooks != paused {
				t.Errorf("%s: %v", when, now)
			}
		}
		check("never read", true)
		failure = nil
		check("nothing is set", false)
		failure = down
		check("not read again, and nothing was set", false)
		set, failure = desk.Controls{{Kind: desk.PausePurchases}, {Kind: desk.PauseWebhooks}}, nil
		check("set", true)
		failure = down
		check("not read again", true)
		if changes != 2 {
			t.Errorf("a change was heard of %d times, want 2", changes)
		}
	})
}
