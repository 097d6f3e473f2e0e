package table

import "recarga/topup"

// Decimal is how amounts write their decimals.
type Decimal string

// The decimal marks. DecimalAuto takes the one that can be meant, and refuses what could be either.
const (
	DecimalAuto  Decimal = ""
	DecimalPoint Decimal = "point"
	DecimalComma Decimal = "comma"
)

// MoneyAllowed says what Amount takes.
const MoneyAllowed = `an amount of MXN such as 10, 10.50 or 1,234.50, not negative, with at most 2 decimals that are not 0; ` +
	`one that could be read in two ways, such as 1,234, needs decimal=point or decimal=comma`

// Amount reads an amount of MXN as topup.ParseAmountMark does.
func (d Decimal) Amount(s string) (topup.Amount, error) {
	mark := map[Decimal]topup.DecimalMark{DecimalPoint: topup.MarkPoint, DecimalComma: topup.MarkComma}[d]
	return topup.ParseAmountMark(s, mark)
}
