package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

// TestNodeClientAsPublished packs the client as npm publishes it, installs it from that, and uses it as a module, by
// require, and from TypeScript at its strictest; and the receivers for Express and Next.js receive.
func TestNodeClientAsPublished(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	testkit.Program(t, "npm", "npm")
	folder := t.TempDir()
	in := runsIn(t)
	tarball := in("../../clients/node", "npm", "pack", "--silent", "--pack-destination", folder)
	want := []string{"package/README.md", "package/index.d.ts", "package/index.js", "package/openapi.d.ts",
		"package/package.json"}
	listed := strings.Fields(in(folder, "sh", "-c", "tar tf "+tarball+" | sort"))
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("what is published (-want +got):\n%s", diff)
	}
	for _, from := range []string{"testdata/clients/published/", "../../clients/node/recipes/"} {
		files, err := filepath.Glob(from + "*.?[jt]s")
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", from, err)
		}
		for _, file := range files {
			copyFile(t, file, filepath.Join(folder, filepath.Base(file)))
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "package.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	in(folder, "npm", "install", "--no-audit", "--no-fund", "./"+tarball, "express@5.1.0", "typescript@5.9.3",
		"@types/node@20.19.0")
	const names = "AnswerError,Client,NoAnswerError,ProblemError,RecargaError,WaitTimeoutError,Webhook,WebhookError function"
	for program, want := range map[string]string{"esm.mjs": names, "cjs.cjs": names, "both.mjs": "true"} {
		if got := in(folder, "node", program); got != want {
			t.Errorf("%s: %s, want %s", program, got, want)
		}
	}
	in(folder, "node_modules/.bin/tsc", "--noEmit", "--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes",
		"--module", "nodenext", "--target", "es2022", "--types", "node", "uses.mts", "uses.cts")
	received := in(folder, "node", "receive.mjs")
	if strings.Count(received, "evt_1 topup.succeeded ORD-1 succeeded") != 2 ||
		strings.Count(received, "204 204") != 2 || !strings.HasSuffix(received, "400 400") {
		t.Errorf("the receivers say:\n%s", received)
	}
}

// runsIn runs programs in a folder, each to its end, and returns what they print.
func runsIn(t *testing.T) func(dir, program string, args ...string) string {
	return func(dir, program string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", program, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
}

// TestOpenAPIForOthers: a public linter has nothing to say against docs/openapi.json, and the types that a public
// generator makes of it are those of TypeScript at its strictest.
func TestOpenAPIForOthers(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	testkit.Program(t, "npm", "npm")
	folder, in := t.TempDir(), runsIn(t)
	copyFile(t, "../../docs/openapi.json", filepath.Join(folder, "openapi.json"))
	copyFile(t, "testdata/openapi/uses.ts", filepath.Join(folder, "uses.ts"))
	if err := os.WriteFile(filepath.Join(folder, "package.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	in(folder, "npm", "install", "--no-audit", "--no-fund", "@redocly/cli@2.77.0", "openapi-typescript@7.13.0",
		"typescript@5.9.3")
	lint := in(folder, "env", "REDOCLY_TELEMETRY=off", "node_modules/.bin/redocly", "lint", "--extends", "recommended",
		"--format", "json", "openapi.json")
	var found struct {
		Totals   struct{ Errors, Warnings, Ignored int }
		Problems []struct{ RuleID, Message string }
	}
	if err := json.Unmarshal([]byte(lint[strings.Index(lint, "{"):strings.LastIndex(lint, "}")+1]), &found); err != nil {
		t.Fatalf("%v in\n%s", err, lint)
	}
	if found.Totals.Errors+found.Totals.Warnings+found.Totals.Ignored+len(found.Problems) > 0 {
		t.Errorf("the linter says %+v", found)
	}
	in(folder, "node_modules/.bin/openapi-typescript", "openapi.json", "-o", "api.d.ts")
	strictest := []string{"--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--noEmit", "--module",
		"nodenext", "--target", "es2022", "api.d.ts", "uses.ts"}
	in(folder, "node_modules/.bin/tsc", strictest...)
	testkit.Proven(t, "no warning of redocly lint, and the types of openapi-typescript compile")
}

// TestPHPReceiverOfClient: the receiver in plain PHP gets the body and the headers from PHP's own server as they came.
func TestPHPReceiverOfClient(t *testing.T) {
	t.Parallel()
	php, folder, secret := testkit.Program(t, "php", "php-cli php-curl"), t.TempDir(), webhook.NewSecret()
	if err := os.Mkdir(filepath.Join(folder, "vendor"), 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, "../../clients/php/recipes/plain.php", filepath.Join(folder, "index.php"))
	autoload := `<?php spl_autoload_register(fn ($class) => require '` + absolute(t, "../../clients/php/src") +
		`/' . substr($class, strlen('Recarga\\')) . '.php');`
	if err := os.WriteFile(filepath.Join(folder, "vendor/autoload.php"), []byte(autoload), 0o644); err != nil {
		t.Fatal(err)
	}
	e := runExample(t, folder, map[string]string{"RECARGA_WEBHOOK_SECRET": webhook.NewSecret() + "," + secret},
		php, "-S", "127.0.0.1:0", "index.php")
	ev, err := topup.NewEvent("evt_1", topup.EventTypeOf(topup.StateFailed), topup.Order{ID: "ORD-1",
		State: topup.StateFailed, Caller: "shop"}, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ping := []byte(`{"type":"ping","timestamp":"2026-01-31T18:00:00Z","data":{"caller":"shop","endpoint":"default"}}`)
	for _, c := range []struct {
		signed []byte
		sent   string
		want   int
	}{{ev.Body, string(ev.Body), 204}, {ping, string(ping), 204}, {ev.Body, string(ev.Body) + " ", 400}} {
		var header []string
		for name, values := range sign(t, secret, "evt_1", time.Now(), c.signed) {
			header = append(header, name, values[0])
		}
		if status, _ := ask(t, http.MethodPost, e.url, c.sent, header...); status != c.want {
			t.Errorf("%s is answered with %d, want %d\n%s", c.sent, status, c.want, e.log())
		}
	}
	e.says(t, "evt_1 topup.failed ORD-1 failed")
}
