package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"recarga/internal/doctor"
	"recarga/topup"
)

// terminal is where a command's output is shown. The zero value is no terminal: nothing is fitted to it,
// and nothing coloured.
type terminal struct {
	// width and height are 0 where they are not known.
	width, height int
	colour        bool
	// mark is the output's, for escape sequences of our own.
	mark string
}

func (p *program) terminal() (t terminal) {
	if !isTerminal(p.stdout) {
		return t
	}
	if width, height, err := term.GetSize(int(p.stdout.file().Fd())); err == nil {
		t.width, t.height = width, height
	}
	t.mark = p.stdout.mark
	t.colour = p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb"
	return t
}

const (
	// columnGap is between two columns.
	columnGap = 2
	// leastColumn is how narrow a column is made at most.
	leastColumn = 8
)

// table writes rows in columns. Where the terminal is too narrow, it leaves out the spare columns, one
// after the other, and then breaks the cells of the widest one.
func (t terminal) table(w io.Writer, head []string, rows [][]string, spare ...string) error {
	lines := [][]string{slices.Clone(head)}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		lines = append(lines, cells)
	}
	for _, name := range spare {
		if t.fits(widthsOf(lines)) {
			break
		}
		column := slices.Index(lines[0], name)
		for i := range lines {
			lines[i] = slices.Delete(lines[i], column, column+1)
		}
	}
	widths := t.narrow(widthsOf(lines))
	states := slices.Index(lines[0], "STATE")
	var b strings.Builder
	for _, cells := range lines {
		t.row(&b, cells, widths, states)
	}
	_, err := io.WriteString(w, b.String())
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

func (t terminal) fits(widths []int) bool {
	total := columnGap * (len(widths) - 1)
	for _, width := range widths {
		total += width
	}
	return t.width == 0 || total <= t.width
}

func (t terminal) narrow(widths []int) []int {
	for !t.fits(widths) {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= leastColumn {
			break
		}
		widths[widest]--
	}
	return widths
}

// row writes the cells of a row, and below them what is left of those that are broken.
func (t terminal) row(b *strings.Builder, cells []string, widths []int, states int) {
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
				shown = t.state(cells[i], part)
			}
			fmt.Fprintf(&line, "%s%*s", shown, widths[i]-utf8.RuneCountInString(part)+columnGap, "")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// hanging breaks a text that begins in a column, on a terminal.
func (t terminal) hanging(text string, column int) string {
	if t.width-column < leastColumn {
		return text
	}
	return strings.Join(wrap(text, t.width-column), "\n"+strings.Repeat(" ", column))
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

func colourOf(s doctor.Status) int {
	switch s {
	case doctor.Fail:
		return red
	case doctor.Warn:
		return yellow
	default:
		return green
	}
}

// state colours a text by the state that is written as stateOf does.
func (t terminal) state(written, text string) string {
	name, _, _ := strings.Cut(written, "/")
	switch topup.State(name) {
	case topup.StateSucceeded:
		return t.paint(green, text)
	case topup.StateFailed:
		return t.paint(red, text)
	case topup.StateUnknown:
		return t.paint(yellow, text)
	default:
		return text
	}
}

// paint colours a text, on a terminal that wants colours.
func (t terminal) paint(colour int, text string) string {
	if !t.colour || text == "" {
		return text
	}
	return fmt.Sprintf("%s%s%s", t.control("[%dm", colour), text, t.control("[0m"))
}

// control is an escape sequence of our own.
func (t terminal) control(format string, args ...any) string {
	return escape + t.mark + fmt.Sprintf(format, args...)
}
