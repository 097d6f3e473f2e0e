package yamlfile_test

import (
	"testing"

	"recarga/internal/yamlfile"
)

type text struct{ Why, Fix string }

func TestRead(t *testing.T) {
	got := yamlfile.Read[map[string]text]([]byte("disk:\n  why: it fills\n  fix: make room\n"))
	if want := (text{"it fills", "make room"}); got["disk"] != want {
		t.Errorf("%+v, want %+v", got["disk"], want)
	}
}

// TestReadNot: a field that nobody reads is a text that nobody sees.
func TestReadNot(t *testing.T) {
	for _, file := range []string{"disk:\n  whi: it fills\n", "disk: [\n", "disk: 1\n", ""} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is read", file)
				}
			}()
			yamlfile.Read[map[string]text]([]byte(file))
		}()
	}
}
