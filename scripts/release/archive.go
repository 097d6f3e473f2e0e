package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// file is one of an archive.
type file struct {
	// Name is its path in the archive.
	Name    string
	Content []byte
	// Program says whether it can be run.
	Program bool
}

func (f file) mode() os.FileMode {
	if f.Program {
		return 0o755
	}
	return 0o644
}

// archive packs a target's program, with what must go with it, as its people unpack things.
func (b builder) archive(t target, name, program string, licenses []byte) error {
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	files := []file{{Name: path.Join(name, filepath.Base(program)), Content: text, Program: true}}
	for _, beside := range []string{"README.md", "CHANGELOG.md", "LICENSE"} {
		text, err := os.ReadFile(filepath.Join(b.commit.Dir, beside))
		if err != nil {
			return err
		}
		files = append(files, file{Name: path.Join(name, beside), Content: text})
	}
	files = append(files, file{Name: path.Join(name, "THIRD_PARTY_LICENSES"), Content: licenses})
	pack, ending := tarball, ".tar.gz"
	if t.OS == "windows" {
		pack, ending = zipped, ".zip"
	}
	out, err := os.Create(filepath.Join(b.dist, name+ending))
	if err != nil {
		return err
	}
	return errors.Join(pack(out, files, b.commit.Time), out.Close())
}

// tarball writes files in their order: nothing of the machine gets into it, no time, owner or mode.
func tarball(out io.Writer, files []file, at time.Time) error {
	packed, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(packed)
	for _, f := range files {
		err := archive.WriteHeader(&tar.Header{
			Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Name: f.Name, Size: int64(len(f.Content)),
			Mode: int64(f.mode()), ModTime: at, Uname: "root", Gname: "root",
		})
		if err != nil {
			return err
		}
		if _, err := archive.Write(f.Content); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), packed.Close())
}

// zipped is tarball for Windows.
func zipped(out io.Writer, files []file, at time.Time) error {
	archive := zip.NewWriter(out)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: at}
		header.SetMode(f.mode())
		w, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := w.Write(f.Content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// checksums are those of all files of a folder, as sha256sum -c reads them.
func checksums(dir string) (string, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return "", err
	}
	var sums strings.Builder
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(text), entry.Name())
	}
	return sums.String(), nil
}
