package table

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

const (
	// maxNotes bounds the notes that are kept, and maxNote the text of a line in one, in bytes.
	maxNotes = 20
	maxNote  = 80
)

// notes are the first of all that are made.
type notes struct {
	kept []string
	more int
}

func (n *notes) add(format string, args ...any) {
	if len(n.kept) == maxNotes {
		n.more++
		return
	}
	n.kept = append(n.kept, fmt.Sprintf(format, args...))
}

func (n *notes) list() []string {
	if n.more > 0 {
		return append(slices.Clone(n.kept), fmt.Sprintf("and %d more lines that are not rows", n.more))
	}
	return n.kept
}

func (r *Reader) noteEarly() {
	if n := len(r.early); n > 0 {
		r.notes.add("what stands before the header is not read: lines %d to %d", r.early[0].Number, r.early[n-1].Number)
	}
}

// aside says what a line is that is no row: empty where it may be one. It must be sure: a row that is passed over may
// be a charge. So a line of totals has nothing where a row has its ids, time or phone, and a footer has one cell,
// whose words no value of its column could be, or two that begin with a footer's word.
func (r *Reader) aside(cells []string) string {
	var filled []int
	for i, c := range cells {
		if c != "" {
			filled = append(filled, i)
		}
	}
	head := r.layout.head
	switch {
	case len(filled) == 0:
		return ""
	case !slices.ContainsFunc(filled, func(i int) bool { return strings.Trim(cells[i], "-=_*+|. ") != "" }):
		if slices.ContainsFunc(filled, func(i int) bool { return len(cells[i]) > 2 }) {
			return "a ruled line"
		}
		return ""
	case r.layout.named > 0 && slices.EqualFunc(cells, r.layout.plain,
		func(cell, header string) bool { return Plain(cell) == header }):
		return "the header again"
	case len(head) < 3:
		return ""
	}
	first := cells[filled[0]]
	switch {
	case isTotal(first) && (len(filled) <= 2 || r.sums(filled[1:])):
		return "a total"
	case len(filled) <= 2 && isFooter(first), len(filled) == 1 && r.isProse(filled[0], first):
		return "a footer"
	}
	return ""
}

// isTotal: "TOTAL", "Total:", "Total de ventas", "Importe total", and never the id TOTAL-1.
func isTotal(cell string) bool {
	return slices.ContainsFunc(strings.Fields(cell),
		func(word string) bool { return slices.Contains(Words("totals"), whole(word)) })
}

// whole is a word by itself, as Plain has it; empty for what is more, as an id may be.
func whole(word string) string {
	word = strings.Trim(word, ":=.,;()*")
	if strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) }) {
		return ""
	}
	return Plain(word)
}

// sums says that the cells are of columns that a line of totals has a value in, or that are not used.
func (r *Reader) sums(at []int) bool {
	return !slices.ContainsFunc(r.opts.Columns, func(c Column) bool {
		i, ok := r.layout.at[c.Name]
		return ok && !c.Total && slices.Contains(at, i)
	})
}

// isFooter: "Fin del reporte", "Registros: 2", "2 registros".
func isFooter(cell string) bool {
	words := strings.Fields(cell)
	if len(words) > 1 && strings.Trim(words[0], "0123456789") == "" {
		words = words[1:]
	}
	return slices.Contains(Words("footers"), whole(words[0]))
}

// isProse says several words that begin with a word, in a column whose values are never that.
func (r *Reader) isProse(i int, cell string) bool {
	words := strings.Fields(cell)
	if len(words) < 2 || len(whole(words[0])) < 2 {
		return false
	}
	return slices.ContainsFunc(r.opts.Columns, func(c Column) bool {
		at, ok := r.layout.at[c.Name]
		return ok && at == i && !c.Words
	})
}
