package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"recarga/internal/bench"
	"recarga/internal/testkit"
)

// TestBench runs the benchmark of record, too short to say anything about speed: every contender does its
// work, and everything is measured.
func TestBench(t *testing.T) {
	testkit.Deep(t)
	testkit.Redis(t)
	testkit.Postgres(t)
	path := filepath.Join(t.TempDir(), "results.json")
	w := &world{env: map[string]string{}}
	out := w.run(t, "bench", "--orders", "40", "--rounds", "1", "--lone", "2", "--rate", "100", "--for", "200ms",
		"--idle", "10ms", "--scheduled", "10", "--within", "100ms", "--in-flight", "20", "--slow", "200ms", "--json", path)
	if out.status != 0 {
		t.Fatalf("status %d:\n%s", out.status, out.stderr)
	}
	var report bench.Report
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &report)
	}
	if err != nil {
		t.Fatal(err)
	}
	measured := map[string]map[string]bench.Summary{}
	for _, c := range report.Contenders {
		measured[c.Name] = c.Metrics
	}
	for _, contender := range []string{bench.Plain, bench.Ceiling, bench.Embedded, bench.SQLite, bench.Postgres} {
		for _, metric := range []string{bench.Throughput, bench.Memory, bench.VendorP99, bench.DeliveredP50} {
			if measured[contender][metric].Median <= 0 {
				t.Errorf("%s: no %s: %v", contender, metric, measured[contender])
			}
		}
	}
	for _, contender := range []string{bench.Embedded, bench.SQLite, bench.Postgres} {
		for _, metric := range []string{bench.CPU, bench.PlaceP99, bench.LateP99, bench.InFlightRate, bench.DatabaseSize} {
			if measured[contender][metric].Median <= 0 {
				t.Errorf("%s: no %s: %v", contender, metric, measured[contender])
			}
		}
	}
}

// TestBenchRefusesWhatIsInUse keeps the benchmark's orders out of a book of record.
func TestBenchRefusesWhatIsInUse(t *testing.T) {
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	place(t, p.client(), order("ORD-1", "5537686660"))
	p.terminate()
	if out := w.run(t, "bench", "--database-url", w.env["RECARGA_DATABASE_URL"]); out.status != 2 {
		t.Errorf("status %d, not 2:\n%s%s", out.status, out.stdout, out.stderr)
	}
}
