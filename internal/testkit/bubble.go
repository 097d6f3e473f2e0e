package testkit

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bubbles counts those that are open, and keeps what the first of them found.
var bubbles struct {
	sync.Mutex
	open, cores int
}

// Bubble is synctest.Test that the race detector survives: all timers of a bubble have one context of the detector,
// which ends the program when two cores use it at once (golang/go#78156). So there is one core while a bubble is open.
func Bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if RaceDetector {
		bubbles.Lock()
		if bubbles.open++; bubbles.open == 1 {
			bubbles.cores = runtime.GOMAXPROCS(1)
		}
		bubbles.Unlock()
		defer func() {
			bubbles.Lock()
			defer bubbles.Unlock()
			if bubbles.open--; bubbles.open == 0 {
				runtime.GOMAXPROCS(bubbles.cores)
			}
		}()
	}
	synctest.Test(t, f) //nolint:forbidigo // here it is made safe
}

// Pass lets so much of a bubble's time pass, and returns when all that is due by then is done: what was written may be
// read.
func Pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
