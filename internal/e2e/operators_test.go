package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"recarga/internal/testkit"
	"recarga/producer"
)

// TestOperators: by command ana and luis get keys of their own; what they do with them, in every process, is what
// their roles allow, and is kept under their names.
func TestOperators(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	p, second := w.start(t, "serve"), w.start(t, "api")
	w.env["RECARGA_API_URL"] = p.apiURL
	run := func(status int, args ...string) string {
		t.Helper()
		out := w.run(t, args...)
		if out.status != status {
			t.Fatalf("%v: %+v", args, out)
		}
		return strings.TrimSpace(out.stdout + out.stderr)
	}
	add := func(name, role string) string {
		t.Helper()
		var o producer.CreatedOperator
		if err := json.Unmarshal([]byte(run(0, "operator", "add", name, "--role", role, "--json")), &o); err != nil {
			t.Fatal(err)
		}
		return o.Key
	}
	ana, luis := add("ana", "admin"), add("luis", "viewer")
	if out := run(2, "operator", "add", "eva", "--role", "boss"); !strings.Contains(out, "viewer") {
		t.Errorf("another role: %s", out)
	}
	place(t, p.client(), order("OP-1", "5500000051")) // declined
	settled(t, p.client(), "OP-1")
	bystander := place(t, p.client(), order("OP-2", "5500000051"))
	settled(t, p.client(), bystander.ID)

	admin := w.env["RECARGA_ADMIN_KEY"]
	correct := []string{"correct", "OP-1", "--as", "succeeded", "--reason", "the portal"}
	w.env["RECARGA_ADMIN_KEY"] = luis
	if out := run(1, correct...); !strings.Contains(out, "403") {
		t.Errorf("a viewer corrects: %s", out)
	}
	run(0, "get", "OP-1")
	w.env["RECARGA_ADMIN_KEY"] = ana
	if out := run(1, append(correct, "--by", "luis")...); !strings.Contains(out, "kept under ana") {
		t.Errorf("under another's name: %s", out)
	}
	run(0, correct...)
	if out := run(0, "get", "OP-1"); !strings.Contains(out, "by ana: the portal") {
		t.Errorf("who has done it: %s", out)
	}
	if out := run(0, "get", "OP-2", "--json"); !strings.Contains(out, `"failed"`) {
		t.Errorf("another order: %s", out)
	}

	renewed := run(0, "operator", "rotate-key", "luis", "--overlap", "1h")
	for _, key := range []string{luis, renewed} {
		if _, err := clientOf(second.apiURL, key).Get(t.Context(), "OP-1"); err != nil {
			t.Errorf("both keys are good: %v", err)
		}
	}
	w.env["RECARGA_ADMIN_KEY"] = admin
	run(0, "operator", "set-role", "ana", "viewer", "--version", "1")
	if out := run(1, "operator", "disable", "ana", "--version", "1"); !strings.Contains(out, "409") {
		t.Errorf("of a version that is over: %s", out)
	}
	run(0, "operator", "disable", "luis")
	for _, key := range []string{luis, renewed} {
		testkit.Eventually(t, patience, func() bool {
			_, err := clientOf(second.apiURL, key).Get(t.Context(), "OP-1")
			return err != nil && strings.Contains(err.Error(), "403")
		}, "the keys of luis are refused in the other process")
	}
	list := run(0, "operator", "list")
	if !strings.Contains(list, "disabled since") || strings.Contains(list, renewed) {
		t.Errorf("list: %s", list)
	}
	if log := p.log() + second.log(); strings.Contains(log, ana) || strings.Contains(log, renewed) {
		t.Error("a key is in the log")
	}
}
