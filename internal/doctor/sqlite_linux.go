package doctor

import (
	"os"

	"golang.org/x/sys/unix"
)

// The bytes of a file that SQLite's connections lock for as long as they use it
// (https://sqlite.org/src/file/src/os.h, SHARED_FIRST and SHARED_SIZE).
const (
	sharedFirst = 0x40000000 + 2
	sharedSize  = 510
)

// isUnused reports whether it is proven that no connection of SQLite's uses the file: none has locked it. It locks
// nothing itself.
func isUnused(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }() // only asked
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: sharedFirst, Len: sharedSize}
	err = unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock)
	return err == nil && lock.Type == unix.F_UNLCK
}
