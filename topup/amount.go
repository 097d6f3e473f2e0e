package topup

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"
)

// Amount is a sum of Mexican pesos, counted in centavos, so that it is exact. Zero is no amount.
type Amount int64

// Currency of every order: the distributor's amounts are in MXN.
const Currency = "MXN"

const (
	amountAllowed = "a number of MXN with at most 2 decimals"
	priceAllowed  = amountAllowed + ", above zero"
)

// maxAmountText bounds what is parsed at all: a decimal such as 1e999999999 costs memory to compare.
const maxAmountText = 64

// Pesos is n MXN.
func Pesos(n int64) Amount { return Amount(n * 100) }

// DecimalMark is what amounts write before their decimals.
type DecimalMark byte

// The decimal marks. MarkAny is the one that can be meant; an amount that could mean either is refused.
const (
	MarkAny   DecimalMark = 0
	MarkPoint DecimalMark = '.'
	MarkComma DecimalMark = ','
)

// ParseAmount reads an amount of MXN exactly as people and spreadsheets write it (10, 10.50, 10,50, $1,234.50, 10
// MXN), or returns a *FieldError. What could be read in two ways is refused, as 1,234 is. It is not for JSON, whose
// numbers have one meaning: see UnmarshalJSON.
func ParseAmount(s string) (Amount, error) { return ParseAmountMark(s, MarkAny) }

// ParseAmountMark is ParseAmount where the decimal mark is known.
func ParseAmountMark(s string, mark DecimalMark) (Amount, error) {
	a, cause := readAmount(plainAmount(s), mark)
	if cause != "" {
		return 0, &FieldError{Field: FieldAmount, Value: s, Allowed: amountAllowed, Cause: cause}
	}
	return a, nil
}

var (
	// money is digits with the marks between them, and the currency before or behind.
	money = regexp.MustCompile(`^(?:(?:MXN|MX|MEX)? ?\$|MXN)? ?([0-9][0-9.,' ]*?) ?(?:MXN|MN|M\.N\.|PESOS?)?$`)
	// spaced has blanks or apostrophes, which can only be marks of thousands.
	spaced = regexp.MustCompile(`^[0-9]{1,3}(?:( [0-9]{3})+|('[0-9]{3})+)([.,][0-9]*)?$`)
	// scientific is a number with an exponent, as spreadsheets write large ones.
	scientific = regexp.MustCompile(`^[+-]?[0-9.,]+E[+-]?[0-9]+$`)
)

// plainAmount is the text in capitals, with plain blanks and quotes, and without what cannot be seen.
func plainAmount(s string) string {
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

// readAmount reads what plainAmount has made, or returns the cause why it does not.
func readAmount(s string, mark DecimalMark) (a Amount, cause string) {
	const notOne, both = "write it as in 10 or 10.50", "it could be read in two ways; write it as in 1000 or 10.50"
	found := money.FindStringSubmatch(s)
	switch {
	case len(s) > maxAmountText:
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
	if i := strings.LastIndexByte(text, byte(point)); point != MarkAny {
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
	return Amount(centavos), ""
}

// decimalMark is the mark before the decimals of a number, MarkAny where it has none; not ok where that cannot be
// known.
func decimalMark(text string, mark DecimalMark) (point DecimalMark, ok bool) {
	if mark != MarkAny {
		at := strings.IndexByte(text, byte(mark))
		switch {
		case at < 0:
			return MarkAny, true
		case strings.LastIndexAny(text, ".,") > at:
			return MarkAny, false
		}
		return mark, true
	}
	i := strings.LastIndexAny(text, ".,")
	if i < 0 {
		return MarkAny, true
	}
	switch {
	case strings.Count(text, text[i:i+1]) > 1: // 1.234.567
		return MarkAny, true
	case !strings.ContainsAny(text[:i], ".,") && len(text)-i-1 == 3: // 1,234
		return MarkAny, false
	}
	return DecimalMark(text[i]), true
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

// parsePrice reads an amount that something can cost.
func parsePrice(s string) (Amount, error) {
	a, err := ParseAmount(s)
	if err == nil && a <= 0 {
		return 0, &FieldError{Field: FieldAmount, Value: s, Allowed: priceAllowed}
	}
	return a, err
}

// amountOfJSON reads a JSON value, which must be a number, exactly.
func amountOfJSON(value string) (Amount, error) {
	refused := &FieldError{Field: FieldAmount, Value: value, Allowed: "a JSON number of MXN with at most 2 decimals"}
	if value == "" || value[0] != '-' && (value[0] < '0' || value[0] > '9') || len(value) > maxAmountText {
		return 0, refused
	}
	d, err := decimal.NewFromString(value)
	if err != nil || d.Exponent() < -maxAmountText || d.Exponent() > maxAmountText {
		return 0, refused
	}
	centavos := d.Shift(2)
	if !centavos.IsInteger() || !centavos.BigInt().IsInt64() {
		return 0, refused
	}
	return Amount(centavos.IntPart()), nil
}

// String is the amount in MXN, as in "10" or "10.50".
func (a Amount) String() string {
	if a%100 == 0 {
		return strconv.FormatInt(int64(a/100), 10)
	}
	return decimal.New(int64(a), -2).StringFixed(2)
}

// MarshalJSON writes the amount as a JSON number of MXN.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON reads a JSON number of MXN exactly; a JSON string is refused.
func (a *Amount) UnmarshalJSON(data []byte) error {
	parsed, err := amountOfJSON(string(data))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
