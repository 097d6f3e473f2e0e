package terminal

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// hostile has what controls a terminal, or the text around it: C0, DEL, C1, all that turns the direction of writing,
// what breaks lines, what cannot be seen, in the first plane and beyond.
const hostile = "\x1b[31mred\x1b]0;title\x07\x00\b\r\x7f\u009b2J\u0085\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" +
	"\u200e\u200f\u061c\u200b\u2028\u2029\ufeff\U000e0001"

// forged would be a line of ours.
const forged = "\nFORGED by a stranger"

func TestOutputControlsNothing(t *testing.T) {
	for _, text := range []string{hostile, "a\xffb\xc2", "plain ñ 📱 text\nof two lines"} {
		for size := 1; size <= len(text); size++ { // wherever it is broken
			var s strings.Builder
			out := NewOutput(&s, true)
			for part := range chunks(text, size) {
				if n, err := out.Write(part); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if got := s.String(); !utf8.ValidString(got) || strings.ContainsFunc(strings.ReplaceAll(strings.ReplaceAll(got, "\n", ""),
				"\t", ""), Controls) {
				t.Errorf("%q by %d: %q", text, size, got)
			}
			if !strings.ContainsFunc(text, Controls) && utf8.ValidString(text) && s.String() != text {
				t.Errorf("%q became %q", text, s.String())
			}
		}
	}
}

func chunks(text string, size int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for at := 0; at < len(text); at += size {
			if !yield([]byte(text[at:min(at+size, len(text))])) {
				return
			}
		}
	}
}

// TestOutputOfOurOwn: our own escape sequences arrive, also beside those of others, and nobody else's do, not even
// those of another run.
func TestOutputOfOurOwn(t *testing.T) {
	var s strings.Builder
	out := NewOutput(&s, true)
	ours, former := Screen{Colours: true, mark: out.mark}, Screen{Colours: true, mark: NewOutput(&s, true).mark}
	for part := range chunks(ours.paint(red, "failed\x1b[2J")+former.paint(green, "x"), 3) {
		if _, err := out.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	want := "\x1b[31mfailed\ufffd[2J\x1b[0m\ufffd" + former.mark + "[32mx\ufffd" + former.mark + "[0m"
	if s.String() != want {
		t.Errorf("got %q, want %q", s.String(), want)
	}
}

func TestJSONKeepsItsMeaning(t *testing.T) {
	var b bytes.Buffer
	said := map[string]string{"text": hostile + forged + "\t"}
	if err := PrintJSON(&b, said); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got["text"] != said["text"] {
		t.Errorf("%v: %q became %q", err, said["text"], got["text"])
	}
	if line := strings.TrimSuffix(b.String(), "\n"); strings.ContainsFunc(line, Controls) {
		t.Errorf("%q", line)
	}
}

func TestTableBreaksTexts(t *testing.T) {
	var b strings.Builder
	err := Screen{Writer: &b, Width: 34}.Table([]string{"WHAT", "RESULT"},
		[][]string{{"attempt 1", "unknown in 5000 ms: no answer within 5s"}, {"día", "ñandú\x1b[2J"}})
	want := `WHAT       RESULT
attempt 1  unknown in 5000 ms: no
           answer within 5s
día        ñandú [2J
`
	if diff := cmp.Diff(want, b.String()); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestNoTerminal: what goes to a file is neither fitted nor coloured.
func TestNoTerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if out := NewOutput(file, true); out.Screen() != (Screen{Writer: out}) {
		t.Errorf("%+v", out.Screen())
	}
}
