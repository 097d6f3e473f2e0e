package topup

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"recarga/internal/clip"
)

// Catalog says what can be bought, and for how much. It never changes; a process is given one at its start. The
// zero Catalog sells nothing. The one of the distributor's document is the DefaultCatalog.
//
// It judges new orders only. An order that was accepted keeps the price that it was accepted for: it is bought, tried
// again, repeated and shown whatever becomes of its product.
type Catalog struct {
	products []Product
	byID     map[string]int
	// any product is sold, for any amount.
	any     bool
	lenient bool
}

// MaxProducts bounds a Catalog.
const MaxProducts = 1000

// NewCatalog is a catalogue of these products, in their order. The error joins one *FieldError for each value that
// is not allowed; Product.Check says what is.
func NewCatalog(products []Product) (Catalog, error) {
	var errs []error
	seen := map[string]bool{}
	if len(products) == 0 || len(products) > MaxProducts {
		errs = append(errs, fmt.Errorf("%d products; must be 1 to %d", len(products), MaxProducts))
	}
	for _, p := range products {
		if err := p.Check(); err != nil {
			errs = append(errs, fmt.Errorf("product %q: %w", clip.Marked(p.ID, maxShown), err))
		}
		if seen[p.ID] {
			errs = append(errs, &FieldError{Field: FieldProduct, Value: p.ID, Allowed: "given once"})
		}
		seen[p.ID] = true
	}
	if err := errors.Join(errs...); err != nil {
		return Catalog{}, err
	}
	return catalogOf(slices.Clone(products)), nil
}

// catalogOf is the catalogue of valid products.
func catalogOf(products []Product) Catalog {
	c := Catalog{products: products, byID: make(map[string]int, len(products))}
	for i, p := range products {
		c.byID[p.ID] = i
	}
	return c
}

// Equal reports whether both sell the same.
func (c Catalog) Equal(other Catalog) bool {
	return c.any == other.any && slices.Equal(c.products, other.products)
}

// AnyProduct is the catalogue of whoever leaves the judgement to another: a client of the API, or a reader of orders
// that may have been accepted before. It sells any product for any amount, and lists none.
func AnyProduct() Catalog { return Catalog{any: true} }

// Lenient has Request and ParseRequest accept what c does not sell: it may be the repeat of an order that was accepted
// while it was sold, which only the book of record knows. Of a request that is refused anyway all mistakes are said.
func (c Catalog) Lenient() Catalog {
	c.lenient = true
	return c
}

// Products is a copy of all products, in the catalogue's order.
func (c Catalog) Products() []Product { return slices.Clone(c.products) }

// Product finds a product; ok is false when the catalogue has none of that id.
func (c Catalog) Product(id string) (p Product, ok bool) {
	i, ok := c.byID[id]
	if !ok {
		return Product{}, false
	}
	return c.products[i], true
}

// Check returns nil if a new order of r's product and amount can be placed, or a *FieldError that says what is
// allowed.
func (c Catalog) Check(r Request) error {
	p, known := c.Product(r.Product)
	switch {
	case c.any || known && p.Sells(r.Amount):
		return nil
	case !known:
		return &FieldError{Field: FieldProduct, Value: r.Product, Allowed: c.allowed()}
	default:
		return &FieldError{Field: FieldAmount, Value: r.Amount.String(), Allowed: p.Prices()}
	}
}

// parseProduct names the products rather than the form of an id.
func (c Catalog) parseProduct(s string) (string, error) {
	id, err := ParseProductID(s)
	if err != nil && !c.any {
		return "", &FieldError{Field: FieldProduct, Value: s, Allowed: c.allowed()}
	}
	return id, err
}

// judge adds what Check has against a request of which both fields are readable, with the amount as it was given.
func (c Catalog) judge(errs *errorList, r Request, amount string) {
	var wrong *FieldError
	if c.lenient && len(*errs) == 0 || errs.has(FieldProduct) || !errors.As(c.Check(r), &wrong) ||
		errs.has(wrong.Field) {
		return
	}
	if wrong.Field == FieldAmount {
		wrong.Value = amount
	}
	errs.add(wrong)
}

// allowed names the products, if they are few: an error is no catalogue.
func (c Catalog) allowed() string {
	const few = 20
	if len(c.products) > few {
		return fmt.Sprintf("one of the %d products of GET /v1/products", len(c.products))
	}
	ids := make([]string, len(c.products))
	for i, p := range c.products {
		ids[i] = p.ID
	}
	return "one of " + strings.Join(ids, ", ")
}

// The fields of a product, beside FieldProduct, as the API and a file of products have them.
const (
	FieldDescription = "description"
	FieldMinAmount   = "min_amount"
	FieldMaxAmount   = "max_amount"
)

const maxDescription = 200

// namePattern is what a product's id and a caller's name look like.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const nameAllowed = "1 to 64 characters of A-Z a-z 0-9 . _ -, the first a letter or digit"

// Check returns nil if a catalogue may have the product. The error joins one *FieldError for each wrong field.
func (p Product) Check() error {
	var errs errorList
	check(&errs, ParseProductID, p.ID)
	if utf8.RuneCountInString(p.Description) > maxDescription || !utf8.ValidString(p.Description) ||
		strings.ContainsFunc(p.Description, unicode.IsControl) {
		allowed := fmt.Sprintf("one line of at most %d characters", maxDescription)
		errs.add(&FieldError{Field: FieldDescription, Value: p.Description, Allowed: allowed})
	}
	check(&errs, parseOperator, p.Operator)
	if p.Min <= 0 {
		errs.add(&FieldError{Field: FieldMinAmount, Value: p.Min.String(), Allowed: priceAllowed})
	}
	if p.Max < p.Min {
		allowed := "at least min_amount, which is " + p.Min.String()
		errs.add(&FieldError{Field: FieldMaxAmount, Value: p.Max.String(), Allowed: allowed})
	}
	if p.Currency != Currency {
		errs.add(&FieldError{Field: "currency", Value: p.Currency, Allowed: Currency})
	}
	return errors.Join(errs...)
}

// ParseProductID reads what can be a product's id, whether or not a catalogue has it, or returns a *FieldError.
func ParseProductID(s string) (string, error) {
	return matching(FieldProduct, s, namePattern, nameAllowed)
}
