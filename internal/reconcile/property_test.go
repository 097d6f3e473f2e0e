//go:build !race

package reconcile_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/reconcile"
	"recarga/topup"
)

var (
	seedFlag   = flag.Uint64("seed", 0, "of the random statements; 0: a new one")
	roundsFlag = flag.Uint64("rounds", 10_000, "how many random statements there are")
)

// parts are how many goroutines share the rounds.
const parts = 4

// story is one round: a book, a statement of it, and what was settled by it.
type story struct {
	w        *world
	f        *file
	text     []byte
	margin   time.Duration
	findings []string
	refused  error
	sum      reconcile.Summary
}

// round plays one round of a seed; the same again for the same numbers.
func round(t *testing.T, seed, n uint64, whole bool) *story {
	t.Helper()
	w := newWorld(rand.New(rand.NewPCG(seed, n)))
	s := &story{w: w, f: newFile(t, w), margin: pick(w, time.Hour, 10*time.Minute, 0)}
	s.f.options.Set("margin", s.margin.String())
	s.f.options.Set("absent", pick(w, "failed", "resend"))
	s.do(pick(w, styles()...))
	if whole && w.days {
		s.do(change{"dates", func(f *file) { f.times("2006-01-02") }})
	}
	if !whole {
		for range 1 + w.IntN(3) {
			if len(s.f.rows) > 0 {
				s.do(pick(w, spoils()...))
			}
		}
		if w.one(4) {
			s.f.options.Set("covers", dawn.Format(time.RFC3339)+".."+dawn.Add(240*time.Hour).Format(time.RFC3339))
		}
	}
	s.text = s.f.write()
	s.run(t)
	return s
}

func (s *story) do(c change) {
	s.f.done = append(s.f.done, c.name)
	c.do(s.f)
}

// run reconciles, now and then twice: what the first time settled must not prove anything to the second.
func (s *story) run(t *testing.T) {
	t.Helper()
	opts, err := reconcile.ParseOptions(s.f.options, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	for i := range pick(s.w, 1, 1, 1, 2) {
		read, err := reconcile.Read(t.Context(), bytes.NewReader(s.text), opts)
		if len(topup.FieldErrors(err)) > 0 {
			s.refused = err
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		err = reconcile.New(s.w, s.w, quiet).WithDisputes(s.w).Run(context.Background(), read, func(r reconcile.Result) error {
			if f := r.Finding; f != nil && i == 0 {
				s.findings = append(s.findings, fmt.Sprintf("%s %s %s", f.Class, f.ID, f.Detail))
			}
			if r.Summary != nil && i == 0 {
				s.sum = *r.Summary
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
		if err := read.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// wrong are the orders that were settled against the ledger, but for those of which nobody could know.
func (s *story) wrong() (list []*life) {
	slop := s.margin + 26*time.Hour // a date stands for a whole day, in any zone
	for _, o := range s.w.orders {
		switch {
		case o.settled == topup.VerdictSucceeded && o.charges == 0 && !s.f.credible(o, slop),
			(o.settled == topup.VerdictFailed || o.settled == topup.VerdictResend) && o.charges > 0 && !s.f.deniable(o, slop):
			list = append(list, o)
		}
	}
	return list
}

func (s *story) String() string {
	return fmt.Sprintf("%s\n%s\n%v\n%+v\n%s\n%s", strings.Join(s.f.done, ", then: "), s.f.options.Encode(), s.refused, s.sum, strings.Join(s.findings, "\n"), s.text)
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat it with -seed %d", seed)
	return seed
}

// TestNeverWrong: whatever is done to a statement, no order is settled against the vendor's ledger. What is not tested is
// what nobody can see: see deniable and credible.
func TestNeverWrong(t *testing.T) {
	seed := seedOf(t)
	var settled [3]atomic.Int64
	verdicts := []topup.Verdict{topup.VerdictSucceeded, topup.VerdictFailed, topup.VerdictResend}
	t.Run("rounds", func(t *testing.T) {
		for part := range uint64(parts) {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for n := part; n < *roundsFlag && !t.Failed(); n += parts {
					s := round(t, seed, n, false)
					for _, o := range s.w.orders {
						if i := slices.Index(verdicts, o.settled); i >= 0 {
							settled[i].Add(1)
						}
					}
					for _, o := range s.wrong() {
						t.Errorf("round %d of seed %d: %s\n%s", n, seed, s.w.story(o), s)
					}
				}
			})
		}
	})
	for i, v := range verdicts {
		if n := settled[i].Load(); n < int64(*roundsFlag)/50 {
			t.Errorf("only %d orders were settled as %s: the test tests nothing", n, v)
		}
	}
}

// TestWholeSettlesAll: a whole statement, however it is written, settles every order that is unknown, as the ledger
// knows.
func TestWholeSettlesAll(t *testing.T) {
	seed := seedOf(t)
	for n := range *roundsFlag / 10 {
		s := round(t, seed, n, true)
		for _, o := range s.w.orders {
			held := o.State == topup.StateUnknown && (o.charges > 0 || !s.w.odd)
			if held || o.settled == topup.VerdictSucceeded && o.charges == 0 || o.settled != topup.VerdictSucceeded && o.settled != "" && o.charges > 0 {
				t.Fatalf("round %d of seed %d: %s\n%s", n, seed, s.w.story(o), s)
			}
		}
		if slices.ContainsFunc(s.findings, func(f string) bool { return strings.HasPrefix(f, "bad_line") }) {
			t.Fatalf("round %d of seed %d: %s", n, seed, s)
		}
	}
}
