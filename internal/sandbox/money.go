package sandbox

import (
	"bytes"
	"fmt"

	"github.com/shopspring/decimal"
)

// maxExponent bounds the exponents that are read. "1e999999999" is eleven bytes of JSON and a gigabyte once it is
// added to something.
const maxExponent = 20

// Money is an exact decimal: pesos, units of the balance, or a rate between them. In JSON it is a number with two
// decimals, or with more where it has more; a JSON string is refused. The zero value is 0.00.
type Money struct{ decimal.Decimal }

// MarshalJSON writes 1000 as 1000.00.
func (m Money) MarshalJSON() ([]byte, error) {
	if m.Exponent() < -2 {
		return []byte(m.String()), nil
	}
	return []byte(m.StringFixed(2)), nil
}

// UnmarshalJSON reads a JSON number of a sane size and nothing else.
func (m *Money) UnmarshalJSON(raw []byte) error {
	if !isNumber(raw) {
		return fmt.Errorf("%s is not a number", raw)
	}
	d, err := decimal.NewFromString(string(raw))
	if err != nil {
		return err
	}
	if d.Exponent() > maxExponent || d.Exponent() < -maxExponent {
		return fmt.Errorf("%s is out of range", raw)
	}
	m.Decimal = d
	return nil
}

// isNumber distinguishes a number from the other kinds of a valid JSON value.
func isNumber(raw []byte) bool {
	return len(raw) > 0 && bytes.IndexByte([]byte("-0123456789"), raw[0]) >= 0
}
