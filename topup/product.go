package topup

import (
	"fmt"
	"slices"
	"strings"
)

// Product is one row of the distributor's catalogue (its document, section "Products").
type Product struct {
	ID          string `json:"product_id"`
	Description string `json:"description"`
	Operator    string `json:"operator"`
	// Min and Max are the same for a product of a fixed price.
	Min      Amount `json:"min_amount"`
	Max      Amount `json:"max_amount"`
	Currency string `json:"currency"`
}

var catalogue = []Product{
	movistar("MOVISTAR_TAE", "Traditional Airtime", 10, 5000),
	movistar("MOVISTAR_PAQUETE_16", "Paquete $30", 30, 30),
	movistar("MOVISTAR_PAQUETE_17", "Paquete $50", 50, 50),
	movistar("MOVISTAR_PAQUETE_18", "Paquete $70", 70, 70),
	movistar("MOVISTAR_PAQUETE_19", "Paquete $90", 90, 90),
	movistar("MOVISTAR_PAQUETE_20", "Paquete $110", 110, 110),
	movistar("MOVISTAR_PAQUETE_21", "Paquete $150", 150, 150),
	movistar("MOVISTAR_PAQUETE_22", "Paquete $210", 210, 210),
	movistar("MOVISTAR_PAQUETE_23", "Paquete $320", 320, 320),
	movistar("MOVISTAR_PAQUETE_24", "Paquete $400", 400, 400),
	movistar("MOVISTAR_PAQUETE_25", "Paquete $420", 420, 420),
}

func movistar(id, description string, low, high int64) Product {
	return Product{ID: id, Description: description, Operator: "MOVISTAR", Min: Pesos(low), Max: Pesos(high), Currency: Currency}
}

// Catalogue is a copy of all products, in the distributor's order.
func Catalogue() []Product { return slices.Clone(catalogue) }

// ProductByID finds a product; ok is false when the catalogue has none of that id.
func ProductByID(id string) (p Product, ok bool) {
	i := slices.IndexFunc(catalogue, func(p Product) bool { return p.ID == id })
	if i < 0 {
		return Product{}, false
	}
	return catalogue[i], true
}

// Fixed tells that the product has one price only.
func (p Product) Fixed() bool { return p.Min == p.Max }

// Sells tells whether the product can be bought for amount.
func (p Product) Sells(amount Amount) bool { return p.Min <= amount && amount <= p.Max }

// Prices says in words what the product can be bought for.
func (p Product) Prices() string {
	if p.Fixed() {
		return fmt.Sprintf("exactly %s MXN for %s", p.Min, p.ID)
	}
	return fmt.Sprintf("%s to %s MXN for %s", p.Min, p.Max, p.ID)
}

func productsAllowed() string {
	ids := make([]string, len(catalogue))
	for i, p := range catalogue {
		ids[i] = p.ID
	}
	return "one of " + strings.Join(ids, ", ")
}
