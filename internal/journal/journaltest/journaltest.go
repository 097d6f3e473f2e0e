//go:build unix

// Package journaltest makes empty journals for tests. Their tables are made once for all test binaries, and
// copied: to make them costs as much as many a test does.
package journaltest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"recarga/internal/journal"
	"recarga/internal/journal/tables"
	"recarga/internal/testkit"
)

// SQLite is the URL of a journal in a file of the test, in memory: see testkit.Memory.
func SQLite(tb testing.TB) (url string) {
	tb.Helper()
	return SQLiteIn(tb, testkit.Memory(tb))
}

// SQLiteIn is the URL of a journal in the file recarga.db of a folder, which has none yet.
func SQLiteIn(tb testing.TB, folder string) (url string) {
	tb.Helper()
	data, err := empty()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(folder, "recarga.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return "sqlite:" + path
}

// Postgres is a journal in a database of the test: see testkit.Postgres.
func Postgres(tb testing.TB) *testkit.PostgresServer {
	tb.Helper()
	return testkit.PostgresPrepared(tb, tables.Sources(), prepare)
}

// empty is the file of an empty journal.
var empty = sync.OnceValues(func() ([]byte, error) {
	path, err := testkit.Kept("sqlite", tables.Sources(), func(f *os.File) error {
		folder, err := os.MkdirTemp("", "recarga-tables-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(folder) }() // it is a temporary one
		path := filepath.Join(folder, "recarga.db")
		if err := prepare("sqlite:" + path); err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// prepare makes the tables.
func prepare(url string) error {
	j, err := journal.Open(context.Background(), url)
	if err != nil {
		return err
	}
	return j.Close()
}
