// Package archive keeps lines of JSON in files that never change. They are gzip files of members, with a manifest
// beside each file. Each member can be read without those before it (RFC 1952, section 2.2); any gzip reads a whole
// file.
package archive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"recarga/internal/wholefile"
)

const (
	ending         = ".ndjson.gz"
	manifestEnding = ".manifest.json"
)

// Folder is where the files are. It is made with the first of them, in a folder that must be there.
type Folder string

// Manifest says what is in a file.
type Manifest struct {
	// File is its name in the folder.
	File string `json:"file"`
	// SHA256 is of the file as it is, in hexadecimal.
	SHA256 string `json:"sha256"`
	// Bytes is its length as it is, packed.
	Bytes int64 `json:"bytes"`
	// Lines counts its orders.
	Lines int `json:"lines"`
	// CreatedFrom is when the first of its orders was placed.
	CreatedFrom time.Time `json:"created_from"`
	// CreatedUntil is when the last of its orders was placed.
	CreatedUntil time.Time `json:"created_until"`
	// WrittenAt is when the file was closed.
	WrittenAt time.Time `json:"written_at"`
}

// Writer writes one file. It has its name once it is closed.
type Writer struct {
	folder Folder          // that the file is in
	name   string          // its name there
	file   *wholefile.File // that is written
	zipped *gzip.Writer    // to file
	digest hash.Hash       // of what file has
	bytes  int64           // that file has
	lines  int             // that were written
}

// Create begins a file.
func (f Folder) Create(now time.Time) (*Writer, error) {
	if err := f.make(); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	w := &Writer{folder: f, name: MadeFrom(now) + "-" + id.String()[:8] + ending, digest: sha256.New()}
	if w.file, err = wholefile.Create(f.path(w.name)); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	w.zipped = gzip.NewWriter(w)
	return w, nil
}

// MadeFrom is a text that the names of files made at a time or later are not less than, and the names of those that
// were made earlier are.
func MadeFrom(t time.Time) string { return "orders-" + t.UTC().Format("20060102T150405Z") }

// make makes the folder, so that it is there after a crash of the machine too, as its files must be.
func (f Folder) make() error {
	err := os.Mkdir(string(f), 0o700)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return wholefile.SyncFolder(filepath.Dir(string(f)))
}

// Write takes what is packed.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.bytes += int64(n)
	w.digest.Write(p[:n])
	return n, err
}

// Member adds lines, without their line ends, as a member. place is where it begins.
func (w *Writer) Member(lines [][]byte) (place int64, err error) {
	place = w.bytes
	w.zipped.Reset(w)
	w.lines += len(lines)
	_, err = w.zipped.Write(append(bytes.Join(lines, []byte("\n")), '\n'))
	if err = errors.Join(err, w.zipped.Close()); err != nil {
		return 0, fmt.Errorf("archive %s: %w", w.name, err)
	}
	return place, nil
}

// Close makes the file, and then its manifest, durable under their names. from and until are when its first and
// last order were placed.
func (w *Writer) Close(from, until, now time.Time) (Manifest, error) {
	m := Manifest{
		File: w.name, SHA256: hex.EncodeToString(w.digest.Sum(nil)), Bytes: w.bytes, Lines: w.lines,
		CreatedFrom: from, CreatedUntil: until, WrittenAt: now.UTC(),
	}
	err := w.file.Close()
	if err == nil {
		err = w.folder.writeManifest(m)
	}
	if err != nil {
		return m, fmt.Errorf("archive %s: %w", w.name, err)
	}
	return m, nil
}

// Discard removes what was not closed.
func (w *Writer) Discard() { w.file.Discard() }

func (f Folder) writeManifest(m Manifest) error {
	content, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	file, err := wholefile.Create(f.path(m.File + manifestEnding))
	if err != nil {
		return err
	}
	defer file.Discard()
	if _, err := file.Write(append(content, '\n')); err != nil {
		return err
	}
	return file.Close()
}

// Remove removes a file and its manifest.
func (f Folder) Remove(name string) error {
	return errors.Join(os.Remove(f.path(name+manifestEnding)), os.Remove(f.path(name)))
}

// path is of a file of this folder, whatever its name.
func (f Folder) path(name string) string { return filepath.Join(string(f), filepath.Base(name)) }

// Member is the lines of the member of a file that begins at place.
func (f Folder) Member(name string, place int64) ([][]byte, error) {
	file, err := os.Open(f.path(name))
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	lines, err := memberAt(file, place)
	if err != nil {
		return nil, fmt.Errorf("archive %s: at %d: %w", f.path(name), place, err)
	}
	return lines, nil
}

func memberAt(file io.ReadSeeker, place int64) ([][]byte, error) {
	if _, err := file.Seek(place, io.SeekStart); err != nil {
		return nil, err
	}
	unzipped, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return nil, err
	}
	unzipped.Multistream(false)
	content, err := io.ReadAll(unzipped) // its checksum is looked at, too
	if err != nil {
		return nil, err
	}
	return bytes.Split(bytes.TrimSuffix(content, []byte("\n")), []byte("\n")), nil
}

// Check compares a file with its manifest.
func (f Folder) Check(name string) (Manifest, error) {
	var m Manifest
	content, err := os.ReadFile(f.path(name + manifestEnding))
	if err != nil {
		return m, fmt.Errorf("archive: %w", err)
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return m, fmt.Errorf("archive: %s: %w", f.path(name+manifestEnding), err)
	}
	file, err := os.Open(f.path(name))
	if err != nil {
		return m, fmt.Errorf("archive: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	digest := sha256.New()
	n, err := io.Copy(digest, file)
	if err != nil {
		return m, fmt.Errorf("archive: %w", err)
	}
	if sum := hex.EncodeToString(digest.Sum(nil)); sum != m.SHA256 || n != m.Bytes {
		return m, fmt.Errorf("archive: %s has %d bytes and the SHA-256 %s; its manifest says %d and %s", f.path(name), n,
			sum, m.Bytes, m.SHA256)
	}
	return m, nil
}

// Files are the names of all files.
func (f Folder) Files() (names []string, err error) {
	entries, err := os.ReadDir(string(f))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("archive: %w", err)
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ending) && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names, nil
}
