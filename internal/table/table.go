package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"recarga/internal/clip"
	"recarga/internal/lines"
)

// Row is one row of a table.
type Row struct {
	// Line is where the row begins, from 1; Last is where it ends, further down only with line breaks in quotes.
	Line, Last int64
	// Cells are those of the header's columns, without the blanks around them. Where Err is set they are what can be
	// made out: they may stand in other columns, and must not be used but to say which row it is. The slice is valid
	// until the next row is read.
	Cells []string
	// Err says why the cells are not those of the header's columns.
	Err error
	// Early says that the row stands before the header.
	Early bool
	// Text is the whole row, valid until the next one is read; of one that is Long it is the beginning only.
	Text []byte
	Long bool

	aside string // what it is, where it is no row: a total, a footer
}

// Reader reads the rows of a table.
type Reader struct {
	opts   Options
	lines  *Lines
	layout *Layout
	split  *splitter
	early  []lines.Line // before the header
	notes  notes
	// filled says which columns had a value in any row.
	filled []bool
}

// NewReader finds out what the table is like. What cannot be read as a table is a *FileError; other errors are those
// of the file.
func NewReader(lines *Lines, opts Options) (*Reader, error) {
	r := &Reader{opts: opts, lines: lines}
	first := lines.First()
	if len(first) > 0 && (first[0] == '{' || first[0] == '[') {
		return nil, &FileError{Part: PartFile, Value: "JSON", Allowed: fileAllowed}
	}
	commas := delimiters()
	if comma, ok := separator(first); ok {
		for more := true; more; {
			line, _ := lines.Next() // First has seen it
			more = line.Blank()
		}
		commas = []rune{comma}
	}
	if opts.Delimiter != 0 {
		commas = []rune{opts.Delimiter}
	}
	best := r.header(commas)
	found := best != nil && best.layout.named > 0
	switch {
	case !found && lines.err != nil && !errors.Is(lines.err, io.EOF):
		return nil, lines.err
	case opts.NoHeader || opts.numbered() && !best.certain():
		if err := r.withoutHeader(commas); err != nil {
			return nil, err
		}
		return r, nil
	// An option that names a column may be what keeps the header from being found.
	case best != nil && best.missing != nil:

		return nil, best.missing
	case !found:
		return nil, r.noHeader(best)
	}
	r.begin(best.comma, best.layout)
	for i := range best.next {
		line, _ := lines.Next() // it was looked at
		if i < best.first && !line.Blank() {
			r.early = append(r.early, line)
		}
	}
	r.noteEarly()
	return r, nil
}

func (r *Reader) begin(comma rune, l *Layout) {
	r.layout, r.split, r.filled = l, newSplitter(comma), make([]bool, len(l.head))
}

func (r *Reader) withoutHeader(commas []rune) error {
	comma, width := r.width(commas)
	l, missing := r.opts.layout(make([]string, width))
	r.begin(comma, l)
	return missing
}

// certain distinguishes a header from a row that happens to hold the name of a column: no header is a number.
func (h *headings) certain() bool {
	return h != nil && h.layout.named > 0 && !slices.ContainsFunc(h.layout.head, func(cell string) bool {
		return strings.ContainsFunc(cell, unicode.IsDigit) && !strings.ContainsFunc(cell, unicode.IsLetter)
	})
}

// noHeader is the error where no line has the name of a column; first is what the first line seems to have, or nil.
func (r *Reader) noHeader(first *headings) error {
	value := string(r.lines.First())
	if first != nil {
		value = strings.Join(first.layout.head, ", ")
	}
	return &FileError{Part: PartHeader, Value: clip.Marked(value, maxNote), Allowed: fmt.Sprintf(
		"the names of the columns, in a line of at most %d bytes among the first %d; or name the columns by their "+
			"numbers, from 1",
		MaxRow, previewLines)}
}

// Layout says which column holds what.
func (r *Reader) Layout() *Layout { return r.layout }

// Next returns the next row, io.EOF after the last, or an error of the file. What is no row is noted.
func (r *Reader) Next() (Row, error) {
	for {
		row, err := r.next()
		if err != nil || row.aside == "" {
			return row, err
		}
		r.notes.add("line %d is %s and not a row: %s", row.Line, row.aside,
			clip.Marked(strings.TrimSpace(string(row.Text)), maxNote))
	}
}

func (r *Reader) next() (Row, error) {
	for len(r.early) > 0 {
		row := r.row(r.early[0], false) // what comes next in the file is behind the header
		r.early = r.early[1:]
		if row.Early = true; row.Err == nil && row.aside == "" {
			return row, nil
		}
	}
	for {
		line, err := r.lines.Next()
		if err != nil {
			return Row{}, err
		}
		if row := r.row(line, true); row.Err != nil ||
			slices.ContainsFunc(row.Cells, func(c string) bool { return c != "" }) {
			return row, nil
		}
	}
}

// row is the row that begins with a line. One that does not read as a row with the header's columns ends with its
// line, and so does one that may not go on.
func (r *Reader) row(line lines.Line, mayGoOn bool) Row {
	row := Row{Line: line.Number, Last: line.Number, Text: utf8Text(line.Text), Long: line.Long}
	switch {
	case line.Long:
		row.Err = fmt.Errorf("longer than %d bytes", MaxRow)
	case bytes.IndexByte(line.Text, 0) >= 0: // what holds one is cut short by whatever stores texts
		row.Err = errors.New("it holds a NUL: it is no text")
	case line.Blank():
		return row
	default:
		row.Cells, row.Err = r.split.cells(row.Text)
	}
	if row.Err != nil && mayGoOn && !row.Long && open(row.Text) && r.goesOn(&row) {
		row.Err = nil
	}
	if row.Err != nil {
		row.Cells = r.split.madeOut(row.Text)
		return row
	}
	if row.aside = r.aside(row.Cells); row.aside != "" {
		return row
	}
	if got, want := len(row.Cells), len(r.layout.head); got != want {
		row.Err = fmt.Errorf("%d values, the header has %d", got, want)
		return row
	}
	for i, c := range row.Cells {
		r.filled[i] = r.filled[i] || c != ""
	}
	return row
}

// maxBreaks bounds the line breaks within the quotes of one row.
const maxBreaks = 100

// goesOn takes the lines after a row with an open quote to it, if that makes a row of it. A line that could be a row
// of its own is never taken: rather is the quote a mistake.
func (r *Reader) goesOn(row *Row) bool {
	text := row.Text
	for n := 0; n < maxBreaks && r.lines.look(n) && !r.lines.ahead[n].Long; n++ {
		next := utf8Text(r.lines.ahead[n].Text)
		if alone, err := r.split.cells(next); err == nil && len(alone) == len(r.layout.head) {
			return false
		}
		if text = joined(text, next); len(text) > MaxRow {
			return false
		}
		if open(text) {
			continue
		}
		cells, err := r.split.cells(text)
		if err != nil || len(cells) != len(r.layout.head) {
			return false
		}
		row.Cells, row.Text, row.Last = cells, text, r.lines.ahead[n].Number
		for range n + 1 {
			_, _ = r.lines.Next() // it was looked at
		}
		return true
	}
	return false
}

// open says that a quote is open at the end.
func open(text []byte) bool { return bytes.Count(text, []byte{'"'})%2 == 1 }

func joined(text, next []byte) []byte { return slices.Concat(text, []byte{'\n'}, next) }

// Notes say what was not read as a row, and where.
func (r *Reader) Notes() []string { return r.notes.list() }

// NotUnderstood are the columns that are neither known nor ignored, by their headers, or by their numbers where they
// have none: those only if any row that was read has a value in them.
func (r *Reader) NotUnderstood() []string {
	var names []string
	for i, known := range r.layout.known {
		if !known && (r.layout.head[i] != "" || r.filled[i]) {
			names = append(names, r.layout.title(i))
		}
	}
	return names
}

// splitter splits rows into cells.
type splitter struct {
	comma rune
	csv   *csv.Reader
	left  []byte
}

func newSplitter(comma rune) *splitter {
	s := &splitter{comma: comma}
	s.reset()
	return s
}

func (s *splitter) reset() {
	s.csv = csv.NewReader(s)
	s.csv.Comma, s.csv.FieldsPerRecord, s.csv.ReuseRecord = s.comma, -1, true
	s.csv.TrimLeadingSpace = !unicode.IsSpace(s.comma) // else it would skip empty cells
}

// Read gives the CSV reader what is left of the row, and the end of its input where it asks for more.
func (s *splitter) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

// asText is a cell that a program has written so that a spreadsheet takes it for text, not for a number.
var asText = regexp.MustCompile(`(^|[,;|\t])="([^"]*)"`)

// cells splits one row. They are valid until the next call.
func (s *splitter) cells(text []byte) ([]string, error) {
	cells, err := s.record(text)
	if errors.Is(err, csv.ErrBareQuote) && bytes.Contains(text, []byte(`="`)) {
		cells, err = s.record(asText.ReplaceAll(text, []byte(`$1"$2"`)))
	}
	for i, c := range cells {
		cells[i] = trimmed(c)
	}
	return cells, err
}

func (s *splitter) record(text []byte) ([]string, error) {
	s.left = append(text[:len(text):len(text)], '\n')
	cells, err := s.csv.Read()
	var broken *csv.ParseError
	switch {
	case errors.As(err, &broken):
		s.reset() // it may hold the rest
		return nil, broken.Err
	case errors.Is(err, io.EOF):
		return nil, nil // nothing but blanks
	}
	return cells, err
}

// madeOut is what the cells of a broken row seem to be, as far as no quote is in doubt.
func (s *splitter) madeOut(text []byte) (cells []string) {
	text, _, _ = bytes.Cut(text, []byte{'"'})
	parts := strings.Split(string(text), string(s.comma))
	for _, p := range parts[:len(parts)-1] {
		cells = append(cells, trimmed(p))
	}
	return cells
}

// trimmed is a cell without the blanks and invisible letters around it, and without the quotes of ="…".
func trimmed(cell string) string {
	cell = strings.TrimFunc(cell, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	if inner, ok := strings.CutPrefix(cell, `="`); ok && strings.HasSuffix(inner, `"`) {
		return strings.TrimSuffix(inner, `"`)
	}
	return cell
}

// separator reads the line sep=; with which some spreadsheets begin a file.
func separator(line []byte) (rune, bool) {
	text := strings.Trim(string(line), `"`)
	if len(text) < 4 || !strings.EqualFold(text[:4], "sep=") {
		return 0, false
	}
	comma, err := ParseDelimiter(text[4:])
	return comma, err == nil && comma != 0
}
