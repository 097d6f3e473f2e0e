package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// TestUpgrade upgrades as docs/operations.md says, under orders of every fate: the former release runs, `recarga
// migrate` of this one brings the tables up to date beneath it, its worker buys what this release's API accepts, and
// processes of this release take over, one after the other. No order is doubled, lost, or left without its webhook.
func TestUpgrade(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	program, err := formerRelease()
	if err != nil {
		t.Skip(err) // the repository's history is not here
	}
	for name, database := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "recarga.db") },
		"postgres": func(t *testing.T) string { return testkit.Postgres(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *sandbox.Config) { c.LatencyMinMS, c.LatencyMaxMS = 20, 300 })
			w.env["RECARGA_DATABASE_URL"], w.env["RECARGA_REDIS_URL"] = database(t), testkit.Redis(t).URL()
			past := *w
			past.binary, past.env = program, maps.Clone(w.env)
			w.env["RECARGA_MIGRATE"] = "false"
			w.upgrade(t, &past)
		})
	}
}

// upgrade leads orders through an upgrade of the past's processes.
func (w *world) upgrade(t *testing.T, past *world) {
	t.Helper()
	var all []topup.ID
	accept := func(c *producer.Client, batch string) (ids []topup.ID) {
		phones := []topup.Phone{"5500000051", "5500001091", "5500000501", "5500000502", "5500000503", "5500000429"}
		for i := range 18 {
			phone := phoneOf(i)
			if i%3 == 0 {
				phone = phones[i/3]
			}
			ids = append(ids, place(t, c, order(fmt.Sprintf("%s-%02d", batch, i), phone)).ID)
		}
		all = append(all, ids...)
		return ids
	}
	formerAPI, formerWorker := past.start(t, "api"), past.start(t, "worker")
	accept(formerAPI.client(), "FORMER")
	if out := w.run(t, "migrate"); out.status != 0 {
		t.Fatalf("migrate: %d %s %s", out.status, out.stdout, out.stderr)
	}
	if out := w.run(t, "migrate", "--check"); out.status != 0 || !strings.Contains(out.stdout, "up to date") {
		t.Errorf("migrate --check: %d %s %s", out.status, out.stdout, out.stderr)
	}
	accept(formerAPI.client(), "MIGRATED")
	api := w.start(t, "api")
	c := api.client()
	for _, id := range accept(c, "MIXED") { // no other worker runs
		settled(t, c, id)
	}
	w.start(t, "worker")
	trial := w.trial(t, api)
	accept(formerAPI.client(), "BESIDE")
	ends := func(p *process) {
		t.Helper()
		if status := p.terminate(); status != 0 {
			t.Errorf("a process of the former release ended with %d:\n%s", status, p.log())
		}
	}
	ends(formerAPI)
	accept(c, "LAST")
	ends(formerWorker)
	accept(c, "NEW")
	name := strings.TrimPrefix(t.Name(), "TestUpgrade/")
	trial.report("an upgrade on " + name + ", a worker of the former release beside the new one")
	held := 0
	for _, id := range all {
		o := settled(t, c, id)
		judge(t, o, w.charges()[id])
		w.notified(t, o)
		if o.State == topup.StateUnknown {
			held++
		}
	}
	if doubtful := len(all) / 6; held != doubtful { // half of the fates, which are those of a third
		t.Errorf("%d orders are held, want %d", held, doubtful)
	}
	charged := w.charges()
	if n := len(charged) - len(trial.accepted); n != len(all)-2*len(all)/18 {
		t.Errorf("%d of %d orders were charged", n, len(all))
	}
	testkit.Proven(t, "%d orders of every fate through an upgrade, %d of them held, none doubled or lost", len(all), held)
}
