package search

import (
	"context"
	"errors"
	"fmt"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// findLimit bounds what Find returns: a phone number may have many orders.
const findLimit = 50

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
// the phone number; the newest first, 50 at most; an archived one only by its id. Each is looked up by an index.
// caller limits it to one caller's orders; empty: all.
func (r *Reader) Find(ctx context.Context, caller, name string) ([]topup.Order, error) {
	found := []topup.Order{}
	seen := map[topup.ID]bool{}
	add := func(o topup.Order) {
		if !seen[o.ID] && (caller == "" || o.Caller == caller) {
			seen[o.ID] = true
			found = append(found, o)
		}
	}
	switch o, err := r.Order(ctx, topup.ID(name)); {
	case err == nil:
		add(o)
	case !errors.Is(err, topup.ErrNotFound):
		return nil, fmt.Errorf("find: %w", err)
	}
	records, err := tables.List(ctx, r.db, tables.ScanOrder, sqls.Get("find"), name)
	if err != nil {
		return nil, fmt.Errorf("find: %w", err)
	}
	for _, one := range records {
		add(one.Order)
	}
	if phone, err := topup.ParsePhone(name); err == nil {
		orders, _, err := r.List(ctx, Filter{Caller: caller, Phone: phone, Limit: findLimit})
		if err != nil {
			return nil, fmt.Errorf("find: %w", err)
		}
		for _, o := range orders {
			add(o)
		}
	}
	return found[:min(len(found), findLimit)], nil
}
