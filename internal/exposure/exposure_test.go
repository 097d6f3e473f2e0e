package exposure_test

import (
	"os"
	"path/filepath"
	"testing"

	"recarga/internal/exposure"
)

// TestOthersCanRead: modes of the file and of all folders above it decide, and what has no name is nothing.
func TestOthersCanRead(t *testing.T) {
	folder, err := os.MkdirTemp("/tmp", "recarga-exposure-") // whose parents others may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	file := filepath.Join(folder, "key")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir("/") // which others can read
	for _, test := range []struct {
		folder, file os.FileMode
		want         bool
	}{{0o755, 0o644, true}, {0o755, 0o440, false}, {0o700, 0o644, false}} {
		if err := os.Chmod(folder, test.folder); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, test.file); err != nil {
			t.Fatal(err)
		}
		if got := exposure.OthersCanRead(file); got != test.want {
			t.Errorf("a file of mode %o in a folder of mode %o: %t", test.file, test.folder, got)
		}
	}
	if exposure.OthersCanRead("") || exposure.OthersCanRead(filepath.Join(folder, "none")) {
		t.Error("what is not there can be read")
	}
}
