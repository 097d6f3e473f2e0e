package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"recarga/internal/command"
)

// TestExport: orders go to standard output or to a file, in the format that its name says.
func TestExport(t *testing.T) {
	env := shop(t)
	want(t, env, command.ExitOK, "EXP-1", "", "enqueue", "--id", "EXP-1", "--phone", "5537686660", "--product", "MOVISTAR_TAE",
		"--amount", "10")
	env["RECARGA_ADMIN_KEY"] = "shop-admin-key"
	want(t, env, command.ExitOK, "(?s)^distributor_transaction_id,.*\nEXP-1,", "1 orders", "export")
	want(t, env, command.ExitOK, `^{"distributor_transaction_id":"EXP-1",.*"attempts":\[`, "", "export", "--format", "ndjson",
		"--attempts")
	want(t, env, command.ExitOK, "^distributor_transaction_id,[^\n]*\n$", "0 orders", "export", "--phone", "5537686661")
	want(t, env, command.ExitUsage, "^$", `since: "monday" is not allowed; must be`, "export", "--since", "monday")
	want(t, env, command.ExitUsage, "^$", "format", "export", "--events")
	folder := t.TempDir()
	for name, begins := range map[string]string{"orders.csv": "distributor_transaction_id,",
		"orders.ndjson.gz": `{"distributor_transaction_id":"EXP-1"`} {
		file := filepath.Join(folder, name)
		want(t, env, command.ExitOK, "^$", "1 orders", "export", "--output", file)
		if got := contents(t, file); !strings.HasPrefix(got, begins) || !strings.Contains(got, "EXP-1") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// contents are a file's, uncompressed.
func contents(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	in := io.Reader(f)
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	all, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// TestExportBrokenOff: a cut answer ends the command with a failure, and leaves a file as it was.
func TestExportBrokenOff(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "distributor_transaction_id\r\nA\r\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(api.Close)
	env := map[string]string{"RECARGA_API_URL": api.URL, "RECARGA_ADMIN_KEY": "shop-admin-key"}
	want(t, env, command.ExitFailed, "", "broken off", "export")
	file := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(file, []byte("of yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, env, command.ExitFailed, "^$", "orders.csv was not written", "export", "--output", file)
	if got := contents(t, file); got != "of yesterday" {
		t.Errorf("the file has %q", got)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}
	want(t, env, command.ExitUsage, "^$", "nowhere", "export", "--output", filepath.Join(t.TempDir(), "nowhere", "orders.csv"))
}
