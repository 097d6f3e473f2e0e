package written

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// AnyMark is a decimal mark that is not known: the one that can be meant.
const AnyMark byte = 0

// maxText is the length of the longest amount that is read.
const maxText = 64

var (
	// money is digits with the marks between them, and the currency before or behind.
	money = regexp.MustCompile(`^(?:(?:MXN|MX|MEX)? ?\$|MXN)? ?([0-9][0-9.,' ]*?) ?(?:MXN|MN|M\.N\.|PESOS?)?$`)
	// spaced has blanks or apostrophes, which can only be marks of thousands.
	spaced = regexp.MustCompile(`^[0-9]{1,3}(?:( [0-9]{3})+|('[0-9]{3})+)([.,][0-9]*)?$`)
	// scientific is a number with an exponent, as spreadsheets write large ones.
	scientific = regexp.MustCompile(`^[+-]?[0-9.,]+E[+-]?[0-9]+$`)
)

// plain is the text in capitals, with plain blanks and quotes, and without what cannot be seen.
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		case r == '\u2019':
			return '\''
		default:
			return unicode.ToUpper(r)
		}
	}, s))
}

// Amount reads an amount of Mexican pesos exactly, in centavos, or returns the cause why it is none, or could be read
// in two ways. mark is what stands before its decimals: '.', ',' or, where that is not known, AnyMark.
func Amount(s string, mark byte) (centavos int64, cause string) {
	const notOne, both = "write it as in 10 or 10.50", "it could be read in two ways; write it as in 1000 or 10.50"
	s = plain(s)
	found := money.FindStringSubmatch(s)
	switch {
	case len(s) > maxText:
		return 0, "it is too long"
	case scientific.MatchString(s):
		return 0, "a spreadsheet may have shortened it; " + notOne
	case found == nil:
		return 0, notOne
	}
	text := found[1]
	if strings.ContainsAny(text, "' ") {
		if !spaced.MatchString(text) {
			return 0, notOne
		}
		text = strings.NewReplacer("'", "", " ", "").Replace(text)
	}
	point, ok := decimalMark(text, mark)
	if !ok {
		return 0, both
	}
	whole, cents := text, ""
	if i := strings.LastIndexByte(text, point); point != AnyMark {
		whole, cents = text[:i], strings.TrimRight(text[i+1:], "0")
	}
	whole, ok = ungrouped(whole)
	switch {
	case !ok, strings.Trim(cents, "0123456789") != "":
		return 0, notOne
	case len(cents) > 2:
		return 0, "it has more than 2 decimals"
	}
	centavos, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	if err != nil {
		return 0, "it is too large"
	}
	return centavos, ""
}

// decimalMark is the mark before the decimals of a number, AnyMark where it has none; not ok where that cannot be
// known.
func decimalMark(text string, mark byte) (point byte, ok bool) {
	if mark != AnyMark {
		at := strings.IndexByte(text, mark)
		switch {
		case at < 0:
			return AnyMark, true
		case strings.LastIndexAny(text, ".,") > at:
			return AnyMark, false
		}
		return mark, true
	}
	i := strings.LastIndexAny(text, ".,")
	if i < 0 {
		return AnyMark, true
	}
	switch {
	case strings.Count(text, text[i:i+1]) > 1: // 1.234.567
		return AnyMark, true
	case !strings.ContainsAny(text[:i], ".,") && len(text)-i-1 == 3: // 1,234
		return AnyMark, false
	}
	return text[i], true
}

// ungrouped takes the marks out of 1,234,567, and refuses 12,34.
func ungrouped(s string) (string, bool) {
	if strings.Contains(s, ".") && strings.Contains(s, ",") {
		return "", false
	}
	groups := strings.Split(strings.ReplaceAll(s, ".", ","), ",")
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && (g == "" || len(groups) > 1 && len(g) > 3) {
			return "", false
		}
	}
	return strings.Join(groups, ""), true
}
