package sandbox

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/shopspring/decimal"
	"go.yaml.in/yaml/v3"
)

// product is one row of the document's "Products". A package has one price: its least and its most are the same.
type product struct{ least, most decimal.Decimal }

// Products are what a sandbox sells, by id.
type Products map[string]product

// ReadProducts reads what is sold from a file of the form that RECARGA_CATALOG names. It is a reading of its own, so
// that it and Recarga's can disagree; what may be in such a file Recarga judges.
func ReadProducts(file []byte) (Products, error) {
	var list struct {
		// Products have either a price or both ends of a range; all else of the file is Recarga's.
		Products []struct {
			ID    string    `yaml:"product_id"`
			Price yaml.Node `yaml:"price"` // nodes keep a number as it is written
			Least yaml.Node `yaml:"min_amount"`
			Most  yaml.Node `yaml:"max_amount"`
		} `yaml:"products"`
	}
	if err := yaml.Unmarshal(file, &list); err != nil {
		return nil, err
	}
	products := Products{}
	for _, p := range list.Products {
		least, most := p.Least, p.Most
		if !p.Price.IsZero() {
			least, most = p.Price, p.Price
		}
		low, lowErr := decimal.NewFromString(least.Value)
		high, highErr := decimal.NewFromString(most.Value)
		if err := errors.Join(lowErr, highErr); err != nil {
			return nil, fmt.Errorf("product %q: %w", p.ID, err)
		}
		products[p.ID] = product{low, high}
	}
	return products, nil
}

// documented is the document's "Products", amounts in MXN.
func documented() Products {
	products := Products{
		"MOVISTAR_TAE": {decimal.NewFromInt(10), decimal.NewFromInt(5000)},
	}
	for id, price := range map[string]int64{
		"MOVISTAR_PAQUETE_16": 30,
		"MOVISTAR_PAQUETE_17": 50,
		"MOVISTAR_PAQUETE_18": 70,
		"MOVISTAR_PAQUETE_19": 90,
		"MOVISTAR_PAQUETE_20": 110,
		"MOVISTAR_PAQUETE_21": 150,
		"MOVISTAR_PAQUETE_22": 210,
		"MOVISTAR_PAQUETE_23": 320,
		"MOVISTAR_PAQUETE_24": 400,
		"MOVISTAR_PAQUETE_25": 420,
	} {
		products[id] = product{decimal.NewFromInt(price), decimal.NewFromInt(price)}
	}
	return products
}

// sells reports whether amount is one the product can be bought for: in range, and of whole centavos.
func (p product) sells(amount decimal.Decimal) bool {
	return amount.Cmp(p.least) >= 0 && amount.Cmp(p.most) <= 0 && amount.Equal(amount.Truncate(2))
}

// refusal is the HTTP status and the error text of a response code other than 00. The texts are the descriptions of
// the document's "Response Codes", but for 51, which its example of an error response words differently.
func refusal(code string) (status int, text string) {
	switch code {
	case "05":
		return http.StatusBadRequest, "Not authorized"
	case "12":
		return http.StatusBadRequest, "Invalid transaction"
	case "13":
		return http.StatusBadRequest, "Invalid amount"
	case "14":
		return http.StatusBadRequest, "Invalid package"
	case "51":
		return http.StatusPaymentRequired, "Insufficient balance"
	case "83":
		return http.StatusBadRequest, "Invalid phone number"
	case "91":
		return http.StatusInternalServerError, "Issuer not available"
	default:
		return http.StatusInternalServerError, "System error"
	}
}
