package e2e

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
)

// timed notes when purchases reach the distributor, and how many are there at once.
type timed struct {
	inner http.Handler
	mu    sync.Mutex
	came  []time.Time
	now   int
	most  int
}

func (d *timed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path.Base(r.URL.Path) == "product_purchase" {
		d.mu.Lock()
		d.came, d.now = append(d.came, time.Now()), d.now+1
		d.most = max(d.most, d.now)
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.now--
		}()
	}
	d.inner.ServeHTTP(w, r)
}

// within is how many came in the fullest time of a length, and most how many there were at once.
func (d *timed) within(length time.Duration) (fullest, most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, from := range d.came {
		n := slices.IndexFunc(d.came[i:], func(at time.Time) bool { return at.Sub(from) > length })
		if n < 0 {
			n = len(d.came) - i
		}
		fullest = max(fullest, n)
	}
	return fullest, d.most
}

func (d *timed) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.came, d.most = nil, d.now
}

// TestLimitsBindAllWorkers: a limit that a person sets or ends while two workers buy holds for both, without a restart:
// the rate for both together, the concurrency for each.
func TestLimitsBindAllWorkers(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	const many, each, length = 60, 4, 5 * time.Second // each second
	w := newWorld(t, func(c *sandbox.Config) { c.LatencyMinMS, c.LatencyMaxMS = 250, 250 })
	at := &timed{inner: w.vendor}
	w.env["RECARGA_DISTRIBUTOR_URL"] = serve(t, at) + "/api/distributor"
	stacks[2].set(t, w.env)
	w.env["RECARGA_DISTRIBUTOR_TIMEOUT"], w.env["RECARGA_SHUTDOWN_TIMEOUT"] = "60s", "90s"
	c := clientOf(w.start(t, "api").apiURL, adminKey)
	workers := []*process{w.start(t, "worker"), w.start(t, "worker")}
	limit := func(kind desk.ControlKind, value topup.NullString) {
		t.Helper()
		is := desk.Control{Kind: kind, Value: value, By: "ana", Reason: "the distributor asked for it"}
		if _, err := c.Limit(t.Context(), is); err != nil {
			t.Fatal(err)
		}
		for _, p := range workers {
			testkit.Eventually(t, patience, func() bool {
				_, body := p.page(t, "/readyz")
				return strings.Contains(body, is.Says()) || value == "default" && !strings.Contains(body, "limited")
			}, "a worker knows that %s", is.Says())
		}
	}
	phase := 0
	buy := func() (fullest, most int) {
		t.Helper()
		phase++
		at.forget()
		var all []topup.Request
		for i := range many {
			all = append(all, order(fmt.Sprintf("ORD-%d-%d", phase, i), phoneOf(i)))
		}
		placed, err := c.PlaceMany(t.Context(), all)
		if err != nil || slices.ContainsFunc(placed, func(p producer.Placed) bool { return p.Err != nil }) {
			t.Fatal(placed, err)
		}
		testkit.Eventually(t, patience, func() bool { return len(w.charges()) == phase*many }, "all are bought")
		return at.within(length)
	}
	if _, most := buy(); most <= len(workers) {
		t.Fatalf("unlimited, %d are bought at once: the limits would change nothing", most)
	}
	limit(desk.LimitConcurrency, "1")
	for _, p := range workers {
		p.says(t, "concurrency changed")
	}
	if _, most := buy(); most > len(workers) {
		t.Errorf("with one place in each of %d workers, %d are bought at once", len(workers), most)
	}
	limit(desk.LimitConcurrency, "default")
	limit(desk.LimitRate, "4/s")
	// Normal orders may make four requests at once.
	if fullest, _ := buy(); fullest > each*int(length/time.Second)+each {
		t.Errorf("%d are bought in %s, though %d a second are allowed", fullest, length, each)
	}
	limit(desk.LimitRate, "default")
	if fullest, _ := buy(); fullest <= each*int(length/time.Second)+each {
		t.Errorf("%d are bought in %s after the end of the limit", fullest, length)
	}
}
