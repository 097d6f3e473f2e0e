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

// decide decides for one of n: as it was recorded, or afresh.
func (t *tape) decide(s stream, n int, afresh func() int) int {
	i := t.at[s]
	t.at[s]++
	if i < len(t.made[s]) {
		return int(t.made[s][i]) % n
	}
	if t.rand == nil {
		return 0
	}
	choice := afresh()
	t.made[s] = append(t.made[s], byte(choice))
	return choice
}

// choose chooses one of n, the first one with a probability of plain.
func (t *tape) choose(s stream, n int, plain float64) int {
	if n <= 1 {
		return 0
	}
	return t.decide(s, n, func() int {
		if t.rand.Float64() < plain {
			return 0
		}
		return 1 + t.rand.IntN(n-1)
	})
}

// among chooses the first one with a probability of plain, or one of the others that the life has.
func (t *tape) among(s stream, plain float64, has []bool) int {
	return t.decide(s, len(has), func() int {
		others := indexes(has[1:])
		if t.rand.Float64() < plain || len(others) == 0 {
			return 0
		}
		return 1 + others[t.rand.IntN(len(others))]
	})
}

// one chooses one of those that the life has, each as likely as the others.
func (t *tape) one(s stream, has []bool) int {
	return t.decide(s, len(has), func() int {
		all := indexes(has)
		return all[t.rand.IntN(len(all))]
	})
}

// some decides which of n things a life has at all: where they are few, they happen often, and meet each other. It is
// not recorded: without it, what was chosen of them is chosen again.
func (t *tape) some(n int) []bool {
	has := make([]bool, n)
	without := 0.0
	if t.rand != nil {
		without = []float64{0, 0.3, 0.6, 0.85}[t.rand.IntN(4)]
	}
	for i := range has {
		has[i] = without == 0 || t.rand.Float64() >= without
	}
	if n > 0 && len(indexes(has)) == 0 {
		has[t.rand.IntN(n)] = true
	}
	return has
}

func indexes(of []bool) (all []int) {
	for i, is := range of {
		if is {
			all = append(all, i)
		}
	}
	return all
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
