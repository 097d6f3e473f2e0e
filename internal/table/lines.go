package table

import (
	"bytes"
	"errors"
	"io"

	"recarga/internal/lines"
)

const (
	// MaxRow bounds a row, in bytes.
	MaxRow = 64 << 10
	// The lines in which a header is looked for: so many, of so many bytes together.
	previewLines = 100
	previewBytes = 4 * MaxRow
)

// Lines reads a text file line by line. CR LF, LF and CR end a line, also within quotes. Its text is as the file has
// it, but for UTF-16, which becomes UTF-8.
type Lines struct {
	in    *lines.Reader
	ahead []lines.Line // read already, as copies
	size  int          // of ahead, in bytes
	err   error        // what comes after ahead
}

// NewLines makes text of a file: UTF-16 or UTF-8, with or without a byte order mark, or text of one byte a letter. A
// file that holds nothing, or is no text, is a *FileError.
func NewLines(in io.Reader) (*Lines, error) {
	text, err := decoded(in)
	if err != nil {
		return nil, err
	}
	l := &Lines{in: lines.NewTextReader(text, MaxRow)}
	if l.First() == nil && errors.Is(l.err, io.EOF) {
		return nil, emptyFile()
	}
	return l, nil
}

// First is the first line that is not blank, without the blanks around it; nil where there is none near the start.
func (l *Lines) First() []byte {
	for i := 0; l.look(i); i++ {
		if !l.ahead[i].Blank() {
			return bytes.TrimSpace(l.ahead[i].Text)
		}
	}
	return nil
}

// Next returns the next line, io.EOF after the last one, or the error of the file: then what is left of a line that
// was begun is not returned.
func (l *Lines) Next() (lines.Line, error) {
	if len(l.ahead) > 0 {
		first := l.ahead[0]
		l.ahead, l.size = l.ahead[1:], l.size-len(first.Text)
		return first, nil
	}
	if l.err != nil {
		return lines.Line{}, l.err
	}
	return l.in.Next()
}

// look reports whether there is a line i lines after the next one, near enough to be held in memory.
func (l *Lines) look(i int) bool {
	for len(l.ahead) <= i {
		if l.err != nil || len(l.ahead) >= previewLines || l.size >= previewBytes {
			return false
		}
		line, err := l.in.Next()
		if err != nil {
			l.err = err
			return false
		}
		line.Text = bytes.Clone(line.Text)
		l.ahead, l.size = append(l.ahead, line), l.size+len(line.Text)
	}
	return true
}
