package e2e

import (
	"fmt"
	"strings"
	"testing"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestDoctorLiveBesideWorkers: the doctor logs in at a distributor that allows one session, and so ends the
// workers' again and again while they buy. Every order is bought, once.
func TestDoctorLiveBesideWorkers(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for name, redis := range map[string]func() string{
		"redis":    func() string { return testkit.Redis(t).URL() },
		"embedded": func() string { return "embedded" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *sandbox.Config) { c.OneSession, c.LatencyMinMS, c.LatencyMaxMS = true, 20, 100 })
			w.env["RECARGA_REDIS_URL"] = redis()
			c := w.start(t, "serve").client()
			const orders, visits = 120, 3
			for i := range orders {
				place(t, c, order(fmt.Sprintf("LIVE-%03d", i), phoneOf(i)))
				if i%(orders/visits) != orders/visits-1 {
					continue
				}
				out := w.run(t, "doctor", "--live")
				if out.status != 0 || !strings.Contains(out.stdout, "ok    live sessions         one: ") {
					t.Errorf("exit status %d:\n%s\n%s", out.status, out.stdout, out.stderr)
				}
			}
			for i := range orders {
				o := settled(t, c, topup.ID(fmt.Sprintf("LIVE-%03d", i)))
				judge(t, o, w.charges()[o.ID])
				if o.State != topup.StateSucceeded {
					t.Errorf("%s is %s: %+v", o.ID, o.State, o.Attempts)
				}
			}
		})
	}
}
