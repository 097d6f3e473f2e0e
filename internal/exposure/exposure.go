// Package exposure says who else can read or reach what the program keeps and serves.
package exposure

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// OthersCanRead reports whether users of this machine who are neither the owner nor of the group of a file or folder
// can read it or write to it: its mode lets them, and that of each folder above it. What is not there, nobody reads.
func OthersCanRead(path string) bool { return othersCan(path, 0o006) }

func othersCan(path string, do os.FileMode) bool {
	if path == "" || runtime.GOOS == "windows" { // no path is not this folder; Windows' modes say nothing of others
		return false
	}
	path, err := filepath.EvalSymlinks(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil || info.Mode().Perm()&do == 0 || info.IsDir() && info.Mode()&os.ModeSticky != 0 {
		return false
	}
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if folder == filepath.Dir(folder) {
			return true
		}
	}
}

// ReadableFiles are those of a SQLite database that others can read, and its folder if they can put others in their
// place.
func ReadableFiles(databaseURL string) (readable []string) {
	scheme, path, _ := strings.Cut(databaseURL, ":")
	if scheme != "sqlite" {
		return nil
	}
	path = strings.TrimPrefix(path, "//")
	if folder := filepath.Dir(path); othersCan(folder, 0o002) {
		readable = append(readable, folder)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if OthersCanRead(name) {
			readable = append(readable, name)
		}
	}
	return readable
}

// OnLoopback reports whether only this machine reaches an address HOST:PORT.
func OnLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && Loopback(host)
}

// Loopback reports whether a host is this machine.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
