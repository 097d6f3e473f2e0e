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
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/boundary"
	"recarga/internal/testkit"
)

var (
	seeds = flag.Int("seeds", 60, "how many lives")
	first = flag.Uint64("seed", 1, "the first seed")
	share = flag.Float64("sqlite", 1.0/64, "the share of the lives whose book of record is SQLite")
	jobs  = flag.Int("jobs", 1, "how many processes share the lives")
	every = flag.Bool("every", false, "fail if a wanted pair was not reached")
	pairs = flag.String("pairs", "", "the file to write the reached pairs to")
	show  = flag.Bool("story", false, "print the story of each life")
)

// past is when the next life begins, since the beginning of a bubble's time: each is later than all before it, because
// the ids of events contain their time, and never one that is earlier than an id's before.
var past time.Duration

// run is one life. broken puts a fault into the book of record; nil: there is none.
func run(t *testing.T, from *template, on *tape, broken func(boundary.Journal) boundary.Journal) (w *world) {
	stuck := time.AfterFunc(5*time.Minute, func() {
		panic("a life does not end: something waits for what no step, time or connection can bring\n" + w.journey())
	})
	defer stuck.Stop()
	testkit.Bubble(t, func(t *testing.T) {
		rand.Seed(1)     //nolint:staticcheck // cenkalti/backoff takes its chance from there, and from nowhere else
		time.Sleep(past) // of a clock that jumps
		defer func() { past += time.Since(w.began).Truncate(time.Hour) + time.Hour }()
		j, end, err := from.open(on.yes(ofPlan, *share))
		if err != nil {
			t.Fatal(err)
		}
		if broken != nil {
			j = broken(j)
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
	time.Sleep(2 * time.Minute) // what waits until it tries again finds that all is over
	synctest.Wait()
}

// cpu is the time that this process has worked.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // without it, the speed is wrong
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestMain(m *testing.M) {
	flag.Parse()
	log.SetOutput(io.Discard) // net/http logs what servers do
	runtime.GOMAXPROCS(1)     // one thing at a time
	debug.SetGCPercent(800)   // a life is short
	os.Exit(m.Run())
}

// Whatever happens to it, the program keeps its promises.
func TestLives(t *testing.T) {
	if *jobs > 1 {
		divide(t)
		return
	}
	from := newTemplate(t)
	began, idle, moves, all := time.Now(), cpu(), 0, reached{}
	for seed := *first; seed < *first+uint64(*seeds); seed++ {
		w := run(t, from, recording(seed), nil)
		moves += w.moves
		all.add(w.reached)
		if *show {
			fmt.Printf("seed %d: %s\n%s\n", seed, w.wrong, w.journey())
		}
		if w.wrong != "" {
			short := shrink(w, 1000, func(on *tape) *world { return run(t, from, on, nil) })
			t.Fatalf("seed %d: %s\nThe shortest life that was found with this fault (make sim SEED=%d shows the whole one):\n%s",
				seed, w.wrong, seed, short.journey())
		}
	}
	took, worked := time.Since(began), cpu()-idle
	t.Logf("%d lives in %s: %.0f a second, %.0f a second of one core; %d moves a life", *seeds,
		took.Round(time.Millisecond), float64(*seeds)/took.Seconds(), float64(*seeds)/worked.Seconds(), moves / *seeds)
	all.report(t, *seeds)
}

// TestFoundBefore lives again what once broke a promise. 763475: the simulated vendor charged at the moment from which
// an operator may say that an order failed, thirty seconds after the request.
func TestFoundBefore(t *testing.T) {
	from := newTemplate(t)
	for _, seed := range []uint64{763475} {
		if w := run(t, from, recording(seed), nil); w.wrong != "" {
			t.Errorf("seed %d: %s\n%s", seed, w.wrong, w.journey())
		}
	}
}

// A seed repeats the whole life, step by step and to the letter, and so does what was recorded of it.
func TestRepeats(t *testing.T) {
	from := newTemplate(t)
	for seed := *first; seed < *first+8; seed++ {
		w := run(t, from, recording(seed), nil)
		for how, on := range map[string]*tape{"seed": recording(seed), "tape": replaying(w.tape.recorded())} {
			again := run(t, from, on, nil)
			if diff := cmp.Diff(strings.Split(w.journey(), "\n"), strings.Split(again.journey(), "\n")); diff != "" {
				t.Errorf("seed %d is not repeated by its %s:\n%s", seed, how, diff)
			}
		}
	}
}
