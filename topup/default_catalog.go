// Code generated from internal/catalog/products.yaml by go generate ./internal/catalog. DO NOT EDIT.

package topup

// DefaultCatalog is the catalogue of the distributor's document.
func DefaultCatalog() Catalog {
	return catalogOf([]Product{
		{ID: "MOVISTAR_TAE", Description: "Traditional Airtime", Operator: "MOVISTAR", Min: 1000, Max: 500000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_16", Description: "Paquete $30", Operator: "MOVISTAR", Min: 3000, Max: 3000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_17", Description: "Paquete $50", Operator: "MOVISTAR", Min: 5000, Max: 5000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_18", Description: "Paquete $70", Operator: "MOVISTAR", Min: 7000, Max: 7000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_19", Description: "Paquete $90", Operator: "MOVISTAR", Min: 9000, Max: 9000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_20", Description: "Paquete $110", Operator: "MOVISTAR", Min: 11000, Max: 11000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_21", Description: "Paquete $150", Operator: "MOVISTAR", Min: 15000, Max: 15000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_22", Description: "Paquete $210", Operator: "MOVISTAR", Min: 21000, Max: 21000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_23", Description: "Paquete $320", Operator: "MOVISTAR", Min: 32000, Max: 32000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_24", Description: "Paquete $400", Operator: "MOVISTAR", Min: 40000, Max: 40000, Currency: Currency},
		{ID: "MOVISTAR_PAQUETE_25", Description: "Paquete $420", Operator: "MOVISTAR", Min: 42000, Max: 42000, Currency: Currency},
	})
}
