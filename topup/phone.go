package topup

import (
	"log/slog"
	"regexp"
	"strings"

	"recarga/internal/written"
)

// Phone is a Mexican phone number of 10 digits, without country code.
//
// Printing or logging a Phone shows its last four digits only; Digits gives the number itself.
type Phone string

const phoneAllowed = "a Mexican number of 10 digits, the first 2-9, " +
	"not one of the non-geographic 300, 500, 800, 888, 900; separators, +52, 52 and 521 before it are removed"

// ParsePhone returns the 10 digits of s, or a *FieldError that says what is wrong with it. Removed are the country
// code (+52, 52 where 12 digits are given, and the older mobile form 521 where 13 are) and what people and programs
// write between digits: spaces, hyphens, parentheses, and characters that cannot be seen (Unicode's Cf). A dot is
// removed only where people write one, as in 55.3768.6660: anywhere else it is the decimal point of a spreadsheet,
// which took the number for an amount and may have lost a digit of it.
func ParsePhone(s string) (Phone, error) {
	digits, cause := written.Phone(s)
	if digits == "" {
		return "", &FieldError{Field: FieldPhone, Value: s, Allowed: phoneAllowed, Cause: cause}
	}
	return Phone(digits), nil
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
