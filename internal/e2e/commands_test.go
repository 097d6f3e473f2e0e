package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"recarga/internal/testkit"
	"recarga/topup"
)

// TestDemoOnce is the first thing that a newcomer runs.
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	w := &world{}
	out := w.run(t, "demo", "--once")
	if out.status != 0 {
		t.Fatalf("exit status %d\n%s\n%s", out.status, out.stdout, out.stderr)
	}
	for _, want := range []string{"succeeded", "failed/declined", "failed/retries_exhausted", "unknown", "verified"} {
		if !strings.Contains(out.stdout, want) {
			t.Errorf("does not show %q:\n%s", want, out.stdout)
		}
	}
}

// TestEnqueueFile sends examples/orders.csv twice through the command line: the good rows are placed,
// the bad ones reported by their line, and the second run places nothing.
func TestEnqueueFile(t *testing.T) {
	t.Parallel()
	const file = "../../examples/orders.csv"
	rows := csvRows(t, file)
	if rows < 200 {
		t.Errorf("%s has %d rows, want at least 200", file, rows)
	}
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	first := summaryOf(t, w.run(t, "enqueue", "--file", file))
	if want := (summary{placed: 220, replayed: 1, refused: 12}); first != want {
		t.Errorf("of %d rows: %+v, want %+v", rows, first, want)
	}
	second := summaryOf(t, w.run(t, "enqueue", "--file", file))
	if want := (summary{placed: 0, replayed: 221, refused: 12}); second != want {
		t.Errorf("the second run: %+v, want %+v", second, want)
	}
	c := p.client()
	for i := 1; i <= first.placed; i++ {
		o := settled(t, c, topup.ID(fmt.Sprintf("EX-%04d", i)))
		judge(t, o, w.charges()[o.ID])
	}
}

func csvRows(t *testing.T, file string) int {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	reader := csv.NewReader(f)
	reader.FieldsPerRecord = -1
	records, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return len(records) - 1
}

type summary struct{ placed, replayed, refused int }

// summaryOf reads what enqueue says in the end, and checks that every bad row is named by its line.
func summaryOf(t *testing.T, out output) (s summary) {
	t.Helper()
	if out.status != 1 {
		t.Errorf("exit status %d, want 1 for a file with bad rows", out.status)
	}
	lines := strings.Split(out.stderr, "\n")
	named := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "line ") {
			named++
		}
		_, _ = fmt.Sscanf(line, "%d placed, %d already there, %d refused", &s.placed, &s.replayed, &s.refused)
	}
	if named != s.refused {
		t.Errorf("%d rows refused, %d named:\n%s", s.refused, named, out.stderr)
	}
	return s
}

// TestGetAndList look at an order as a person and as a program would.
func TestGetAndList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	if out := w.run(t, "enqueue", "--id", "CLI-1", "--phone", "5537686660", "--product", "MOVISTAR_TAE", "--amount",
		"10"); out.status != 0 {
		t.Fatalf("enqueue: %+v", out)
	}
	settled(t, p.client(), "CLI-1")
	out := w.run(t, "get", "CLI-1", "--json")
	var o struct {
		State    string
		Attempts []struct{ Outcome string }
	}
	if err := json.Unmarshal([]byte(out.stdout), &o); err != nil || o.State != "succeeded" || len(o.Attempts) != 1 {
		t.Errorf("get --json: %v %+v", err, out)
	}
	for _, args := range [][]string{{"get", "CLI-1"}, {"list"}, {"watch", "CLI-1"}, {"balance"}, {"products"}} {
		if out := w.run(t, args...); out.status != 0 || out.stdout == "" {
			t.Errorf("%v: %+v", args, out)
		}
	}
	if out := w.run(t, "get", "NONE"); out.status != 1 || !strings.Contains(out.stderr, "NONE") {
		t.Errorf("get of an unknown order: %+v", out)
	}
}

// TestRefusesToStart: whatever is unsafe or missing is said in one line each, with exit status 2.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		set  map[string]string
		want []string
	}{
		"several at once": {map[string]string{"RECARGA_DISTRIBUTOR_SECRET_KEY": "", "RECARGA_RETRY_MAX_ATTEMPTS": "0",
			"RECARGA_LOG_FORMAT": "xml"},
			[]string{"RECARGA_DISTRIBUTOR_SECRET_KEY", "RECARGA_RETRY_MAX_ATTEMPTS", "RECARGA_LOG_FORMAT"}},
		"unknown setting": {map[string]string{"RECARGA_REDIS_URI": "x"},
			[]string{"RECARGA_REDIS_URI", "RECARGA_REDIS_URL"}},
		"inverted timeouts": {map[string]string{"RECARGA_SHUTDOWN_TIMEOUT": "3s"},
			[]string{"RECARGA_SHUTDOWN_TIMEOUT", "RECARGA_DISTRIBUTOR_TIMEOUT"}},
		"no folder": {map[string]string{"RECARGA_DATABASE_URL": "sqlite:/nonexistent/recarga.db"},
			[]string{"RECARGA_DATABASE_URL"}},
		"not a secret": {map[string]string{"RECARGA_WEBHOOK_SECRET": "secretword"}, []string{"RECARGA_WEBHOOK_SECRET"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			for k, v := range c.set {
				w.env[k] = v
			}
			out := w.run(t, "serve")
			if out.status != 2 {
				t.Errorf("exit status %d, want 2\n%s", out.status, out.stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(out.stderr, want) {
					t.Errorf("does not name %s:\n%s", want, out.stderr)
				}
			}
			if strings.Contains(out.stderr, "secretword") {
				t.Errorf("shows a secret:\n%s", out.stderr)
			}
		})
	}
	t.Run("Redis that evicts", func(t *testing.T) {
		w := newWorld(t, nil)
		w.env["RECARGA_REDIS_URL"] = testkit.Redis(t, "--maxmemory-policy", "allkeys-lru").URL()
		if out := w.run(t, "serve"); out.status != 2 || !strings.Contains(out.stderr, "noeviction") {
			t.Errorf("%+v", out)
		}
	})
}
