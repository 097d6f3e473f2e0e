package journal_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/topup"
)

// childURL makes the test binary a child process that writes to that journal until it is killed.
const childURL = "RECARGA_TEST_JOURNAL_CHILD"

// childProcess says on its standard output what was acknowledged.
func childProcess() {
	url := os.Getenv(childURL)
	if url == "" {
		return
	}
	ctx := context.Background()
	j, err := journal.Open(ctx, url)
	for w := 0; w < 8 && err == nil; w++ {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("ORD-%d-%d", w, i)
				if _, _, err := j.Accept(ctx, request(id), noon); err != nil {
					fmt.Println(err)
				}
				fmt.Println(id, 0)
				if _, err := j.Begin(ctx, topup.ID(id), 0, workerName, noon, noon); err != nil {
					fmt.Println(err)
				}
				fmt.Println(id, 1)
			}
		}()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	select {}
}

// TestKill: what was acknowledged is there after a kill -9 in the middle of it.
func TestKill(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
	self, err := os.Executable()
	must(t, err)
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), childURL+"="+url)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	acknowledged := map[topup.ID]int{}
	lines := 0
	for in := bufio.NewScanner(out); in.Scan(); lines++ {
		var id topup.ID
		var attempts int
		if _, err := fmt.Sscan(in.Text(), &id, &attempts); err != nil {
			t.Errorf("the child says %q", in.Text())
		}
		acknowledged[id] = max(acknowledged[id], attempts)
		if lines == 2000 {
			must(t, child.Process.Kill())
		}
	}
	if err := child.Wait(); err == nil || lines < 2000 {
		t.Fatalf("the child ended by itself (%v) after %d lines", err, lines)
	}
	j := open(t, url)
	for id, attempts := range acknowledged {
		if o, err := j.Order(t.Context(), id); err != nil || o.AttemptCount < attempts {
			t.Errorf("%s was acknowledged with %d attempts; has %d, %v", id, attempts, o.AttemptCount, err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	noDatabase := filepath.Join(folder, "note.txt")
	must(t, os.WriteFile(noDatabase, []byte(strings.Repeat("not a database ", 100)), 0o600))
	cases := map[string]string{
		"":                                  "must be sqlite:PATH or postgres://",
		"mysql://localhost/x":               "must be sqlite:PATH or postgres://",
		"sqlite:":                           "names no file",
		"sqlite::memory:":                   "names no file",
		"sqlite:" + folder:                  "is a directory",
		"sqlite:" + folder + "/no/where.db": "create it",
		"sqlite:" + noDatabase:              "not a database",
		"postgres://127.0.0.1:1/x?connect_timeout=1":      "postgres 127.0.0.1/x",
		"postgres://127.0.0.1:1/x?synchronous_commit=off": "remove it",
		"postgresql://127.0.0.1:port/x":                   "database URL",
	}
	for url, want := range cases {
		t.Run(url, func(t *testing.T) {
			j, err := journal.Open(t.Context(), url)
			if err == nil {
				must(t, j.Close())
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want %q in it", err, want)
			}
		})
	}
}

// TestFile: any name will do, only the owner may read it, and opening it again finds what it had.
func TestFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "órdenes 100%? #1 %41.db")
	j := open(t, "sqlite:"+path)
	_, _, err := j.Accept(t.Context(), request("A"), noon)
	must(t, err)
	files, err := os.ReadDir(folder)
	must(t, err)
	for _, f := range files {
		info, err := f.Info()
		must(t, err)
		if !strings.HasPrefix(f.Name(), filepath.Base(path)) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", f.Name(), info.Mode())
		}
	}
	must(t, j.Close())
	must(t, j.Close())
	for _, scheme := range []string{"sqlite:", "sqlite://"} {
		if _, err := open(t, scheme+path).Order(t.Context(), "A"); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

// TestSize: a finished order, with its attempt, event and try, takes at most 1.2 KiB.
func TestSize(t *testing.T) {
	const n, most = 2000, 1228
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, "sqlite:"+path)
	lifecycles(t, j, n, 64, new(noLock))
	must(t, j.Close())
	info, err := os.Stat(path)
	must(t, err)
	t.Logf("%d bytes an order", info.Size()/n)
	if info.Size()/n > most {
		t.Errorf("%d bytes an order, want at most %d", info.Size()/n, most)
	}
}

func TestFirstTryGrace(t *testing.T) {
	j := open(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), journal.WithFirstTryGrace(time.Hour))
	ev, err := j.AcceptInvalid(t.Context(), topup.Order{ID: "A"}, "no fields", noon)
	must(t, err)
	stored, err := j.Event(t.Context(), ev.ID)
	must(t, err)
	if want := noon.Add(time.Hour); !ev.DueAt.Equal(want) || !stored.DueAt.Equal(want) {
		t.Errorf("due %s, stored %s; want %s", ev.DueAt, stored.DueAt, want)
	}
}
