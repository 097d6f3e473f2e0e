package terminal

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Screen is where something is written, and what is known of it. One with a Writer only is no terminal: nothing is
// fitted to it, and nothing coloured.
type Screen struct {
	io.Writer
	// Width and Height are in characters; 0 where they are not known.
	Width, Height int
	// Colours: it shows them, and its user wants them.
	Colours bool
	// mark is the output's, for escape sequences of our own.
	mark string
}

// Screen is the terminal as it is now: its user may change its size.
func (o *Output) Screen() Screen {
	s := Screen{Writer: o}
	f, ok := o.to.(*os.File)
	if !ok || !o.IsTerminal() {
		return s
	}
	if width, height, err := term.GetSize(int(f.Fd())); err == nil {
		s.Width, s.Height = width, height
	}
	s.Colours, s.mark = o.colours, o.mark
	return s
}

const (
	// columnGap is between two columns.
	columnGap = 2
	// leastColumn is how narrow a column is made at most.
	leastColumn = 8
)

// Table writes rows in columns, and colours the one named STATE. Where the terminal is too narrow, it leaves out the
// spare columns, one after the other, and then breaks the cells of the widest one.
func (s Screen) Table(head []string, rows [][]string, spare ...string) error {
	lines := [][]string{slices.Clone(head)}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = Printable(cell)
		}
		lines = append(lines, cells)
	}
	for _, name := range spare {
		if s.fits(widthsOf(lines)) {
			break
		}
		column := slices.Index(lines[0], name)
		for i := range lines {
			lines[i] = slices.Delete(lines[i], column, column+1)
		}
	}
	widths := s.narrow(widthsOf(lines))
	states := slices.Index(lines[0], "STATE")
	var b strings.Builder
	for _, cells := range lines {
		s.row(&b, cells, widths, states)
	}
	_, err := io.WriteString(s, b.String())
	return err
}

func widthsOf(lines [][]string) []int {
	widths := make([]int, len(lines[0]))
	for _, cells := range lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func (s Screen) fits(widths []int) bool {
	total := columnGap * (len(widths) - 1)
	for _, width := range widths {
		total += width
	}
	return s.Width == 0 || total <= s.Width
}

func (s Screen) narrow(widths []int) []int {
	for !s.fits(widths) {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= leastColumn {
			break
		}
		widths[widest]--
	}
	return widths
}

// row writes the cells of a row, and below them what is left of those that are broken.
func (s Screen) row(b *strings.Builder, cells []string, widths []int, states int) {
	broken, height := make([][]string, len(cells)), 0
	for i, cell := range cells {
		broken[i] = wrap(cell, widths[i])
		height = max(height, len(broken[i]))
	}
	for n := range height {
		var line strings.Builder
		for i, parts := range broken {
			part := ""
			if n < len(parts) {
				part = parts[n]
			}
			shown := part
			if i == states {
				shown = s.Coloured(cells[i], part)
			}
			fmt.Fprintf(&line, "%s%*s", shown, widths[i]-utf8.RuneCountInString(part)+columnGap, "")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// Hanging breaks a text that begins in a column, on a terminal.
func (s Screen) Hanging(text string, column int) string {
	if s.Width-column < leastColumn {
		return text
	}
	return strings.Join(wrap(text, s.Width-column), "\n"+strings.Repeat(" ", column))
}

// wrap breaks a text at spaces, where it has any.
func wrap(text string, width int) (lines []string) {
	left := []rune(text)
	for len(left) > width {
		end := width
		for i := width; i > 0; i-- {
			if left[i] == ' ' {
				end = i
				break
			}
		}
		lines = append(lines, strings.TrimRight(string(left[:end]), " "))
		left = []rune(strings.TrimLeft(string(left[end:]), " "))
	}
	return append(lines, string(left))
}

// The colours of a terminal.
const red, green, yellow = 31, 32, 33

var colours = map[string]int{
	"succeeded": green, "failed": red, "unknown": yellow, // states of orders
	"ok": green, "fail": red, "warn": yellow, // results of checks
}

// Coloured is a text in the colour of the state or result that is written: STATE, or STATE/REASON.
func (s Screen) Coloured(written, text string) string {
	name, _, _ := strings.Cut(written, "/")
	return s.paint(colours[name], text)
}

// paint colours a text, on a terminal that wants colours; 0 is its own.
func (s Screen) paint(colour int, text string) string {
	if !s.Colours || colour == 0 || text == "" {
		return text
	}
	return fmt.Sprintf("%s%s%s", s.control("[%dm", colour), text, s.control("[0m"))
}

// control is an escape sequence of our own.
func (s Screen) control(format string, args ...any) string {
	return escape + s.mark + fmt.Sprintf(format, args...)
}

// Redraw draws a text over the whole screen, as far as it fits: each line over the former one, and then the rest is
// cleared. Clearing all of it first would flicker.
func (s Screen) Redraw(text string) error {
	lines := strings.SplitAfter(text, "\n")
	if s.Height > 0 { // a line more would scroll the head away
		lines = lines[:min(len(lines), s.Height-1)]
	}
	_, err := io.WriteString(s,
		s.control("[H")+strings.ReplaceAll(strings.Join(lines, ""), "\n", s.control("[K")+"\n")+s.control("[J"))
	return err
}

// Over goes back so many lines, so that what follows is drawn over them.
func (s Screen) Over(lines int) string {
	if lines == 0 {
		return ""
	}
	return s.control("[%dA", lines) + s.control("[J")
}
