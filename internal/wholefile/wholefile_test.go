package wholefile_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"recarga/internal/wholefile"
)

// TestWholeOrNothing: a file is there when it is closed, in place of the former one, and what is discarded leaves
// nothing. It runs on every system: folders are not flushed alike on all.
func TestWholeOrNothing(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "orders.csv.gz")
	for _, content := range []string{"first", "second"} {
		w, _, err := wholefile.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := unzipped(t, name); got != content {
			t.Errorf("%q, want %q", got, content)
		}
	}
	w, discard, err := wholefile.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "cut off"); err != nil {
		t.Fatal(err)
	}
	discard()
	if got := unzipped(t, name); got != "second" {
		t.Errorf("what was discarded is there: %q", got)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}

func unzipped(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
