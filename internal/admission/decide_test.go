package admission

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"recarga/topup"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	buy  = Decision{Buy: true}
)

// at is what is known about a normal order of an operator that is neither out nor paused, after changes.
func at(changes ...func(*Known)) Known {
	k := Known{
		Waiting: topup.Waiting{ID: "A", Priority: topup.PriorityNormal, Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)},
		Now:     noon, RetryAt: noon.Add(7 * time.Second),
	}
	for _, change := range changes {
		change(&k)
	}
	return k
}

func bulk(k *Known)       { k.Priority = topup.PriorityBulk }
func retry(k *Known)      { k.AttemptCount = 1 }
func noRetries(k *Known)  { k.AttemptCount, k.NoRetries = 1, true }
func released(k *Known)   { k.Released = true }
func probe(k *Known)      { k.Probe = true }
func stopped(k *Known)    { k.Paused = true }
func low(k *Known)        { k.Reserve = topup.WaitBalance }
func othersWait(k *Known) { k.OthersWait = true }
func usedUp(k *Known)     { k.Rate = RateUsedUp }
func unknown(k *Known)    { k.Rate = RateUnknown }
func paused(k *Known)     { k.Restrictions.PausedUntil = noon.Add(time.Nanosecond) }
func wasPaused(k *Known)  { k.Restrictions.PausedUntil = noon }
func out(k *Known)        { outage(k, "MOVISTAR", topup.Outage{Since: noon.Add(-time.Minute)}) }
func otherOut(k *Known)   { outage(k, "TELCEL", topup.Outage{Since: noon.Add(-time.Minute)}) }
func recovers(k *Known) {
	outage(k, "MOVISTAR", topup.Outage{Since: noon.Add(-time.Minute), RecoveringSince: noon.Add(-time.Second)})
}

func outage(k *Known, operator string, o topup.Outage) {
	k.Restrictions.Outages = map[string]topup.Outage{operator: o}
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name  string
		known Known
		want  Decision
	}{
		{"nothing is in its way", at(), buy},
		{"a retry", at(retry), buy},
		// 1. A person.
		{"stopped", at(stopped), waitFor(topup.WaitPaused)},
		{"stopped, released", at(stopped, released), waitFor(topup.WaitPaused)},
		{"stopped, a probe", at(stopped, probe, out), waitFor(topup.WaitPaused)},
		{"stopped comes before the reserve", at(stopped, low), waitFor(topup.WaitPaused)},
		// 2. A reserve.
		{"low", at(low), waitFor(topup.WaitBalance)},
		{"low, released", at(low, released), waitFor(topup.WaitBalance)},
		{"low, a probe", at(low, probe, out), waitFor(topup.WaitBalance)},
		{"low comes before the pause", at(low, paused), waitFor(topup.WaitBalance)},
		// 3. The pause.
		{"paused", at(paused), waitFor(topup.WaitRate)},
		{"paused, released", at(paused, released), waitFor(topup.WaitRate)},
		{"paused, a probe", at(paused, probe, out), waitFor(topup.WaitRate)},
		{"the pause is over", at(wasPaused), buy},
		{"the pause comes before the outage", at(paused, out), waitFor(topup.WaitRate)},
		// 4. The outage.
		{"out", at(out), waitFor(topup.WaitOutage)},
		{"out, released", at(out, released), waitFor(topup.WaitOutage)},
		{"out, a probe", at(out, probe), buy},
		{"recovers", at(recovers), waitFor(topup.WaitOutage)},
		{"recovers, released", at(recovers, released), buy},
		{"another operator is out", at(otherOut), buy},
		{"the outage comes before the fair share", at(out, bulk), waitFor(topup.WaitOutage)},
		// 5. What has its share of the rate.
		{"released, though the rate is used up", at(released, usedUp, othersWait), buy},
		{"released, though there is no room for retries", at(released, noRetries), buy},
		{"a probe, though the rate is used up", at(probe, usedUp, othersWait, noRetries), buy},
		{"bulk, released", at(bulk, released), buy},
		// 6. The fair share.
		{"bulk", at(bulk), waitFor(topup.WaitFairShare)},
		{"bulk, a retry", at(bulk, noRetries), waitFor(topup.WaitFairShare)},
		// 7. The retry budget.
		{"no room for a retry", at(noRetries), deferUntil(noon.Add(7 * time.Second))},
		{"the budget comes before the rate", at(noRetries, othersWait, usedUp), deferUntil(noon.Add(7 * time.Second))},
		// 8. Those who wait.
		{"others wait", at(othersWait), waitFor(topup.WaitRate)},
		{"others wait, and nothing was asked", at(othersWait, unknown), waitFor(topup.WaitRate)},
		// 9. The rate.
		{"used up", at(usedUp), waitFor(topup.WaitRate)},
		{"used up, a retry", at(usedUp, retry), waitFor(topup.WaitRate)},
		{"unknown", at(unknown), deferUntil(noon.Add(askAgain))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(c.known); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestDecideProperties: whatever is known, an order is bought only if all that stops it is away, and a decision is one
// of the three.
func TestDecideProperties(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	all := []func(*Known){
		stopped, bulk, retry, noRetries, released, probe, low, othersWait, usedUp, unknown, paused, wasPaused, out, otherOut,
		recovers,
	}
	bought := 0
	for range 20_000 {
		var changes []func(*Known)
		for _, change := range all {
			if r.IntN(4) == 0 {
				changes = append(changes, change)
			}
		}
		k := at(changes...)
		d := Decide(k)
		if d.Buy {
			bought++
		}
		if wrong := broken(k, d); wrong != "" {
			t.Fatalf("%s: %+v gives %+v", wrong, k, d)
		}
		if again := Decide(k); again != d {
			t.Fatalf("%+v gives %+v, and then %+v", k, d, again)
		}
	}
	if bought == 0 {
		t.Error("nothing was ever bought")
	}
}

// broken names a property that a decision breaks; empty: none.
func broken(k Known, d Decision) string {
	o, isOut := k.Restrictions.Outages["MOVISTAR"]
	alternatives := 0
	for _, is := range []bool{d.Buy, !d.Until.IsZero(), d.Wait != ""} {
		if is {
			alternatives++
		}
	}
	switch {
	case alternatives != 1:
		return fmt.Sprint("it is ", alternatives, " decisions")
	case !d.Until.IsZero() && !d.Until.After(k.Now):
		return "it is deferred until a time that has passed"
	case d.Wait == topup.WaitFairShare && k.Priority != topup.PriorityBulk:
		return "only bulk orders wait for their fair share alone"
	case !d.Buy:
		return ""
	case k.Now.Before(k.Restrictions.PausedUntil):
		return "it is bought while all are paused"
	case k.Paused:
		return "it is bought though a person has paused it"
	case k.Reserve != "":
		return "it is bought against the reserve"
	case isOut && !k.Probe && (!k.Released || !o.Recovering()):
		return "it is bought while its operator is out"
	case k.Probe || k.Released:
		return ""
	case k.Priority == topup.PriorityBulk:
		return "a bulk order is bought without its release"
	case k.NoRetries:
		return "a retry is bought without room for it"
	case k.OthersWait || k.Rate != RateGranted:
		return "it is bought beyond the rate"
	}
	return ""
}
