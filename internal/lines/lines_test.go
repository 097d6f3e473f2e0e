package lines_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/lines"
)

// all reads everything, one byte at a time: a line break may come in two halves.
func all(t *testing.T, r *lines.Reader) (texts []string) {
	t.Helper()
	for number := int64(1); ; number++ {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil || line.Number != number {
			t.Fatalf("line %d: %+v, %v", number, line, err)
		}
		text := string(line.Text)
		if line.Long {
			text = "long: " + text[:3]
		}
		texts = append(texts, text)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 100)
	for in, want := range map[string]struct{ lf, any []string }{
		"":                              {},
		"a":                             {[]string{"a"}, []string{"a"}},
		"a\nb\r\n\nc":                   {[]string{"a", "b", "", "c"}, []string{"a", "b", "", "c"}},
		"a\rb\n":                        {[]string{"a\rb"}, []string{"a", "b"}},
		long + "\nb\n" + long:           {[]string{"long: xxx", "b", "long: xxx"}, []string{"long: xxx", "b", "long: xxx"}},
		long + "\r\nb\n":                {[]string{"long: xxx", "b"}, []string{"long: xxx", "b"}},
		strings.Repeat("y", 31) + "\nb": {[]string{strings.Repeat("y", 31), "b"}, []string{strings.Repeat("y", 31), "b"}},
	} {
		if diff := cmp.Diff(want.lf, all(t, lines.NewReader(iotest.OneByteReader(strings.NewReader(in)), 32))); diff != "" {
			t.Errorf("%q, LF:\n%s", in, diff)
		}
		if diff := cmp.Diff(want.any, all(t, lines.NewTextReader(iotest.OneByteReader(strings.NewReader(in)),
			32))); diff != "" {
			t.Errorf("%q, any:\n%s", in, diff)
		}
	}
}

// TestCompleteLineAtOnce: a sender that waits for the answer to its line has it read, though nothing follows.
func TestCompleteLineAtOnce(t *testing.T) {
	in, out := io.Pipe()
	go func() { _, _ = out.Write([]byte("{}\r\n")) }()
	line, err := lines.NewReader(in, 32).Next()
	if err != nil || string(line.Text) != "{}" {
		t.Errorf("%+v, %v", line, err)
	}
}

// TestCutLine: a line that an error cut short is not returned.
func TestCutLine(t *testing.T) {
	broken := errors.New("broken")
	r := lines.NewReader(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), 32)
	if line, err := r.Next(); err != nil || string(line.Text) != "a" {
		t.Errorf("%+v, %v", line, err)
	}
	if line, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("%+v, %v", line, err)
	}
}
