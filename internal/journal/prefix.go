package journal

import (
	"context"
	"fmt"

	"recarga/topup"
)

// A caller may have a prefix: its orders' ids begin with it, and nobody else's. What inserts an order looks that up
// itself, so that no way around it and no cache that is behind lets one in. No prefix is the beginning of another, so
// the only one that an id can have is the last that is not after it, which one step in the index of prefixes finds.
var (
	sqlPrefixOf = sqls.Get("prefix_of")
	// sqlLockPrefixes waits for whoever gives a prefix in another process, so that what follows sees it.
	sqlLockPrefixes = sqls.Get("lock_prefixes")
	// sqlPrefixClash is who has a prefix that begins with $1, or that $1 begins with.
	sqlPrefixClash = sqls.Get("prefix_clash")
	sqlLastKey     = sqls.Get("last_key")
	// sqlForeignOrders counts the orders of others whose ids begin with $1; all characters of an id come before the last
	// of $2.
	sqlForeignOrders = sqls.Get("foreign_orders")
	// sqlForeignSince is that of the orders since a key, which it finds by the key.
	sqlForeignSince = sqls.Get("foreign_since")
)

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
func (j *Journal) unusedPrefix(ctx context.Context, c topup.Caller) (prefixGiven, error) {
	given := prefixGiven{prefix: c.IDPrefix, caller: c.Name}
	if _, err := topup.ParseIDPrefix(c.IDPrefix); err != nil {
		return given, err
	}
	last, err := j.number(ctx, sqlLastKey)
	if err != nil {
		return given, err
	}
	given.since = last - inFlight
	foreign, err := j.number(ctx, sqlForeignOrders, given.args()...)
	if err != nil {
		return given, err
	}
	return given, given.refuse(foreign)
}

// givePrefix refuses a prefix that stands against another, or that orders of others have begun with since.
func (t *tx) givePrefix(given prefixGiven) error {
	if given.prefix == "" {
		return nil
	}
	if _, err := t.Exec(sqlLockPrefixes); err != nil {
		return err
	}
	other, err := t.text(sqlPrefixClash, given.prefix, given.caller)
	if err != nil {
		return err
	}
	if other != "" {
		return &topup.FieldError{
			Field: topup.FieldIDPrefix, Value: given.prefix,
			Allowed: "one that does not begin with another caller's prefix, and that no other begins with",
			Cause:   "it is too near to that of " + other,
		}
	}
	foreign, err := t.number(sqlForeignSince, append(given.args(), given.since)...)
	if err != nil {
		return err
	}
	return given.refuse(foreign)
}

// wrongPrefix says why an order was not inserted that no other has the id of.
func (t *tx) wrongPrefix(id topup.ID, caller string) error {
	own, err := t.text(sqlPrefixOf, caller)
	if err != nil {
		return err
	}
	allowed := "an id that begins otherwise: this beginning is reserved"
	if own != "" {
		allowed = fmt.Sprintf("an id that begins with %q, as all of this caller's do", own)
	}
	return &topup.FieldError{Field: topup.FieldID, Value: string(id), Allowed: allowed}
}
