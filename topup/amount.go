package topup

import (
	"encoding/json"
	"strconv"

	"github.com/shopspring/decimal"
)

// Amount is a sum of Mexican pesos, counted in centavos, so that it is exact. Zero is no amount.
type Amount int64

// Currency of every order: the distributor's amounts are in MXN.
const Currency = "MXN"

const amountAllowed = "a number of MXN with at most 2 decimals"

// maxAmountText bounds what is parsed at all: a decimal such as 1e999999999 costs memory to compare.
// It is the length of the longest Amount, -92233720368547758.08, so that every Amount reads back.
const maxAmountText = 21

// Pesos is n MXN.
func Pesos(n int64) Amount { return Amount(n * 100) }

// ParseAmount reads a decimal number of MXN exactly, or returns a *FieldError.
func ParseAmount(s string) (Amount, error) {
	refused := &FieldError{Field: FieldAmount, Value: s, Allowed: amountAllowed}
	if len(s) == 0 || len(s) > maxAmountText {
		return 0, refused
	}
	d, err := decimal.NewFromString(s)
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
	var n json.Number
	if len(data) > 0 && data[0] == '"' {
		return &FieldError{Field: FieldAmount, Value: string(data), Allowed: amountAllowed}
	}
	if err := json.Unmarshal(data, &n); err != nil {
		return &FieldError{Field: FieldAmount, Value: string(data), Allowed: amountAllowed}
	}
	parsed, err := ParseAmount(n.String())
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
