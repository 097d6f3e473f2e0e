package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"recarga/internal/command"
	"recarga/internal/journal"
	"recarga/internal/testkit"
	"recarga/topup/desk"
)

// TestMigrateCommand: a check changes nothing and has a status of its own, and what is pending is done once.
func TestMigrateCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "recarga.db")
	for name, url := range map[string]string{"sqlite": "sqlite:" + file, "postgres": testkit.Postgres(t).URL()} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"RECARGA_DATABASE_URL": url, "RECARGA_MIGRATE": "false"}
			all := journal.Migrations(name)
			pending := fmt.Sprintf(`^recarga: %d migrations are pending; recarga migrate does what is pending\n$`, len(all))
			for range 2 {
				want(t, env, command.ExitPending, `(?s)^pending: 00001_journal\n.*pending: 00024_held\n`, pending,
					"migrate", "--check")
				if _, err := os.Stat(file); name == "sqlite" && !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("the check made a file: %v", err)
				}
			}
			if name == "postgres" { // no file that has to be there before
				for _, args := range [][]string{{"rekey", "--encryption-key", "a-sealing-key"}, {"archive", "--dry-run", "--archive-dir", t.TempDir()}} {
					want(t, env, command.ExitUsage, `^$`, `no tables yet; run recarga migrate\n$`, args...)
				}
			}
			asked := want(t, env, command.ExitPending, `^{`, pending, "migrate", "--check", "--json")
			listed(t, asked, 0, len(all))
			want(t, env, command.ExitOK, `(?s)^done: 00001_journal\n.*done: 00024_held\n`, `^$`, "migrate")
			want(t, env, command.ExitOK, `^nothing to do: the tables are up to date\n$`, `^$`, "migrate")
			want(t, env, command.ExitOK, `^nothing to do: the tables are up to date\n$`, `^$`, "migrate", "--check")
			listed(t, want(t, env, command.ExitOK, `^{`, `^$`, "migrate", "--json"), 0, 0)
			since := slices.DeleteFunc(all, func(m journal.Migration) bool { return m.Version < 29 }) // which makes the audit
			if done := local(t, url, "migrate"); len(done) != 1 || done[0].Count != len(since) ||
				string(done[0].On) != since[0].Name {
				t.Errorf("the audit has %+v; want %v", done, since)
			}
		})
	}
}

// local are the actions of the audit that a command did, of the user who runs this.
func local(t *testing.T, url, action string) []desk.Act {
	t.Helper()
	j, err := journal.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	acts, _, err := j.Acts(t.Context(), desk.ActFilter{Action: action, Via: desk.ViaLocal, By: command.UserName()})
	if err = errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	return acts
}

// listed compares the lists of --json with how many they must have.
func listed(t *testing.T, r *running, done, pending int) {
	t.Helper()
	var got migrations
	if err := json.Unmarshal([]byte(r.stdout.String()), &got); err != nil || got.Done == nil || got.Pending == nil ||
		len(got.Done) != done || len(got.Pending) != pending {
		t.Errorf("%v: %s; want %d done and %d pending", err, &r.stdout, done, pending)
	}
}

// TestMigrateFails: what is no answer is no "up to date", and no "pending" either.
func TestMigrateFails(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte("these are my notes, and no database at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	silent := fmt.Sprintf("postgres://u@127.0.0.1:%d/x", testkit.FreePort(t))
	for _, c := range []struct {
		url, said string
	}{
		{"sqlite:" + text, `not a database`},
		{silent, `connection refused`},
	} {
		env := map[string]string{"RECARGA_DATABASE_URL": c.url}
		for _, args := range [][]string{{"migrate"}, {"migrate", "--check"}} {
			want(t, env, command.ExitFailed, `^$`, `^recarga: RECARGA_DATABASE_URL: .*`+c.said, args...)
		}
	}
	absent := map[string]string{"RECARGA_DATABASE_URL": "sqlite:" + filepath.Join(folder, "none", "recarga.db")}
	want(t, absent, command.ExitFailed, `^$`, `folder .* does not exist`, "migrate")
	want(t, map[string]string{"RECARGA_DATABASE_URL": "mysql:x"}, command.ExitUsage, `^$`, `RECARGA_DATABASE_URL`, "migrate")
	want(t, nil, command.ExitUsage, `^$`, `unknown command|accepts`, "migrate", "now")
}
