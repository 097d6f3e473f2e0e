package search

import (
	"context"
	"errors"
	"fmt"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

const (
	// shortestPart is what is looked for among ids, in characters.
	shortestPart = 2
	// searched are the newest orders, in whose ids a part is looked for that no id begins with.
	searched = 10_000
)

// FindPart returns orders whose ids begin with a text, at most so many, or else have it in them, which is looked for
// among the newest searched orders.
func (r *Reader) FindPart(ctx context.Context, part string, limit int) ([]topup.Order, error) {
	if _, err := topup.ParseID(part + "x"); err != nil || len(part) < shortestPart {
		return nil, nil // no id has it
	}
	records, err := tables.List(ctx, r.db, tables.ScanOrder, sqls.Get("find_prefix"), part, part+"~", limit)
	if err == nil && len(records) == 0 {
		records, err = tables.List(ctx, r.db, tables.ScanOrder, sqls.Get("find_part"), part, limit, searched)
	}
	orders := make([]topup.Order, len(records))
	for i, r := range records {
		orders[i] = r.Order
	}
	return orders, err
}

// Find returns the orders that a text names: by their id, the distributor's transaction id, its reference, or
// the phone number; the newest first, 50 at most; an archived one only by its id. It is one query, of which each part
// is looked up by an index. caller limits it to one caller's orders; empty: all.
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
