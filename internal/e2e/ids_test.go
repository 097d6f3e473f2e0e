package e2e

import (
	"strings"
	"testing"

	"recarga/internal/testkit"
	"recarga/topup"
)

// TestEveryCommandReachesEveryID: whatever id is accepted, the commands that look and act on orders do so on its
// order, with -- before an id that begins as a flag does.
func TestEveryCommandReachesEveryID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	c := p.client()
	ids := []string{"...", "--help", "a:b", ".a", "..a", "-x", "-h", "--", ":", "_", strings.Repeat(".", 64)}
	ids = ids[:testkit.Times(3, len(ids))]
	for _, id := range ids {
		place := w.run(t, "enqueue", "--id", id, "--phone", "5500000501", "--product", "MOVISTAR_TAE", "--amount", "10")
		if place.status != 0 {
			t.Fatalf("enqueue --id %s: %+v", id, place)
		}
		if d := settled(t, c, topup.ID(id)); d.State != topup.StateUnknown {
			t.Fatalf("%s is %s", id, d.State)
		}
		for _, step := range []struct {
			args   string
			status int
			says   string
		}{
			{"get -- ID", 0, "ID"},
			{"find -- ID", 0, "ID"},
			{"cancel -- ID", 1, "cancel ID: "},
			{"resolve --as succeeded --reason why -- ID", 0, "succeeded"},
			{"watch -- ID", 0, "succeeded"},
			{"dispute end --as upheld --reason why -- ID", 1, "dispute ID: "},
			{"correct --as failed --reason why -- ID", 0, "failed"},
			{"correct --as succeeded --reason why --json -- ID", 0, `"distributor_transaction_id":"ID"`},
		} {
			args := strings.Fields(step.args)
			for i, arg := range args {
				args[i] = strings.ReplaceAll(arg, "ID", id)
			}
			out := w.run(t, args...)
			if out.status != step.status || !strings.Contains(out.stdout+out.stderr, strings.ReplaceAll(step.says, "ID", id)) {
				t.Errorf("%q: %+v", args, out)
			}
		}
	}
	for _, id := range []string{".", "..", "", "a/b", "a%2eb"} {
		if out := w.run(t, "get", id); out.status != 1 || !strings.Contains(out.stderr, topup.FieldID) {
			t.Errorf("get %q: %+v", id, out)
		}
		if out := w.run(t, "enqueue", "--id", id, "--phone", "5537686660", "--product", "MOVISTAR_TAE", "--amount",
			"10"); out.status != 2 {
			t.Errorf("enqueue --id %q: %+v", id, out)
		}
	}
	if out := w.run(t, "get", "-x"); out.status != 2 || !strings.Contains(out.stderr, "write -- before") {
		t.Errorf("get -x: %+v", out)
	}
	if charged := w.charges(); len(charged) != len(ids) {
		t.Errorf("charged are %v", charged)
	}
}
