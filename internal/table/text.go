package table

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// FileError is what keeps a file from being read at all.
type FileError struct {
	// Part is what is wrong: PartFile, PartHeader, or an option.
	Part string
	// Value is what was found, Allowed what must be there instead.
	Value, Allowed string
}

// The parts of a FileError.
const (
	PartFile      = "file"
	PartHeader    = "header"
	PartColumns   = "columns"
	PartIgnored   = "ignore_columns"
	PartDelimiter = "delimiter"
	PartDecimal   = "decimal"
)

func (e *FileError) Error() string {
	if e.Part == PartFile {
		return fmt.Sprintf("it is %s; must be %s", e.Value, e.Allowed)
	}
	return fmt.Sprintf("%s: %q is not allowed; must be %s", e.Part, e.Value, e.Allowed)
}

const fileAllowed = "a table of text (CSV) with a header"

// signature is how a file that is no text begins.
type signature struct{ start, what, instead string }

func signatures() []signature {
	const saveAs = `text: open it with the spreadsheet program and save it as "CSV UTF-8"`
	return []signature{
		{"PK\x03\x04", "an Excel workbook (.xlsx), or another ZIP archive", saveAs},
		{"PK\x05\x06", "an empty ZIP archive", fileAllowed},
		{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", saveAs},
		{"%PDF", "a PDF document", fileAllowed + ": ask for the data itself"},
		{"\x1f\x8b", "a compressed file (gzip)", fileAllowed + ": unpack it first, as with gunzip"},
		{`{\rtf`, "a document (RTF)", fileAllowed},
		{"<", "a web page or XML, as some programs write under the name .xls", saveAs},
	}
}

// foreign refuses a file that is no text, by its content.
func foreign(start []byte) error {
	start = bytes.TrimLeft(bytes.TrimPrefix(start, []byte(byteOrderMark)), " \t\r\n")
	for _, s := range signatures() {
		if bytes.HasPrefix(start, []byte(s.start)) {
			return &FileError{Part: PartFile, Value: s.what, Allowed: s.instead}
		}
	}
	return nil
}

const byteOrderMark = "\xef\xbb\xbf"

// decoded makes UTF-8 of UTF-16, and leaves the byte order mark out. Text of one byte a letter stays as it is: see
// Lines.text.
func decoded(in io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(in, 4<<10)
	start, err := buffered.Peek(1 << 10)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(start) == 0:
		return nil, emptyFile()
	}
	if endian, ok := utf16(start); ok {
		return transform.NewReader(buffered, unicode.UTF16(endian, unicode.UseBOM).NewDecoder()), nil
	}
	if err := foreign(start); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(start, []byte(byteOrderMark)) {
		_, _ = buffered.Discard(len(byteOrderMark)) // it is in the buffer
	}
	return buffered, nil
}

func emptyFile() error {
	return &FileError{Part: PartFile, Value: "an empty file", Allowed: fileAllowed}
}

// utf16 says UTF-16 by its byte order mark, or by the NULs that Latin letters have on one side in it.
func utf16(start []byte) (unicode.Endianness, bool) {
	switch {
	case bytes.HasPrefix(start, []byte("\xff\xfe")):
		return unicode.LittleEndian, true
	case bytes.HasPrefix(start, []byte("\xfe\xff")):
		return unicode.BigEndian, true
	}
	var nuls [2]int
	for i, b := range start {
		if b == 0 {
			nuls[i%2]++
		}
	}
	most := len(start) / 4 // half of the letters
	switch {
	case nuls[0] == 0 && nuls[1] > most:
		return unicode.LittleEndian, true
	case nuls[1] == 0 && nuls[0] > most:
		return unicode.BigEndian, true
	default:
		return unicode.LittleEndian, false
	}
}

// utf8Text makes text of bytes: those that are no UTF-8 are Windows-1252, of which Latin-1's letters are a part.
func utf8Text(line []byte) []byte {
	if utf8.Valid(line) {
		return line
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(line)
	if err != nil {
		return bytes.ToValidUTF8(line, []byte("\ufffd"))
	}
	return text
}
