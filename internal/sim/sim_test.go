// Waits between the repetitions of a call are varied by math/rand, which a life seeds.
//go:debug randseednop=0

package sim

import (
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	seeds = flag.Int("seeds", 200, "how many lives")
	first = flag.Uint64("seed", 1, "the first seed")
	book  = flag.String("book", "both", "the book of record: sqlite, or both, the reference by turns")
	show  = flag.Bool("story", false, "print the story of each life")
)

// past is when the next life begins, since the beginning of a bubble's time: each is later than all before it, because
// the ids of events contain their time, and never one that is earlier than an id's before.
var past time.Duration

// run is one life.
func run(t *testing.T, from *template, on *tape) (w *world) {
	synctest.Test(t, func(t *testing.T) {
		rand.Seed(1)     //nolint:staticcheck // cenkalti/backoff takes its chance from there, and from nowhere else
		time.Sleep(past) // of a clock that jumps
		defer func() { past += time.Since(w.began).Truncate(time.Hour) + time.Hour }()
		j, end, err := from.open(on.choose(ofPlan, 4, 0.3) > 0 && *book != "sqlite")
		if err != nil {
			t.Fatal(err)
		}
		w = newWorld(on, j)
		w.live()
		w.end()
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// end ends the life, and all that still waits.
func (w *world) end() {
	for len(w.procs) > 0 {
		w.procs[0].die()
	}
	close(w.over)
	for _, c := range w.conns {
		_ = c.Close()
	}
	synctest.Wait()
}

// cpu is the time that this process has worked.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // without it, the speed is wrong
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // net/http logs what servers do
	runtime.GOMAXPROCS(1)     // one thing at a time
	os.Exit(m.Run())
}

func TestLives(t *testing.T) {
	from := newTemplate(t)
	began, idle, moves := time.Now(), cpu(), 0
	for seed := *first; seed < *first+uint64(*seeds); seed++ {
		w := run(t, from, recording(seed))
		moves += w.moves
		if w.wrong != "" || *show {
			fmt.Printf("seed %d: %s\n%s\n", seed, w.wrong, w.tells())
		}
		if w.wrong != "" {
			t.Fatalf("seed %d: %s", seed, w.wrong)
		}
	}
	took, worked := time.Since(began), cpu()-idle
	t.Logf("%d lives in %s: %.0f a second, %.0f a second of one core; %d moves a life", *seeds,
		took.Round(time.Millisecond), float64(*seeds)/took.Seconds(), float64(*seeds)/worked.Seconds(), moves / *seeds)
}

func TestRepeats(t *testing.T) {
	from := newTemplate(t)
	for seed := *first; seed < *first+50; seed++ {
		a, b := run(t, from, recording(seed)).tells(), run(t, from, recording(seed)).tells()
		if diff := cmp.Diff(strings.Split(a, "\n"), strings.Split(b, "\n")); diff != "" {
			t.Errorf("seed %d is not repeated:\n%s", seed, diff)
		}
	}
}
