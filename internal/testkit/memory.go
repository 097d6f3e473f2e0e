//go:build unix

package testkit

import (
	"os"
	"syscall"
	"testing"
)

// Memory is a folder of the test in memory, where the machine has one, for files that no test reads after a power cut:
// a commit waits for no disk there.
func Memory(tb testing.TB) string {
	tb.Helper()
	const shared, enough = "/dev/shm", 4 << 30 // a container has 64 MiB there
	var disk syscall.Statfs_t
	if err := syscall.Statfs(shared, &disk); err != nil || disk.Bavail*uint64(disk.Bsize) < enough {
		return tb.TempDir()
	}
	folder, err := os.MkdirTemp(shared, "recarga-test-")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { _ = os.RemoveAll(folder) }) // what a program still writes there ends with the machine
	return folder
}
