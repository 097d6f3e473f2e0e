package doctor

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// OthersCanRead tells that users of this machine who are neither the owner nor of the group of a file or folder can
// read it or write to it: its mode lets them, and that of each folder above it. What is not there, nobody reads.
func OthersCanRead(path string) bool { return othersCan(path, 0o006) }

func othersCan(path string, do os.FileMode) bool {
	if runtime.GOOS == "windows" { // whose modes say nothing of others
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

func (s settings) secrets(context.Context) Finding {
	if len(s.Exposed) > 0 {
		return warn("%s", strings.Join(s.Exposed, "; "))
	}
	return ok("no secret is a flag, or in a file that others can read")
}

func (s settings) archive(context.Context) Finding {
	switch {
	case s.ArchiveDir == "":
		return nothing()
	case OthersCanRead(s.ArchiveDir):
		return warn("%s can be read by others", s.ArchiveDir)
	}
	return ok("%s", s.ArchiveDir)
}

func (s *sqlite) private(context.Context) Finding {
	if readable := ReadableFiles("sqlite:" + s.path); len(readable) > 0 {
		return warn("others can read %s", strings.Join(readable, ", "))
	}
	return ok("only this user and its group can read it")
}
