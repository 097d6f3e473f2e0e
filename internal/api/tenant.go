package api

import (
	"crypto/rand"
	"encoding/json"
	"net/url"
	"time"

	"recarga/internal/api/keys"
	"recarga/internal/journal/search"
	"recarga/internal/seal"
	"recarga/topup"
)

// shown is an order or an event as an identity may see it.
func shown[T interface{ ForCaller() T }](who keys.Identity, what T) T {
	if who.SeesAll() {
		return what
	}
	return what.ForCaller()
}

// shownPage is shown for the orders of a page.
func shownPage(who keys.Identity, orders []topup.Order, next *string) orderPage {
	page := orderPage{Data: make([]topup.Order, len(orders)), NextCursor: next}
	for i, o := range orders {
		page.Data[i] = shown(who, o)
	}
	return page
}

// cursors seals what the book of record calls a place in a list: it has times and row numbers in it, from which one
// tenant could count the orders of the others. A sealed one opens only for the list that it was made of: of the same
// caller, with the same filter.
type cursors struct{ box *seal.Box }

// newCursors seals with a box, or where there is none with a key of this process alone.
func newCursors(box *seal.Box) cursors {
	if !box.Ready() {
		box = seal.New(rand.Text())
	}
	return cursors{box}
}

const cursorPurpose = "recarga cursor"

// seal returns nil for the end of a list.
func (c cursors) seal(list, place string) *string {
	if place == "" {
		return nil
	}
	return new(c.box.SealText(cursorPurpose, []byte(place), list))
}

// open returns the place, empty for the beginning. Its error is a *topup.FieldError.
func (c cursors) open(list, cursor string) (place string, err error) {
	if cursor == "" {
		return "", nil
	}
	plain, err := c.box.OpenText(cursorPurpose, cursor, list)
	if err != nil {
		allowed := "the next_cursor of an earlier page of the same list: with the same key and the same filter"
		return "", &topup.FieldError{Field: "cursor", Value: cursor, Allowed: allowed}
	}
	return string(plain), nil
}

// listOfOrders names the list that a filter chooses, whatever its pages. Its times count as they were asked for: "1h"
// is another time on every page.
func listOfOrders(f search.Filter, query url.Values) string {
	f.Limit, f.Cursor, f.Since, f.Until = 0, "", time.Time{}, time.Time{}
	name, _ := json.Marshal([]any{f, query.Get("since"), query.Get("until")}) // it has texts alone
	return "orders " + string(name)
}

// listOfEvents names the list that a filter chooses, whatever its pages.
func listOfEvents(f topup.EventFilter) string {
	f.Limit, f.Cursor = 0, ""
	name, _ := json.Marshal(f) // it has texts and times alone
	return "events " + string(name)
}
