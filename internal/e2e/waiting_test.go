package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// lasting is how long a trouble lasts in these tests: RECARGA_TEST_OUTAGE, as in 10m.
func lasting(t *testing.T, standard time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("RECARGA_TEST_OUTAGE")
	if text == "" {
		return standard
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// statuses counts what a distributor says.
type statuses struct {
	inner http.Handler
	mu    sync.Mutex
	by    map[int]int
}

func (a *statuses) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	a.inner.ServeHTTP(seen, r)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by[seen.status]++
}

// of is how many there were of a status; 0 means of all.
func (a *statuses) of(status int) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for s, count := range a.by {
		if status == 0 || s == status {
			n += count
		}
	}
	return n
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// counted puts a counter before the distributor.
func (w *world) counted(t *testing.T) *statuses {
	a := &statuses{inner: w.vendor, by: map[int]int{}}
	w.env["RECARGA_DISTRIBUTOR_URL"] = serve(t, a) + "/api/distributor"
	return a
}

// change sets the sandbox differently.
func (w *world) change(t *testing.T, settings string) {
	t.Helper()
	status, answer := ask(t, http.MethodPost, w.vendorURL+"/sandbox/config", settings, "Content-Type", "application/json")
	if status != http.StatusOK {
		t.Fatalf("the sandbox answers %d to %s: %s", status, settings, answer)
	}
}

// crew starts what a stack is run with: serve, or an api and two workers. The client is the operator's.
func (w *world) crew(t *testing.T, s stack) *producer.Client {
	t.Helper()
	s.set(t, w.env)
	// A thousand orders at once on a busy machine must not be too late to be sent.
	w.env["RECARGA_DISTRIBUTOR_TIMEOUT"], w.env["RECARGA_SHUTDOWN_TIMEOUT"] = "60s", "90s"
	if w.env["RECARGA_REDIS_URL"] == "embedded" {
		return clientOf(w.start(t, "serve").apiURL, adminKey)
	}
	c := clientOf(w.start(t, "api").apiURL, adminKey)
	w.start(t, "worker")
	w.start(t, "worker")
	return c
}

func placeMany(t *testing.T, c *producer.Client, n int, p topup.Priority) {
	t.Helper()
	for from := 0; from < n; from += producer.MaxBatch {
		var batch []topup.Request
		for i := from; i < min(n, from+producer.MaxBatch); i++ {
			r := order(fmt.Sprintf("MANY-%05d", i), phoneOf(i))
			r.Priority = p
			batch = append(batch, r)
		}
		placed, err := c.PlaceMany(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for i, one := range placed {
			if one.Err != nil {
				t.Fatalf("%s: %v", batch[i].ID, one.Err)
			}
		}
	}
}

// TestBulkDelaysNobody: the distributor takes 200 requests a minute, and 2,000 bulk orders wait. Each order of a
// checkout is bought before more than a few of them, and the distributor has next to nothing to refuse.
func TestBulkDelaysNobody(t *testing.T) {
	testkit.Deep(t)
	for _, s := range []stack{stacks[0], stacks[2]} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *sandbox.Config) { c.LimitRequests = 200 })
			counted := w.counted(t)
			w.env["RECARGA_DISTRIBUTOR_RATE"] = "200/m"
			c := w.crew(t, s)
			placeMany(t, c, 2000, topup.PriorityBulk)
			began, bought := time.Now(), len(w.charges())
			var slowest time.Duration
			for i := 0; time.Since(began) < lasting(t, 12*time.Second); i++ {
				before, at := len(w.charges()), time.Now()
				o := place(t, c, order(fmt.Sprintf("PERSON-%03d", i), "5537686660"))
				testkit.Eventually(t, patience, func() bool { return w.charges()[o.ID] == 1 }, "the checkout's order is bought")
				slowest = max(slowest, time.Since(at))
				// In two seconds the limit allows seven.
				if overtaken := len(w.charges()) - before - 1; overtaken > 7 {
					t.Errorf("%d orders were bought before %s", overtaken, o.ID)
				}
				testkit.Eventually(t, patience, func() bool { return len(w.charges()) >= before+6 }, "the line moves on")
			}
			took := time.Since(began)
			share := float64(len(w.charges())-bought) / took.Minutes() / 200
			t.Logf("%.0f %% of the limit was used in %s; %d were refused; the slowest order of a checkout took %s", 100*share,
				took, counted.of(http.StatusTooManyRequests), slowest)
			if n := counted.of(http.StatusTooManyRequests); n > 5+int(took.Minutes()) {
				t.Errorf("the distributor refused %d requests", n)
			}
			if o := get(t, c, "MANY-01999"); o.WaitsFor == "" || o.AttemptCount != 0 {
				t.Errorf("the last of the file waits for %q after %d attempts", o.WaitsFor, o.AttemptCount)
			}
		})
	}
}

// TestOutage: the operator is out while 1,000 orders come. Only probes are made, no order loses its attempts,
// and when it is back all are bought, not all at once.
func TestOutage(t *testing.T) {
	testkit.Deep(t)
	for _, s := range []stack{stacks[0], stacks[2]} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			const orders = 1000
			w := newWorld(t, nil)
			counted := w.counted(t)
			w.env["RECARGA_BREAKER_PROBE"] = "500ms"
			c := w.crew(t, s)
			w.change(t, `{"rate_91":1}`)
			placeMany(t, c, orders, topup.PriorityNormal)
			testkit.Eventually(t, patience, func() bool {
				return get(t, c,
					"MANY-00999").WaitsFor == topup.NullString(topup.WaitOutage)
			},
				"the last order waits")
			began, tried := time.Now(), counted.of(0)
			during := lasting(t, 10*time.Second)
			<-time.After(during)
			probes := counted.of(0) - tried
			if most := 2 * int(time.Since(began)/(500*time.Millisecond)); probes == 0 || probes > most {
				t.Errorf("%d requests in %s; want a purchase a probe, and no more than %d", probes, time.Since(began), most)
			}
			w.change(t, `{"rate_91":0}`)
			back := time.Now()
			var first time.Duration
			testkit.Eventually(t, patience, func() bool {
				charged := len(w.charges())
				if first == 0 && charged > 0 {
					first = time.Since(back)
				}
				return charged == orders
			}, "all are bought")
			t.Logf("out for %s: %d requests before it was noticed, %d during it; the first was bought %s after its end, the "+
				"last %s",
				during, tried, probes, first, time.Since(back))
			w.resumedByStep(t)
			most, probed := 0, 0
			for i := range orders {
				o := settled(t, c, topup.ID(fmt.Sprintf("MANY-%05d", i)))
				judge(t, o, w.charges()[o.ID])
				spent := 0
				for _, a := range o.Attempts {
					if a.Probe {
						probed++
					} else {
						spent++
					}
				}
				most = max(most, spent)
			}
			t.Logf("no order spent more than %d tries; %d attempts were probes", most, probed)
			if probed == 0 {
				t.Error("no attempt was a probe")
			}
		})
	}
}

// resumedByStep holds the vendor's ledger against the recovery of pacing.md: after the first purchase that goes
// through, at most one in the first second, two in the next, then four …
func (w *world) resumedByStep(t *testing.T) {
	t.Helper()
	var perSecond [8]int
	all := w.vendor.Purchases()
	slices.SortFunc(all, func(a, b sandbox.Purchase) int { return a.ChargedAt.Compare(b.ChargedAt) })
	for n, p := range all[1:] {
		second := int(p.ChargedAt.Sub(all[0].ChargedAt).Seconds())
		if second >= len(perSecond) {
			break
		}
		perSecond[second]++
		if most := 1<<(second+1) - 1; n+1 > most {
			t.Errorf("%d purchases by second %d of the recovery, want no more than %d", n+1, second, most)
			break
		}
	}
	t.Logf("purchases a second after the first that went through: %v", perSecond)
}
