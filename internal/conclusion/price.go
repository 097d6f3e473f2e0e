package conclusion

import (
	"slices"

	"recarga/topup"
)

// price is what a peso costs, in millionths of a unit of the balance.
type price struct{ least, most int64 }

const (
	unit = 1_000_000
	// agreement is how far prices may be apart to be the same: an exchange rate moves, and a debit is rounded.
	agreement = unit / 25
	// enough prices are an estimate.
	enough = 2
)

// priceOf estimates the price from sales one after the other; where they do not tell, it is one unit a peso, as in the
// distributor's document.
func priceOf(sales []Sale) price {
	var seen []int64
	for i := 1; i < len(sales); i++ {
		before, s := sales[i-1], sales[i]
		if fell := before.Balance - s.Balance; !s.From.Before(before.Until) && fell > 0 && s.Amount > 0 {
			seen = append(seen, int64(fell)*unit/int64(s.Amount))
		}
	}
	slices.Sort(seen)
	if len(seen) < enough {
		return price{unit, unit}
	}
	middle := seen[len(seen)/2]
	near := slices.DeleteFunc(seen, func(p int64) bool { return max(p-middle, middle-p) > middle*agreement/unit })
	if len(near) < enough || near[0] == unit && near[len(near)-1] == unit {
		return price{unit, unit}
	}
	margin := middle / 100 // the next step of the rate
	return price{near[0] - margin, near[len(near)-1] + margin}
}

// explains reports whether the balance falls by so much when so many pesos are charged. At one unit a peso it does so
// exactly; else each debit may be rounded.
func (p price) explains(fell, pesos topup.Amount) bool {
	rounded := topup.Amount(0)
	if p.least != p.most && pesos > 0 {
		rounded = 2
	}
	least, most := int64(pesos)*p.least/unit, int64(pesos)*p.most/unit
	return int64(fell+rounded) >= least && int64(fell-rounded) <= most
}
