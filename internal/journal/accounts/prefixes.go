package accounts

import (
	"context"
	"fmt"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// A caller may have a prefix: its orders' ids begin with it, and nobody else's. What inserts an order looks that up
// itself, so that no way around it and no cache that is behind lets one in. No prefix is the beginning of another, so
// the only one that an id can have is the last that is not after it, which one step in the index of prefixes finds.

// inFlight is how many orders before the last one may not have been visible yet when the others were counted.
const inFlight = 10_000

// prefixGiven is a prefix that a caller is to get; the zero value is none.
type prefixGiven struct {
	prefix string // that the ids of its orders begin with
	caller string // who gets it
	// since is the key of the first order that was not looked at.
	since int64
}

func (p prefixGiven) args() []any { return []any{p.prefix, p.prefix + "~", p.caller} }

// refuse says how many orders of others stand against it.
func (p prefixGiven) refuse(foreign int64) error {
	if foreign == 0 {
		return nil
	}
	return &topup.FieldError{
		Field: topup.FieldIDPrefix, Value: p.prefix,
		Allowed: fmt.Sprintf("one that the ids of no other caller's orders begin with; those of %d do", foreign),
	}
}

// unusedPrefix looks through all orders, outside of the transaction that would keep every writer waiting.
func (s *Store) unusedPrefix(ctx context.Context, c topup.Caller) (prefixGiven, error) {
	given := prefixGiven{prefix: c.IDPrefix, caller: c.Name}
	if _, err := topup.ParseIDPrefix(c.IDPrefix); err != nil {
		return given, err
	}
	last, err := s.db.Number(ctx, sqls.Get("last_key"))
	if err != nil {
		return given, err
	}
	given.since = last - inFlight
	foreign, err := s.db.Number(ctx, sqls.Get("foreign_orders"), given.args()...)
	if err != nil {
		return given, err
	}
	return given, given.refuse(foreign)
}

// givePrefix refuses a prefix that stands against another, or that orders of others have begun with since.
func givePrefix(t *tables.Tx, given prefixGiven) error {
	if given.prefix == "" {
		return nil
	}
	if _, err := t.Exec(sqls.Get("lock_prefixes")); err != nil {
		return err
	}
	var other string
	clash, err := t.Row(func(row tables.Scanner) error { return row.Scan(&other) }, sqls.Get("prefix_clash"),
		given.prefix, given.caller)
	if err != nil {
		return err
	}
	if clash {
		return &topup.FieldError{
			Field: topup.FieldIDPrefix, Value: given.prefix,
			Allowed: "one that does not begin with another caller's prefix, and that no other begins with",
			Cause:   "it is too near to that of " + other,
		}
	}
	foreign, err := t.Number(sqls.Get("foreign_since"), append(given.args(), given.since)...)
	if err != nil {
		return err
	}
	return given.refuse(foreign)
}
