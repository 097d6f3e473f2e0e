package table

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Decimal is how amounts write their decimals.
type Decimal string

// The decimal marks. DecimalAuto takes the one that can be meant, and refuses what could be either.
const (
	DecimalAuto  Decimal = ""
	DecimalPoint Decimal = "point"
	DecimalComma Decimal = "comma"
)

// MoneyAllowed says what Centavos takes.
const MoneyAllowed = `an amount of MXN such as 10, 10.50 or 1,234.50, not negative, with at most 2 decimals that are not 0; ` +
	`one that could be read in two ways, such as 1,234, needs decimal=point or decimal=comma`

var (
	// A number is its groups of digits with the marks between them.
	moneyPattern = regexp.MustCompile(`^(?:(?:MXN|MX|MEX)? ?\$|MXN)? ?([0-9][0-9.,' ]*?) ?(?:MXN|MN|M\.N\.|PESOS)?$`)
	// Blanks and apostrophes can mark groups of three only.
	spacedPattern = regexp.MustCompile(`^[0-9]{1,3}(?:( [0-9]{3})+|('[0-9]{3})+)([.,][0-9]*)?$`)
)

// Centavos reads an amount of MXN exactly, as people and spreadsheets write it, or not at all. It is the one reader of
// money in files.
func Centavos(s string, mark Decimal) (int64, bool) {
	found := moneyPattern.FindStringSubmatch(moneyText(s))
	if found == nil {
		return 0, false
	}
	text := found[1]
	if strings.ContainsAny(text, "' ") {
		if !spacedPattern.MatchString(text) {
			return 0, false
		}
		text = strings.NewReplacer("'", "", " ", "").Replace(text)
	}
	point, ok := decimalMark(text, mark)
	if !ok {
		return 0, false
	}
	whole, cents := text, ""
	if point != 0 {
		i := strings.LastIndexByte(text, point)
		whole, cents = text[:i], strings.TrimRight(text[i+1:], "0")
	}
	if whole, ok = ungrouped(whole); !ok || len(cents) > 2 || strings.Trim(cents, "0123456789") != "" {
		return 0, false
	}
	centavos, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	return centavos, err == nil
}

// moneyText is an amount in capitals, with plain blanks and quotes, and without letters that cannot be seen.
func moneyText(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		case r == '’':
			return '\''
		default:
			return unicode.ToUpper(r)
		}
	}, s))
}

// decimalMark is the mark before the decimals of a number, 0 where it has none; not ok where that
// cannot be known.
func decimalMark(text string, mark Decimal) (point byte, ok bool) {
	switch mark {
	case DecimalPoint, DecimalComma:
		point, other := byte('.'), byte(',')
		if mark == DecimalComma {
			point, other = other, point
		}
		at := strings.IndexByte(text, point)
		switch {
		case at < 0:
			return 0, true
		case strings.Count(text, string(point)) > 1, strings.LastIndexByte(text, other) > at:
			return 0, false
		}
		return point, true
	}
	i := strings.LastIndexAny(text, ".,")
	if i < 0 {
		return 0, true
	}
	last := text[i]
	single := strings.Count(text, string(last)) == 1
	mixed := strings.ContainsAny(text[:i], ".,")
	switch {
	case !single: // 1.234.567
		return 0, true
	case !mixed && len(text)-i-1 == 3: // 1,234
		return 0, false
	default:
		return last, true
	}
}

// ungrouped takes the marks out of 1,234,567, and refuses 12,34.
func ungrouped(s string) (string, bool) {
	groups := strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == ',' })
	if len(groups) == 0 || strings.Contains(s, ".") && strings.Contains(s, ",") || strings.Count(s, ".")+strings.Count(s, ",") != len(groups)-1 {
		return "", false
	}
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && len(g) > 3 {
			return "", false
		}
	}
	return strings.Join(groups, ""), true
}
