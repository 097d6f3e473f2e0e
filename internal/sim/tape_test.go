package sim

import (
	"math/rand/v2"
	"slices"
)

// stream is one kind of decision. Each has its own part of a tape, so that a shorter plan leaves the answers of the
// vendor as they were.
type stream int

const (
	ofPlan      stream = iota // settings, orders
	ofTurns                   // what happens next
	ofFates                   // what becomes of a step
	ofAnswers                 // of the vendor
	ofReceivers               // of webhooks
	ofPeople                  // what they do
	streams
)

// tape is all decisions of a life. The first choice of each is the plain one, so that a tape of zeros is a life in
// which nothing goes wrong, and zeros make a life shorter.
type tape struct {
	rand *rand.Rand // nil: what is not recorded is zero
	made [streams][]byte
	at   [streams]int
}

// recording is the tape of a seed.
func recording(seed uint64) *tape { return &tape{rand: rand.New(rand.NewPCG(seed, 0))} }

// replaying is a tape that was made before.
func replaying(made [streams][]byte) *tape { return &tape{made: made} }

// choose chooses one of n, the first one with a probability of plain.
func (t *tape) choose(s stream, n int, plain float64) int {
	if n <= 1 {
		return 0
	}
	i := t.at[s]
	t.at[s]++
	if i < len(t.made[s]) {
		return int(t.made[s][i]) % n
	}
	if t.rand == nil {
		return 0
	}
	choice := 0
	if t.rand.Float64() >= plain {
		choice = 1 + t.rand.IntN(n-1)
	}
	t.made[s] = append(t.made[s], byte(choice))
	return choice
}

// uniform chooses one of n, each as likely as the others.
func (t *tape) uniform(s stream, n int) int { return t.choose(s, n, 1/float64(max(n, 1))) }

// pick is one of several, the first one with a probability of plain.
func pick[T any](t *tape, s stream, plain float64, of ...T) T { return of[t.choose(s, len(of), plain)] }

// yes is true with a probability.
func (t *tape) yes(s stream, likely float64) bool { return t.choose(s, 2, 1-likely) == 1 }

// recorded is what was decided, without the plain decisions at the end of each stream.
func (t *tape) recorded() (made [streams][]byte) {
	for s := range made {
		used := t.made[s][:min(t.at[s], len(t.made[s]))]
		for len(used) > 0 && used[len(used)-1] == 0 {
			used = used[:len(used)-1]
		}
		made[s] = slices.Clone(used)
	}
	return made
}
