package testkit

import (
	"testing"
	"time"
)

// Trial logs what a trial of a real server came to: for how long nothing was purchased, how many requests were refused
// meanwhile, and how many orders were charged twice, or lost, of which there must be none.
func Trial(tb testing.TB, what string, paused time.Duration, refused, doubles, losses int) {
	tb.Helper()
	tb.Logf("%s: purchases paused %s, %d requests refused, %d doubles, %d losses", what,
		paused.Round(time.Millisecond), refused, doubles, losses)
	if doubles+losses > 0 {
		tb.Errorf("%s: orders were doubled or lost", what)
	}
}
