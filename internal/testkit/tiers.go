package testkit

import (
	"os"
	"testing"
	"time"
)

// Patience bounds every wait of a test. No test needs a tenth of it on a machine that has other work to do: whoever
// waits for so long waits for ever.
const Patience = 2 * time.Minute

// Hung fires when a wait hangs.
func Hung() <-chan time.Time { return time.After(Patience) }

// Proving reports whether `make prove` runs, which has the time for everything: RECARGA_PROVE=1, or bounded.
func Proving() bool { return os.Getenv("RECARGA_PROVE") != "" }

// Bounded reports whether `make prove` has less time: RECARGA_PROVE=bounded. What takes longest then tries a share of
// its cases, other ones each time.
func Bounded() bool { return os.Getenv("RECARGA_PROVE") == "bounded" }

// Times is how often a test repeats what finds more the more often it is repeated: few times in `make test`, many
// times in `make prove`.
func Times(few, many int) int {
	if Proving() {
		return many
	}
	return few
}

// Some is n, or a quarter of it where `make prove` has less time.
func Some(n int) int {
	if Bounded() {
		return n / 4
	}
	return n
}

// Deep skips a test that `make test` has no time for, and says so in one line.
func Deep(tb testing.TB) {
	tb.Helper()
	if !Proving() {
		tb.Skip("runs in make prove, or with RECARGA_PROVE=1")
	}
}

// Proven logs what a test has proven, for the table of `make prove`: "%d lives on %s".
func Proven(tb testing.TB, what string, args ...any) {
	tb.Helper()
	tb.Logf("proven: "+what, args...)
}
