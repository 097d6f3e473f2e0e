package archive_test

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/archive"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func lines(texts ...string) (all [][]byte) {
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	return all
}

// written is a file of two members, and where they begin.
func written(t *testing.T, f archive.Folder) (m archive.Manifest, places [2]int64) {
	t.Helper()
	w, err := f.Create(noon)
	must(t, err)
	defer w.Discard()
	for i, member := range [][][]byte{lines(`{"a":1}`, `{"a":2}`), lines(`{"a":3}`)} {
		places[i], err = w.Member(member)
		must(t, err)
	}
	m, err = w.Close(noon.Add(-time.Hour), noon, noon)
	must(t, err)
	return m, places
}

// TestMembers: each is read by itself, and any gzip reads the whole file.
func TestMembers(t *testing.T) {
	f := archive.Folder(filepath.Join(t.TempDir(), "archive"))
	m, places := written(t, f)
	for i, want := range [][][]byte{lines(`{"a":1}`, `{"a":2}`), lines(`{"a":3}`)} {
		got, err := f.Member(m.File, places[i])
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("member %d: %s", i, diff)
		}
	}
	file, err := os.Open(filepath.Join(string(f), m.File))
	must(t, err)
	defer func() { must(t, file.Close()) }()
	unzipped, err := gzip.NewReader(file)
	must(t, err)
	whole, err := io.ReadAll(unzipped)
	must(t, err)
	if string(whole) != "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n" {
		t.Errorf("the whole file is %q", whole)
	}
	info, err := file.Stat()
	must(t, err)
	if info.Mode().Perm() != 0o600 || m.Lines != 3 || m.Bytes != info.Size() {
		t.Errorf("mode %v, %+v", info.Mode(), m)
	}
	names, err := f.Files()
	must(t, err)
	if diff := cmp.Diff([]string{m.File}, names); diff != "" {
		t.Error(diff)
	}
	must(t, f.Remove(m.File))
	if left, err := os.ReadDir(string(f)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestCheck finds each byte that was changed, by the manifest and by the member's own checksum.
func TestCheck(t *testing.T) {
	f := archive.Folder(t.TempDir())
	m, places := written(t, f)
	checked, err := f.Check(m.File)
	must(t, err)
	if diff := cmp.Diff(m, checked); diff != "" {
		t.Error(diff)
	}
	path := filepath.Join(string(f), m.File)
	content, err := os.ReadFile(path)
	must(t, err)
	for i := range content {
		content[i] ^= 1
		must(t, os.WriteFile(path, content, 0o600))
		if _, err := f.Check(m.File); err == nil || !strings.Contains(err.Error(), "its manifest says") {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		content[i] ^= 1
	}
	must(t, os.WriteFile(path, content[:places[1]+12], 0o600))
	if _, err := f.Member(m.File, places[1]); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a member that is cut off: %v", err)
	}
	must(t, os.Remove(path))
	if _, err := f.Check(m.File); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestDiscard: what is not whole is not there.
func TestDiscard(t *testing.T) {
	f := archive.Folder(t.TempDir())
	w, err := f.Create(noon)
	must(t, err)
	_, err = w.Member(lines(`{}`))
	must(t, err)
	if names, err := f.Files(); err != nil || len(names) > 0 {
		t.Errorf("before it is whole: %v, %v", names, err)
	}
	w.Discard()
	if left, err := os.ReadDir(string(f)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := archive.Folder(filepath.Join(t.TempDir(), "not-mounted", "archive")).Create(noon); !errors.Is(err,
		fs.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
	if names, err := archive.Folder(filepath.Join(t.TempDir(), "none")).Files(); err != nil || names != nil {
		t.Errorf("without a folder: %v, %v", names, err)
	}
}
