package table

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Column is one that a table may have.
type Column struct {
	// Name is how options and code call it.
	Name string
	// Headers are the names that it goes by in tables, as Plain has them, the surest first.
	Headers []string
	// Total says that a line of totals may have a value in it.
	Total bool
	// Words says that its values may be several words, as an id's, a time's or an amount's never are.
	Words bool
}

// Options are those of one table. The zero value but for Columns finds everything out.
type Options struct {
	// Columns are those that the table may have.
	Columns []Column
	// Harmless are the headers, as Plain has them, of columns that are known and not needed.
	Harmless []string
	// Prefix makes columns of their own of the headers that begin with it.
	Prefix string
	// Enough reports whether a header with these columns can be that of the table; it makes the choice where several
	// lines could be the header.
	Enough func(has func(name string) bool) bool
	// Named names columns that are not found by their headers: the header of each, or its number, from 1.
	Named map[string]string
	// Ignored are headers, or numbers, of columns that say nothing.
	Ignored []string
	// Delimiter between the cells; 0: found out.
	Delimiter rune
	// NoHeader says that the first line is a row. It is found out where Named has numbers only and no line has names
	// of columns.
	NoHeader bool
}

// Layout says which column holds what.
type Layout struct {
	head  []string
	plain []string // the headers as Plain has them
	at    map[string]int
	// prefixed are the columns of Options.Prefix, by what follows it.
	prefixed map[string]int
	// known are the columns that are used, harmless or ignored.
	known []bool
	named int // how many are known by their headers
}

// Has reports whether the table has the column.
func (l *Layout) Has(column string) bool { _, ok := l.at[column]; return ok }

// Head are the table's headers; empty texts where it has none.
func (l *Layout) Head() []string { return l.head }

// Prefixed are the columns of Options.Prefix, by the rest of their headers.
func (l *Layout) Prefixed() map[string]int { return l.prefixed }

// Name is how the table calls a column, or the column's own name where the table has none.
func (l *Layout) Name(column string) string {
	if i, ok := l.at[column]; ok {
		return l.title(i)
	}
	return column
}

// Names are those of all columns that were found.
func (l *Layout) Names() map[string]string {
	names := map[string]string{}
	for column, i := range l.at {
		names[column] = l.title(i)
	}
	return names
}

// title is a column's header, or its number.
func (l *Layout) title(i int) string {
	if l.head[i] != "" {
		return l.head[i]
	}
	return fmt.Sprintf("column %d", i+1)
}

// Value is the cell of a column; empty where there is none.
func (l *Layout) Value(cells []string, column string) string {
	if i, ok := l.at[column]; ok && i < len(cells) {
		return cells[i]
	}
	return ""
}

// Plain is a header as headers are compared: "ID_Transacción " is "id transaccion".
func Plain(header string) string {
	letters := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(header))
	return strings.Join(strings.FieldsFunc(letters,
		func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }),
		" ")
}

// layout finds the columns of a header. Its error names the first option that names a column which is not there.
func (o *Options) layout(head []string) (*Layout, error) {
	plain := make([]string, len(head))
	l := &Layout{head: head, plain: plain, at: map[string]int{}, prefixed: map[string]int{},
		known: make([]bool, len(head))}
	for i, h := range head {
		plain[i] = Plain(h)
	}
	var missing error
	for _, name := range o.Ignored {
		i, byNumber := find(head, plain, name)
		if i < 0 {
			missing = &FileError{Part: PartIgnored, Value: name, Allowed: columnOf(head)}
			continue
		}
		for j := range plain {
			l.known[j] = l.known[j] || j == i || !byNumber && plain[j] == plain[i]
		}
	}
	for _, c := range o.Columns {
		name, given := o.Named[c.Name]
		if !given {
			continue
		}
		i, byNumber := find(head, plain, name)
		switch {
		case i < 0:
			missing = &FileError{Part: PartColumns, Value: c.Name + "=" + name, Allowed: columnOf(head)}
		case l.known[i]:
			missing = &FileError{Part: PartColumns, Value: c.Name + "=" + name, Allowed: "a column that no other option names"}
		default:
			l.use(c.Name, i, !byNumber || o.isHeader(plain[i]))
		}
	}
	o.byHeaders(l)
	return l, missing
}

func (l *Layout) use(column string, i int, byHeader bool) {
	l.at[column], l.known[i] = i, true
	if byHeader {
		l.named++
	}
}

// isHeader reports whether any column goes by the name.
func (o *Options) isHeader(plain string) bool {
	return slices.ContainsFunc(o.Columns, func(c Column) bool { return slices.Contains(c.Headers, plain) })
}

// byHeaders finds the columns that no option names.
func (o *Options) byHeaders(l *Layout) {
	for _, c := range o.Columns {
		if i := l.search(c.Headers); i >= 0 && !l.Has(c.Name) && o.Named[c.Name] == "" {
			l.use(c.Name, i, true)
		}
	}
	for i, h := range l.head {
		switch {
		case l.known[i]:
		case h == "#" || slices.Contains(o.Harmless, l.plain[i]):
			l.known[i] = true
			l.named++
		case o.Prefix != "" && len(h) > len(o.Prefix) && strings.EqualFold(h[:len(o.Prefix)], o.Prefix):
			if _, twice := l.prefixed[h[len(o.Prefix):]]; !twice {
				l.prefixed[h[len(o.Prefix):]], l.known[i] = i, true
				l.named++
			}
		}
	}
}

// search is the first column that is not used and has one of the headers, the surest first; -1 where there is none.
func (l *Layout) search(headers []string) int {
	for _, header := range headers {
		for i := range l.plain {
			if !l.known[i] && l.plain[i] == header {
				return i
			}
		}
	}
	return -1
}

// find is the column of a header, or else of a number, from 1.
func find(head, plain []string, name string) (i int, byNumber bool) {
	if i = slices.Index(head, name); i < 0 && Plain(name) != "" {
		i = slices.Index(plain, Plain(name))
	}
	if i >= 0 {
		return i, false
	}
	if n, ok := number(name); ok && n <= len(head) {
		return n - 1, true
	}
	return -1, false
}

// number reads a column's number: 12 or #12.
func number(name string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "#"))
	return n, err == nil && n > 0 && !strings.ContainsAny(name, "+-")
}

func columnOf(head []string) string {
	if names := strings.Trim(strings.Join(head, ", "), ", "); names != "" {
		return "a column of the table: " + names
	}
	return fmt.Sprintf("the number of a column, of 1 to %d", len(head))
}

// numbered reports whether options name columns, and by numbers only.
func (o *Options) numbered() bool {
	for _, name := range o.Named {
		if _, ok := number(name); !ok {
			return false
		}
	}
	return len(o.Named) > 0
}

// headings is a line that may be the header.
type headings struct {
	first, next int // which lines of the preview it takes
	comma       rune
	layout      *Layout
	missing     error
	enough      bool
}

// better reports whether h is more likely the header than another, earlier one.
func (h *headings) better(other *headings) bool {
	switch {
	case other == nil:
		return true
	case h.enough != other.enough:
		return h.enough
	case h.layout.named != other.layout.named:
		return h.layout.named > other.layout.named
	default:
		return h.first == other.first && len(h.layout.head) > len(other.layout.head)
	}
}

// delimiters are those that are tried, with the commonest first.
func delimiters() []rune { return []rune{',', ';', '\t', '|'} }

// header finds the line near the start whose cells are the names of columns.
func (r *Reader) header(commas []rune) *headings {
	var best *headings
	for _, comma := range commas {
		split := newSplitter(comma)
		for i := 0; r.lines.look(i); i++ {
			if r.lines.ahead[i].Long || r.lines.ahead[i].Blank() {
				continue
			}
			cells, next := r.preview(split, i)
			if cells == nil {
				continue
			}
			h := &headings{first: i, next: next, comma: comma}
			h.layout, h.missing = r.opts.layout(slices.Clone(cells))
			h.enough = h.layout.named > 0 && (r.opts.Enough == nil || r.opts.Enough(h.layout.Has))
			if h.better(best) {
				best = h
			}
		}
	}
	return best
}

// preview splits the record that begins in a line of the preview. next is the line after it.
func (r *Reader) preview(split *splitter, i int) (cells []string, next int) {
	text := utf8Text(r.lines.ahead[i].Text)
	for next = i + 1; ; next++ {
		if cells, err := split.cells(text); err == nil {
			return cells, next
		}
		if !open(text) || next-i > maxBreaks || !r.lines.look(next) || r.lines.ahead[next].Long {
			return nil, next
		}
		text = joined(text, utf8Text(r.lines.ahead[next].Text))
	}
}

// width is how many cells most lines near the start have, and the delimiter that makes them the most.
func (r *Reader) width(commas []rune) (comma rune, width int) {
	for _, c := range commas {
		split, counts := newSplitter(c), map[int]int{}
		usual := 0
		for i := 0; r.lines.look(i); i++ {
			if r.lines.ahead[i].Long || r.lines.ahead[i].Blank() {
				continue
			}
			if cells, err := split.cells(utf8Text(r.lines.ahead[i].Text)); err == nil {
				n := len(cells)
				if counts[n]++; usual == 0 || counts[n] > counts[usual] {
					usual = n
				}
			}
		}
		if usual > width {
			comma, width = c, usual
		}
	}
	return comma, width
}
