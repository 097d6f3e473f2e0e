package topup

import (
	"log/slog"
	"strings"
)

// Phone is a Mexican phone number of 10 digits, without country code.
//
// Printing or logging a Phone shows its last four digits only; Digits gives the number itself.
type Phone string

const phoneAllowed = "a Mexican number of 10 digits, the first 2-9, not one of the non-geographic 300, 500, 800, 888, 900; " +
	"separators, +52, 52 and 521 before it are removed"

// nonGeographic are the prefixes of Mexico's numbering plan that never belong to a mobile line.
var nonGeographic = []string{"300", "500", "800", "888", "900"}

// ParsePhone returns the 10 digits of s, or a *FieldError. Separators (space, hyphen, dot,
// parentheses) are removed, and so is the country code: +52, 52 where 12 digits are given, and the
// older mobile form 521 where 13 are.
func ParsePhone(s string) (Phone, error) {
	refused := &FieldError{Field: FieldPhone, Value: s, Allowed: phoneAllowed}
	digits, international := strings.CutPrefix(phoneSeparators.Replace(strings.TrimSpace(s)), "+")
	if strings.Trim(digits, "0123456789") != "" {
		return "", refused
	}
	switch {
	case len(digits) == 12 && strings.HasPrefix(digits, "52"):
		digits = digits[2:]
	case len(digits) == 13 && strings.HasPrefix(digits, "521"):
		digits = digits[3:]
	case international:
		return "", refused
	}
	if len(digits) != 10 || digits[0] < '2' {
		return "", refused
	}
	for _, prefix := range nonGeographic {
		if strings.HasPrefix(digits, prefix) {
			return "", refused
		}
	}
	return Phone(digits), nil
}

var phoneSeparators = strings.NewReplacer(" ", "", "\u00a0", "", "-", "", ".", "", "(", "", ")", "")

// Digits is the whole number, for the distributor and for the caller who gave it.
func (p Phone) Digits() string { return string(p) }

// String masks all but the last four digits, so that no log line or error leaks a number by accident.
func (p Phone) String() string { return MaskPhone(string(p)) }

// LogValue masks like String.
func (p Phone) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MaskPhone hides all but the last four digits of any text that should be a phone number.
func MaskPhone(s string) string {
	if len(s) <= 4 {
		return strings.Repeat("*", len(s))
	}
	return strings.Repeat("*", len(s)-4) + s[len(s)-4:]
}
