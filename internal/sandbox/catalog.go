package sandbox

import (
	_ "embed" // the products
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

//go:embed products.yaml
var productsFile []byte

// documented is the document's "Products".
func documented() Products {
	products, err := ReadProducts(productsFile)
	if err != nil {
		panic(err) // a mistake in this program, which every start finds
	}
	return products
}

// sells reports whether amount is one the product can be bought for: in range, and of whole centavos.
func (p product) sells(amount decimal.Decimal) bool {
	return amount.Cmp(p.least) >= 0 && amount.Cmp(p.most) <= 0 && amount.Equal(amount.Truncate(2))
}

// refusals are the HTTP statuses and the error texts of the response codes other than 00. The texts are the
// descriptions of the document's "Response Codes", but for 51, which its example of an error response words
// differently.
var refusals = map[string]struct {
	status int
	text   string
}{
	"05": {http.StatusBadRequest, "Not authorized"},
	"12": {http.StatusBadRequest, "Invalid transaction"},
	"13": {http.StatusBadRequest, "Invalid amount"},
	"14": {http.StatusBadRequest, "Invalid package"},
	"51": {http.StatusPaymentRequired, "Insufficient balance"},
	"83": {http.StatusBadRequest, "Invalid phone number"},
	"91": {http.StatusInternalServerError, "Issuer not available"},
	"96": {http.StatusInternalServerError, "System error"},
}
