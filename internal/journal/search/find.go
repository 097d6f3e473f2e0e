package search

import (
	"context"
	"errors"
	"fmt"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Find returns the orders that a text names: by their id, the distributor's transaction id, its reference, or
// the phone number; the newest first, 50 at most; an archived one only by its id. It is one query, of which each part is
// looked up by an index. caller limits it to one caller's orders; empty: all.
func (r *Reader) Find(ctx context.Context, caller, name string) ([]topup.Order, error) {
	phone, err := topup.ParsePhone(name)
	if err != nil {
		phone = ""
	}
	records, err := tables.List(ctx, r.db, tables.ScanOrder, sqls.Get("find"), name, phone.Digits(), caller)
	if err != nil {
		return nil, fmt.Errorf("find: %w", err)
	}
	found := make([]topup.Order, len(records))
	for i, one := range records {
		found[i] = one.Order
	}
	if len(found) > 0 {
		return found, nil
	}
	switch o, err := r.Order(ctx, topup.ID(name)); {
	case errors.Is(err, topup.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("find: %w", err)
	case caller == "" || o.Caller == caller:
		found = append(found, o)
	}
	return found, nil
}
