// Package lines reads lines of a bounded length from a stream that may be of any length.
package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxKept is how much of a line that is too long is kept, to see which it is.
const maxKept = 200

// Line is one line, without its line break.
type Line struct {
	// Number counts from 1.
	Number int64
	// Text is valid until the next line is read.
	Text []byte
	// Long: the line was longer than the reader's bound, and Text is its beginning only.
	Long bool
}

// Blank reports whether there is nothing but white space in the line.
func (l Line) Blank() bool { return !l.Long && len(bytes.TrimSpace(l.Text)) == 0 }

// Reader reads lines. Its memory is bounded by the length of one line.
type Reader struct {
	in     *bufio.Reader
	end    func(text []byte, from int, last bool) (end, next int)
	number int64
}

// NewReader reads lines of at most so many bytes, with their line break, which is LF or CR LF. A line that is complete
// is returned at once: whoever sent it may wait for the answer.
func NewReader(in io.Reader, most int) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, most), end: endLF}
}

// NewTextReader is NewReader for files of any system: CR alone ends a line, too.
func NewTextReader(in io.Reader, most int) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, most), end: endAny}
}

// Next returns the next line, io.EOF after the last one, or the error of the stream: then what is left of a line that
// was begun is not returned.
func (r *Reader) Next() (Line, error) {
	line := Line{Number: r.number + 1}
	for searched, held := 0, 0; ; {
		_, err := r.in.Peek(held + 1) // reads more
		text, _ := r.in.Peek(r.in.Buffered())
		end, next := r.end(text, searched, err != nil && !errors.Is(err, bufio.ErrBufferFull))
		switch {
		case end < 0 && errors.Is(err, bufio.ErrBufferFull):
			if !line.Long {
				line.Text, line.Long = bytes.Clone(text[:min(len(text), maxKept)]), true
			}
			_, _ = r.in.Discard(len(text) - 1) // the last may be the first half of a line break
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
		r.number++
		_, _ = r.in.Discard(next) // it is in the buffer, and stays there until the next read
		if !line.Long {
			line.Text = text[:end]
		}
		return line, nil
	}
}

// endLF is where the first line of text ends and where the next one begins; -1 where that is not known yet.
func endLF(text []byte, from int, _ bool) (end, next int) {
	i := bytes.IndexByte(text[from:], '\n')
	if i < 0 {
		return -1, 0
	}
	end, next = from+i, from+i+1
	if end > 0 && text[end-1] == '\r' {
		end--
	}
	return end, next
}

// endAny is endLF where CR alone ends a line, too.
func endAny(text []byte, from int, last bool) (end, next int) {
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
