// Package terminal writes what commands print: nothing that came from elsewhere controls the terminal, tables fit it,
// and colours are left out where nobody wants them.
package terminal

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Output is standard output or standard error: all that a command writes goes through it. Nothing that came from
// elsewhere controls a terminal: characters that would are shown as U+FFFD. That holds for pipes and files, too, whose
// end is often a terminal. Escape sequences of our own carry a mark that nobody else knows.
type Output struct {
	to      io.Writer
	colours bool
	mark    string

	mu   sync.Mutex
	left []byte // the beginning of a character or of a mark, whose end is not yet written
}

// NewOutput is an output that uses colours on a terminal, if they are wanted.
func NewOutput(to io.Writer, colours bool) *Output {
	return &Output{to: to, colours: colours, mark: rand.Text()}
}

// escape begins an escape sequence.
const escape = "\x1b"

// Write replaces what would control a terminal by U+FFFD.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := p
	if len(o.left) > 0 {
		all = append(o.left, p...)
	}
	var b bytes.Buffer
	for len(all) > 0 {
		if n := plain(all); n > 0 {
			b.Write(all[:n])
			all = all[n:]
			continue
		}
		if o.begun(all) {
			break
		}
		r, size := utf8.DecodeRune(all)
		switch {
		case bytes.HasPrefix(all, []byte(escape+o.mark)):
			b.WriteString(escape)
			size = len(escape + o.mark)
		case Controls(r) && r != '\n' && r != '\t':
			b.WriteRune(unicode.ReplacementChar)
		default:
			b.WriteRune(r)
		}
		all = all[size:]
	}
	o.left = bytes.Clone(all)
	if _, err := o.to.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// plain is how many bytes at the beginning are visible ASCII, blanks, tabs and line ends: most of what is written.
func plain(p []byte) int {
	for i, c := range p {
		if (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return i
		}
	}
	return len(p)
}

// begun reports whether p may continue in the next write.
func (o *Output) begun(p []byte) bool {
	mark := escape + o.mark
	return !utf8.FullRune(p) || len(p) < len(mark) && strings.HasPrefix(mark, string(p))
}

// Exact is where bytes are written as they are, if that is no terminal: files and programs read them.
func (o *Output) Exact() io.Writer {
	if o.IsTerminal() {
		return o
	}
	return o.to
}

// IsTerminal reports whether people see it at once.
func (o *Output) IsTerminal() bool {
	f, ok := o.to.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Progress shows on a terminal how many bytes of so many are done; of -1 it is not known how many there are.
func (o *Output) Progress(what string, bytes int64) *progressbar.ProgressBar {
	to := io.Discard
	if o.IsTerminal() {
		to = o.to // it shows nothing that came from elsewhere
	}
	// The interval 0 keeps the bar of a stream without a length from drawing beside us: it takes no lock for that.
	return progressbar.NewOptions64(bytes, progressbar.OptionSetWriter(to), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription(what), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
		progressbar.OptionSetSpinnerChangeInterval(0))
}

// Controls reports whether a character acts on a terminal or on the text around it, or is invisible: C0,
// DEL and C1; what breaks lines; Unicode's Cf, among them all that turn the direction of writing.
func Controls(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// Printable is a text, from elsewhere, for one line.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if Controls(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// ErrorLines are what an error says, a line for each of those that were joined. A line break of a text from elsewhere
// begins no line.
func ErrorLines(err error) (lines []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var texts []string
		for _, e := range joined.Unwrap() {
			lines, texts = append(lines, ErrorLines(e)...), append(texts, e.Error())
		}
		if strings.Join(texts, "\n") == err.Error() {
			return lines
		}
	}
	inner := errors.Unwrap(err)
	if inner == nil {
		return []string{Printable(err.Error())}
	}
	before, after, found := strings.Cut(err.Error(), inner.Error())
	if !found {
		return []string{Printable(err.Error())}
	}
	lines = ErrorLines(inner)
	lines[0] = Printable(before) + lines[0]
	lines[len(lines)-1] += Printable(after)
	return lines
}

// JSON is a writer of whole JSON values. It escapes what would control a terminal; the meaning stays.
func JSON(to io.Writer) io.Writer { return jsonWriter{to} }

type jsonWriter struct{ to io.Writer }

func (j jsonWriter) Write(p []byte) (int, error) {
	if _, err := j.to.Write(escaped(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// PrintJSON writes a value as one line of JSON.
func PrintJSON(w io.Writer, v any) error { return json.NewEncoder(JSON(w)).Encode(v) }

// escaped is valid JSON with escapes for what controls a terminal, which JSON itself has only in its texts.
func escaped(p []byte) []byte {
	var b bytes.Buffer
	for len(p) > 0 {
		if n := plain(p); n > 0 {
			b.Write(p[:n])
			p = p[n:]
			continue
		}
		r, size := utf8.DecodeRune(p)
		if Controls(r) && !strings.ContainsRune("\n\r\t", r) { // these three stand between JSON's values
			for _, half := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, half)
			}
		} else {
			b.WriteRune(r)
		}
		p = p[size:]
	}
	return b.Bytes()
}

// CountOf counts things: "1 row was", "2 rows were".
func CountOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
