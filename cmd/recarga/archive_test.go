package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to make an order old

	"recarga/internal/command"
)

// TestArchive: an old order leaves, is still shown, and is never bought again; a damaged file is named.
func TestArchive(t *testing.T) {
	env := shop(t)
	order := []string{"enqueue", "--id", "OLD-1", "--phone", "5537686660", "--product", "MOVISTAR_TAE", "--amount", "10"}
	want(t, env, command.ExitOK, "OLD-1", "", order...)
	want(t, env, command.ExitOK, "succeeded", "", "watch", "OLD-1")
	_, path, _ := strings.Cut(env["RECARGA_DATABASE_URL"], ":")
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	old := time.Now().AddDate(0, 0, -401).UnixMicro()
	if _, err := db.Exec("UPDATE orders SET created_at = ?, finished_at = ?; UPDATE events SET due_at = NULL, created_at = ?, state = "+
		"'exhausted'", old, old, old); err != nil {
		t.Fatal(err)
	}
	want(t, env, command.ExitOK, "^0 orders in 0 files of .*archive\n$", "", "archive", "--verify")
	want(t, env, command.ExitOK, "^1 order, ended before .*T00:00:00Z, would leave\n$", "", "archive", "--dry-run")
	want(t, env, command.ExitOK, `"orders":0}`, "", "archive", "--dry-run", "--json", "--before", "2020-01-01")
	want(t, env, command.ExitOK, "^1 order, ended before .*T00:00:00Z, left for 1 file of .*archive\n$", "", "archive")
	want(t, env, command.ExitOK, `^{"orders":0,"files":0,"bytes":0}\n$`, "", "archive", "--json")
	want(t, env, command.ExitOK, "^1 order in 1 file of", "", "archive", "--verify")
	if done := local(t, env["RECARGA_DATABASE_URL"], "archive"); len(done) != 1 ||
		!strings.HasPrefix(string(done[0].Detail), "1 order, ended before ") {
		t.Errorf("the audit has %+v; want what has left, once", done)
	}

	want(t, env, command.ExitOK, `(?s)OLD-1.*succeeded.*Attempt`, "", "get", "OLD-1")
	want(t, env, command.ExitOK, "OLD-1.*succeeded", "", order...)
	want(t, env, command.ExitFailed, "", "other content|different", append(order[:len(order)-1], "20")...)
	want(t, env, command.ExitFailed, "", "succeeded", "cancel", "OLD-1")
	env["RECARGA_ADMIN_KEY"] = "shop-admin-key"
	want(t, env, command.ExitOK, "OLD-1", "1 orders", "export")
	want(t, env, command.ExitOK, "OLD-1", "", "find", "OLD-1")

	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "archive", "*.gz"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(files[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, env, command.ExitFailed, "wrong: .*"+filepath.Base(files[0]), "things are wrong", "archive", "--verify")
	want(t, env, command.ExitFailed, `"wrong":\[".*"unused":\[\]`, "things are wrong", "archive", "--verify", "--json")
	want(t, env, command.ExitUsage, "^$", `--before: "yesterday" is not allowed; must be a date`, "archive", "--before",
		"yesterday")
	want(t, env, command.ExitUsage, "^$", "at least 24h", "archive", "--before", time.Now().Format(time.RFC3339))
	want(t, env, command.ExitUsage, "^$", "RECARGA_RETENTION is 0", "archive", "--retention", "0")
	want(t, env, command.ExitUsage, "^$", `RECARGA_RETENTION \(from flag\) is "1h"; must be 0 \(for ever\) or`, "archive",
		"--retention", "1h")
	missing := filepath.Join(t.TempDir(), "missing.db")
	want(t, env, command.ExitUsage, "^$", "missing.db: no such file", "archive", "--database-url", "sqlite:"+missing)
	if _, err := os.Stat(missing); err == nil {
		t.Error("a database was made")
	}
	want(t, env, command.ExitUsage, "^$", "RECARGA_ARCHIVE_DIR is not set", "archive", "--database-url",
		"postgres://nowhere/recarga")
}
