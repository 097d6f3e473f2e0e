package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"recarga/internal/testkit"
)

// disk is a file system of its own, which a test can fill.
type disk struct {
	t      *testing.T
	folder string
}

// newDisk puts one over an empty folder, for whoever owns the folder. It is nil, and says so, where it may not: only
// root may, and not in every container.
func newDisk(t *testing.T, folder string) *disk {
	t.Helper()
	parent, err := os.Stat(folder + "/..")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=1g"); err != nil {
		t.Logf("no disk is filled: mount: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", folder, err)
		}
	})
	owner := parent.Sys().(*syscall.Stat_t)
	if err := os.Chown(folder, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
	return &disk{t, folder}
}

// tablesApart has a PostgreSQL keep its tables on a disk that can be filled; nil where there is none.
func tablesApart(t *testing.T, server *testkit.PostgresCluster) *disk {
	t.Helper()
	folder := filepath.Join(server.Folder(), "apart")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	d := newDisk(t, folder)
	if d != nil {
		server.KeepIn(folder)
	}
	return d
}

// fill leaves no room.
func (d *disk) fill() {
	d.t.Helper()
	var now syscall.Statfs_t
	if err := syscall.Statfs(d.folder, &now); err != nil {
		d.t.Fatal(err)
	}
	d.resize(fmt.Sprintf("size=%d", (now.Blocks-now.Bfree)*uint64(now.Bsize)))
}

// free makes room again.
func (d *disk) free() { d.t.Helper(); d.resize("size=1g") }

func (d *disk) resize(size string) {
	d.t.Helper()
	if err := syscall.Mount("tmpfs", d.folder, "tmpfs", syscall.MS_REMOUNT, size); err != nil {
		d.t.Errorf("remount %s with %s: %v", d.folder, size, err)
	}
}
