package e2e

import (
	"path/filepath"
	"testing"

	"recarga/internal/testkit"
)

// TestDiskFull: while orders flow, the disk of the book of record, or of Redis, has no room, and later it has. Orders
// are refused while the book has no room for them; Redis stops purchases alone.
func TestDiskFull(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for name, on := range map[string]struct {
		// keeps has the book or Redis keep its data on a disk that can be filled; nil where there is none.
		keeps func(*testing.T, *world) *disk
		// full waits until it has noticed.
		full func(*trial)
	}{
		"SQLite": {func(t *testing.T, w *world) *disk {
			folder := t.TempDir()
			w.env["RECARGA_DATABASE_URL"] = "sqlite:" + filepath.Join(folder, "recarga.db")
			return newDisk(t, folder)
		}, (*trial).refuses},
		"PostgreSQL": {func(t *testing.T, w *world) *disk {
			server := testkit.PostgresOwn(t)
			w.env["RECARGA_DATABASE_URL"] = server.URL()
			return tablesApart(t, server)
		}, (*trial).refuses},
		"Redis": {func(t *testing.T, w *world) *disk {
			folder := t.TempDir()
			full := newDisk(t, folder)
			w.env["RECARGA_REDIS_URL"] = testkit.Redis(t, "--dir", folder).URL()
			return full
		}, (*trial).stops},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
			full := on.keeps(t, w)
			if full == nil {
				t.Skip("only root can make a disk that is full, and not in every container")
			}
			trial := w.trial(t, w.start(t, "serve"))
			full.fill()
			on.full(trial)
			full.free()
			trial.report("the disk of " + name + " full, then not")
		})
	}
}
