package testkit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keptFor is how long a file is kept that no test uses.
const keptFor = 24 * time.Hour

// Kept is a file in the user's cache that write makes once for all test binaries that name the same parts: what it
// depends on. Nobody sees it unfinished.
func Kept(name string, parts []string, write func(*os.File) error) (path string, err error) {
	cache, err := userCache()
	if err != nil {
		return "", err
	}
	path = filepath.Join(cache, fmt.Sprintf("%s-%x", name, sha256.Sum256([]byte(strings.Join(parts, "\x00")))))
	now := time.Now()
	if err := os.Chtimes(path, now, now); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	forget(cache)
	f, err := os.CreateTemp(cache, "new-")
	if err != nil {
		return "", err
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it was never used
	}
	return path, err
}

// userCache is the folder of all tests in the user's cache.
func userCache() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "recarga-tests")
	return cache, os.MkdirAll(cache, 0o700)
}

// DiskFolder is a folder of the test's own that a reboot leaves alone, unlike the usual one on many machines.
func DiskFolder(tb testing.TB) string {
	tb.Helper()
	cache, err := userCache()
	if err != nil {
		tb.Fatal(err)
	}
	folder, err := os.MkdirTemp(cache, "test-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// forget removes what nobody has used for long. Another test binary may do the same.
func forget(cache string) {
	files, _ := filepath.Glob(filepath.Join(cache, "*"))
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > keptFor {
			_ = os.Remove(file)
		}
	}
}
