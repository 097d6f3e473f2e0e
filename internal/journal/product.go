package journal

import (
	"context"

	"recarga/topup"
)

// ProductFilter checks what somebody wants the orders of: a product of the catalogue, or one that left it, of which
// list has an order still. field is how the product is called there; any other one is a *topup.FieldError.
func ProductFilter(
	ctx context.Context, c topup.Catalog, list func(context.Context, Filter) ([]topup.Order, string, error),
	caller, field, product string,
) error {
	if _, sold := c.Product(product); sold || product == "" {
		return nil
	}
	if _, err := topup.ParseProductID(product); err == nil {
		orders, _, err := list(ctx, Filter{Caller: caller, Product: product, Limit: 1})
		if err != nil || len(orders) > 0 {
			return err
		}
	}
	return &topup.FieldError{Field: field, Value: product, Allowed: "a product of the catalogue, or of an order"}
}
