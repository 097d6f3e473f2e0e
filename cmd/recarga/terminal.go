package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"

	"recarga/internal/config"
)

// output is standard output or standard error: all that a command writes goes through it. Nothing that came from
// elsewhere controls a terminal: characters that would are shown as U+FFFD. That holds for pipes and files, too, whose
// end is often a terminal. Escape sequences of our own carry a mark that nobody else knows.
type output struct {
	to   io.Writer
	mark string

	mu   sync.Mutex
	left []byte // the beginning of a character or of a mark, whose end is not yet written
}

func newOutput(to io.Writer) *output { return &output{to: to, mark: rand.Text()} }

// escape begins an escape sequence.
const escape = "\x1b"

func (o *output) Write(p []byte) (int, error) {
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
		case controls(r) && r != '\n' && r != '\t':
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

// begun says that what is there may go on in the next write.
func (o *output) begun(p []byte) bool {
	mark := escape + o.mark
	return !utf8.FullRune(p) || len(p) < len(mark) && strings.HasPrefix(mark, string(p))
}

// exact is where bytes are written as they are, if that is no terminal: files and programs read them.
func (o *output) exact() io.Writer {
	if isTerminal(o) {
		return o
	}
	return o.to
}

// drawn is for what draws by itself, and shows nothing that came from elsewhere: a progress bar. Where there is no
// terminal it draws nothing.
func (o *output) drawn() io.Writer {
	if isTerminal(o) {
		return o.to
	}
	return io.Discard
}

// file is nil where the output is none.
func (o *output) file() *os.File {
	f, _ := o.to.(*os.File)
	return f
}

func isTerminal(w io.Writer) bool {
	o, ok := w.(*output)
	return ok && o.file() != nil && term.IsTerminal(int(o.file().Fd()))
}

// controls says a character that does something to a terminal or to the text around it, or that cannot be seen: C0,
// DEL and C1; what breaks lines; Unicode's Cf, among them all that turn the direction of writing.
func controls(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// printable is a text, from elsewhere, for one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if controls(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// errorLines are what an error says, a line for each of those that were joined. A line break of a text from elsewhere
// begins no line.
func errorLines(err error) (lines []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var texts []string
		for _, e := range joined.Unwrap() {
			lines, texts = append(lines, errorLines(e)...), append(texts, e.Error())
		}
		if strings.Join(texts, "\n") == err.Error() {
			return lines
		}
	}
	inner := errors.Unwrap(err)
	if inner == nil {
		return []string{printable(err.Error())}
	}
	before, after, found := strings.Cut(err.Error(), inner.Error())
	if !found {
		return []string{printable(err.Error())}
	}
	lines = errorLines(inner)
	lines[0] = printable(before) + lines[0]
	lines[len(lines)-1] += printable(after)
	return lines
}

// jsonOutput writes JSON. It escapes what would control a terminal; the meaning stays.
type jsonOutput struct{ to io.Writer }

func (j jsonOutput) Write(p []byte) (int, error) {
	if _, err := j.to.Write(escaped(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

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
		if controls(r) && !strings.ContainsRune("\n\r\t", r) { // these three stand between JSON's values
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

// NewLogger builds the program's logger.
func NewLogger(s config.Settings, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(jsonOutput{w}, options))
}
