// Package wholefile writes files that are there under their names only when they are whole.
package wholefile

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// File has another name until it is closed.
type File struct {
	*os.File
	name string // the one it will have
}

// Create makes a file that only its owner may read: it has phone numbers. One of that name is replaced when it is
// closed.
func Create(name string) (*File, error) {
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.part")
	return &File{file, name}, err
}

// Close gives the file its name once it is on the disk, so that it is there after a crash of the machine too.
func (f *File) Close() error {
	if err := errors.Join(f.Sync(), f.File.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.File.Name(), f.name); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(f.name))
}

// Discard removes what was not closed.
func (f *File) Discard() {
	_ = f.File.Close()           // it may be closed already
	_ = os.Remove(f.File.Name()) // it may have its name already
}

// SyncFolder makes the names in a folder durable.
func SyncFolder(path string) error {
	if runtime.GOOS == "windows" { // which refuses to flush a folder, and keeps its names in a log of its own
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// ByName is a file that is compressed if its name ends with .gz. What is not closed is to be discarded.
func ByName(name string) (w io.WriteCloser, discard func(), err error) {
	file, err := Create(name)
	switch {
	case err != nil:
		return nil, nil, err
	case strings.HasSuffix(name, ".gz"):
		return zipped{gzip.NewWriter(file), file}, file.Discard, nil
	}
	return file, file.Discard, nil
}

type zipped struct {
	*gzip.Writer
	file *File
}

func (z zipped) Close() error {
	if err := z.Writer.Close(); err != nil {
		return err
	}
	return z.file.Close()
}
