package topup

import "fmt"

// Product is one row of a Catalog: something that the distributor sells.
type Product struct {
	ID          string `json:"product_id"`  // as the distributor names it: ParseProductID
	Description string `json:"description"` // for people
	Operator    string `json:"operator"`    // the carrier's name
	// Min and Max are the same for a product of a fixed price.
	Min      Amount `json:"min_amount"` // above zero
	Max      Amount `json:"max_amount"` // at least Min
	Currency string `json:"currency"`   // always topup.Currency
}

// Fixed reports whether the product has one price only.
func (p Product) Fixed() bool { return p.Min == p.Max }

// Sells reports whether the product can be bought for amount.
func (p Product) Sells(amount Amount) bool { return p.Min <= amount && amount <= p.Max }

// Prices says in words what the product can be bought for.
func (p Product) Prices() string {
	if p.Fixed() {
		return fmt.Sprintf("exactly %s MXN for %s", p.Min, p.ID)
	}
	return fmt.Sprintf("%s to %s MXN for %s", p.Min, p.Max, p.ID)
}
