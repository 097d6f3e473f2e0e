package topup

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Phone is a Mexican phone number of 10 digits, without country code.
//
// Printing or logging a Phone shows its last four digits only; Digits gives the number itself.
type Phone string

const phoneAllowed = "a Mexican number of 10 digits, the first 2-9, " +
	"not one of the non-geographic 300, 500, 800, 888, 900; separators, +52, 52 and 521 before it are removed"

// nonGeographic are the prefixes of Mexico's numbering plan that never belong to a mobile line.
var nonGeographic = []string{"300", "500", "800", "888", "900"}

// ParsePhone returns the 10 digits of s, or a *FieldError that says what is wrong with it. Removed are the country
// code (+52, 52 where 12 digits are given, and the older mobile form 521 where 13 are) and what people and programs
// write between digits: spaces, hyphens, parentheses, and characters that cannot be seen (Unicode's Cf). A dot is
// removed only where people write one, as in 55.3768.6660: anywhere else it is the decimal point of a spreadsheet,
// which took the number for an amount and may have lost a digit of it.
func ParsePhone(s string) (Phone, error) {
	text, digits := strings.TrimSpace(s), ""
	w, cause := readPhone(text)
	if cause == "" {
		digits, cause = w.number()
	}
	switch {
	case cause == "":
		return Phone(digits), nil
	case text == "":
		cause = ""
	default:
		cause = spreadsheetCause(text, cause)
	}
	return "", &FieldError{Field: FieldPhone, Value: s, Allowed: phoneAllowed, Cause: cause}
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
		return "", "it has " + counted(len(all), "digit")
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

// Digits is the whole number, for the distributor and for the caller who gave it.
func (p Phone) Digits() string { return string(p) }

// String masks all but the last four digits, so that no log line or error leaks a number by accident.
func (p Phone) String() string { return MaskPhone(string(p)) }

// LogValue masks like String.
func (p Phone) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MaskPhone hides all but the last four characters of any text that should be a phone number.
func MaskPhone(s string) string {
	const shown = 4
	runes := []rune(s)
	if len(runes) <= shown {
		return strings.Repeat("*", len(runes))
	}
	return strings.Repeat("*", len(runes)-shown) + string(runes[len(runes)-shown:])
}

// phoneLike is ten digits or more, with the separators that phone numbers are written with; not with
// dots, since an error without its IP address is of no use.
var phoneLike = regexp.MustCompile(`\+?(?:[0-9][ ()-]{0,2}){9,}[0-9]`)

// MaskPhones masks whatever may be a phone number in a text.
func MaskPhones(text string) string { return phoneLike.ReplaceAllStringFunc(text, MaskPhone) }
