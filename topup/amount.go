package topup

import (
	"strconv"

	"github.com/shopspring/decimal"

	"recarga/internal/written"
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
	MarkAny   = DecimalMark(written.AnyMark)
	MarkPoint = DecimalMark('.')
	MarkComma = DecimalMark(',')
)

// ParseAmount reads an amount of MXN exactly as people and spreadsheets write it (10, 10.50, 10,50, $1,234.50, 10
// MXN), or returns a *FieldError. What could be read in two ways is refused, as 1,234 is. It is not for JSON, whose
// numbers have one meaning: see UnmarshalJSON.
func ParseAmount(s string) (Amount, error) { return ParseAmountMark(s, MarkAny) }

// ParseAmountMark is ParseAmount where the decimal mark is known.
func ParseAmountMark(s string, mark DecimalMark) (Amount, error) {
	centavos, cause := written.Amount(s, byte(mark))
	if cause != "" {
		return 0, &FieldError{Field: FieldAmount, Value: s, Allowed: amountAllowed, Cause: cause}
	}
	return Amount(centavos), nil
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
