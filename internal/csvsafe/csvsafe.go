// Package csvsafe keeps spreadsheets from running a text of our CSV files as a formula.
package csvsafe

import (
	"strings"
	"unicode/utf8"
)

// Harmless makes a text of what a spreadsheet would take for a formula, and run: with a quote in front, as
// OWASP's "CSV Injection" says. The wide characters are taken for the others in Japanese.
func Harmless(cell string) string {
	if first, _ := utf8.DecodeRuneInString(cell); cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}

// Row is each of its cells Harmless.
func Row(cells []string) []string {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = Harmless(cell)
	}
	return safe
}
