// Package written reads phone numbers and amounts of money as people and spreadsheets write them.
package written

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// nonGeographic are the prefixes of Mexico's numbering plan that never belong to a mobile line.
var nonGeographic = []string{"300", "500", "800", "888", "900"}

// Phone returns the 10 digits of a Mexican phone number, or the cause why it is none; empty where nothing is written.
func Phone(s string) (digits, cause string) {
	text := strings.TrimSpace(s)
	w, cause := readPhone(text)
	if cause == "" {
		digits, cause = w.number()
	}
	switch {
	case cause == "":
		return digits, ""
	case text == "":
		return "", ""
	}
	return "", spreadsheetCause(text, cause)
}

var (
	// shortened is how a spreadsheet writes a large number: 5.53769E+09.
	shortened = regexp.MustCompile(`^[0-9]+([.,][0-9]*)?[eE][+-]?[0-9]+$`)
	// calculated is a number with decimals, or with marks of thousands.
	calculated = regexp.MustCompile(`^([0-9]+(\.[0-9]*|,[0-9]{0,4})|[0-9]{1,3}([.,][0-9]{3})+([.,][0-9]*)?)$`)
)

// spreadsheetCause is the likely cause of a refused number, if a spreadsheet wrote it, or else the given one.
func spreadsheetCause(s, cause string) string {
	const asText = "a spreadsheet wrote it as a number; format the column as text"
	switch {
	case shortened.MatchString(s):
		return "its digits are lost: " + asText
	case calculated.MatchString(s):
		return asText
	}
	return cause
}

// writtenPhone is a phone number as it is written.
type writtenPhone struct {
	// groups are its digits, as separators divide them.
	groups []string
	// plus is in front of them; dots are among the separators.
	plus, dots bool
}

// readPhone divides a text into its digits and separators, or returns the cause why it is no phone number.
func readPhone(s string) (w writtenPhone, cause string) {
	if !utf8.ValidString(s) {
		return w, "it is not UTF-8"
	}
	var group []byte
	last := rune(0) // before this one, without spaces, parentheses and what cannot be seen
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Cf, r):
			continue
		case '0' <= r && r <= '9':
			group = append(group, byte(r))
			last = r
			continue
		}
		if len(group) > 0 {
			w.groups, group = append(w.groups, string(group)), nil
		}
		if unicode.Is(unicode.Zs, r) || r == '\t' || r == '(' || r == ')' {
			continue
		}
		if cause := w.separate(r, last); cause != "" {
			return w, cause
		}
		last = r
	}
	if len(group) > 0 {
		w.groups = append(w.groups, string(group))
	}
	if last == '.' || hyphen(last) {
		return w, fmt.Sprintf("it ends with %s", named(last))
	}
	return w, ""
}

// separate takes a character between digits that comes after last, and not each may.
func (w *writtenPhone) separate(r, last rune) (cause string) {
	switch {
	case r == '+' && len(w.groups) == 0 && !w.plus:
		w.plus = true
	case hyphen(r) && len(w.groups) == 0:
		return fmt.Sprintf("it begins with %s", named(r))
	case hyphen(r):
	case r == '.' && len(w.groups) > 0 && last != '.':
		w.dots = true
	default:
		return fmt.Sprintf("%s is in it", named(r))
	}
	return ""
}

// hyphen reports whether r is a hyphen, a dash or a minus.
func hyphen(r rune) bool { return unicode.Is(unicode.Pd, r) || r == '\u2212' || r == '\u2043' }

// named is a character as a message has it: also one that cannot be seen, or that looks like another.
func named(r rune) string { return fmt.Sprintf("%q (%U)", r, r) }

// number is the national number, or the cause why there is none.
func (w writtenPhone) number() (digits, cause string) {
	all := strings.Join(w.groups, "")
	code := 0
	switch {
	case len(all) == 12 && strings.HasPrefix(all, "52"):
		code = 2
	case len(all) == 13 && strings.HasPrefix(all, "521"):
		code = 3
	case all == "":
		return "", "it has no digits"
	case w.plus:
		return "", "a number with + must begin with +52 and have 10 digits behind it"
	case strings.HasPrefix(all, "044"), strings.HasPrefix(all, "045"), strings.HasPrefix(all, "01"),
		strings.HasPrefix(all, "00"):
		return "", "the prefixes 00, 01, 044 and 045 are not part of a number; leave them out"
	case len(all) != 10:
		return "", "it has " + counted(len(all))
	}
	digits = all[code:]
	switch {
	case code > 0 && !w.plus && !w.divided(2) && !w.divided(code) && w.divided(10):
		return "", "what comes behind its first 10 digits may be an extension; write +52 if it is not"
	case w.dots && !w.pointed(code):
		return "", "dots may only divide it as in 55.3768.6660, 553.768.6660 or 55.37.68.66.60"
	case digits[0] < '2':
		return "", fmt.Sprintf("it begins with %c", digits[0])
	case slices.Contains(nonGeographic, digits[:3]):
		return "", fmt.Sprintf("it begins with %s", digits[:3])
	}
	return digits, ""
}

// divided reports whether a separator comes behind the first n digits.
func (w writtenPhone) divided(n int) bool {
	for _, g := range w.groups {
		n -= len(g)
		if n <= 0 {
			break
		}
	}
	return n == 0
}

// pointed reports whether the groups behind a country code of so many digits are such as people divide by dots.
func (w writtenPhone) pointed(code int) bool {
	var shape []string
	for _, g := range w.groups {
		rest := max(0, len(g)-code)
		code = max(0, code-len(g))
		if rest > 0 {
			shape = append(shape, fmt.Sprint(rest))
		}
	}
	return slices.Contains([]string{"2 4 4", "3 3 4", "2 2 2 2 2"}, strings.Join(shape, " "))
}

func counted(digits int) string {
	if digits == 1 {
		return "1 digit"
	}
	return fmt.Sprintf("%d digits", digits)
}
