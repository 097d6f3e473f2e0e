package table

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const (
	// MaxRow bounds a row, in bytes.
	MaxRow = 64 << 10
	// maxKept is how much of a longer one is kept, to say which it is.
	maxKept = 200
	// The lines in which a header is looked for: so many, of so many bytes together.
	previewLines = 100
	previewBytes = 4 * MaxRow
)

// Line is one line of a text file, without its line break.
type Line struct {
	Number int64 // from 1
	// Text is valid until the next line is read. It is as the file has it, but for UTF-16, which has become UTF-8.
	Text []byte
	// Long says that the line was longer than MaxRow, and Text is its beginning only.
	Long bool
}

func (l Line) blank() bool { return !l.Long && len(bytes.TrimSpace(l.Text)) == 0 }

// Lines reads a text file line by line. CR LF, LF and CR end a line, also within quotes.
type Lines struct {
	in     *bufio.Reader
	number int64
	ahead  []Line // read already, as copies
	size   int    // of ahead, in bytes
	err    error  // what comes after ahead
}

// NewLines makes text of a file: UTF-16 or UTF-8, with or without a byte order mark, or text of one byte a letter. A
// file that holds nothing, or is no text, is a *FileError.
func NewLines(in io.Reader) (*Lines, error) {
	text, err := decoded(in)
	if err != nil {
		return nil, err
	}
	l := &Lines{in: bufio.NewReaderSize(text, MaxRow)}
	if l.First() == nil && errors.Is(l.err, io.EOF) {
		return nil, emptyFile()
	}
	return l, nil
}

// First is the first line that is not blank, without the blanks around it; nil where there is none near the start.
func (l *Lines) First() []byte {
	for i := 0; l.look(i); i++ {
		if !l.ahead[i].blank() {
			return bytes.TrimSpace(l.ahead[i].Text)
		}
	}
	return nil
}

// Next returns the next line, io.EOF after the last one, or the error of the file: then what is left of a line that
// was begun is not returned.
func (l *Lines) Next() (Line, error) {
	if len(l.ahead) > 0 {
		first := l.ahead[0]
		l.ahead, l.size = l.ahead[1:], l.size-len(first.Text)
		return first, nil
	}
	if l.err != nil {
		return Line{}, l.err
	}
	return l.read()
}

// look reports whether there is a line i lines after the next one, near enough to be held in memory.
func (l *Lines) look(i int) bool {
	for len(l.ahead) <= i {
		if l.err != nil || len(l.ahead) >= previewLines || l.size >= previewBytes {
			return false
		}
		line, err := l.read()
		if err != nil {
			l.err = err
			return false
		}
		line.Text = bytes.Clone(line.Text)
		l.ahead, l.size = append(l.ahead, line), l.size+len(line.Text)
	}
	return true
}

func (l *Lines) read() (Line, error) {
	line := Line{Number: l.number + 1}
	for searched, held := 0, 0; ; {
		_, err := l.in.Peek(held + 1) // reads more
		text, _ := l.in.Peek(l.in.Buffered())
		end, next := lineEnd(text, searched, err != nil && !errors.Is(err, bufio.ErrBufferFull))
		switch {
		case end < 0 && errors.Is(err, bufio.ErrBufferFull):
			if !line.Long {
				line.Text, line.Long = bytes.Clone(text[:maxKept]), true
			}
			_, _ = l.in.Discard(len(text) - 1) // the last may be the first half of a line break
			searched, held = 0, 1
			continue
		case end < 0 && errors.Is(err, io.EOF) && (len(text) > 0 || line.Long): // the last line
			end, next = len(text), len(text)
		case end < 0 && err != nil:
			return Line{}, err
		case end < 0:
			searched, held = max(len(text)-1, 0), len(text)
			continue
		}
		l.number++
		_, _ = l.in.Discard(next) // it is in the buffer, and stays there until the next read
		if !line.Long {
			line.Text = text[:end]
		}
		return line, nil
	}
}

// lineEnd is where the first line of text ends and where the next one begins; -1 where that is not known yet.
func lineEnd(text []byte, from int, last bool) (end, next int) {
	i := bytes.IndexAny(text[from:], "\r\n")
	if i < 0 {
		return -1, 0
	}
	end = from + i
	switch {
	case text[end] == '\n':
		return end, end + 1
	case end+1 < len(text) && text[end+1] == '\n':
		return end, end + 2
	case end+1 < len(text), last:
		return end, end + 1
	default: // a line feed may follow
		return -1, 0
	}
}
