// Package bulk applies one action to many orders or events: exactly to those that were shown to the person who
// confirmed it.
//
// A [Set] is made from a filter, which must choose something: an empty filter, for example one that was lost on the
// way, is refused and never means everything. The confirmation carries the fingerprints of the set. They are compared
// with those of the set that the same filter chooses when it is confirmed.
package bulk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"recarga/internal/journal/search"
	"recarga/topup"
)

const (
	// Most is how many one action is done to.
	Most = 100_000
	// atOnce are acted on side by side, so that they share the journal's commits.
	atOnce = 16
	// pageLength is how many are read at once.
	pageLength = 500
	// fingerprintLength is in bytes. That one of a million others looks like one of Most has a chance of 1 in 10⁸.
	fingerprintLength = 8
)

// Orders lists orders: the journal.
type Orders interface {
	List(ctx context.Context, f search.Filter) ([]topup.Order, string, error)
}

// Events lists events: the journal.
type Events interface {
	Events(ctx context.Context, f topup.EventFilter) ([]topup.Event, string, error)
}

// Member is an order or an event of a set.
type Member struct {
	// ID is the order's or the event's.
	ID string `json:"id"`
	// Order is the event's order, or the order itself.
	Order topup.ID `json:"order"`
	// Attempt is the number of the order's latest attempt; 0 for an event.
	Attempt int `json:"attempt,omitempty"`
	// Shown is the fingerprint of the member as it was shown.
	Shown []byte `json:"shown"`
	// caller is whose it is, and amount what an order buys.
	caller string
	amount topup.Amount
}

// Set is what a filter chose, the newest first. The zero Set is empty.
type Set struct{ members []Member }

// ChooseOrders reads the orders that an action would be done to. Errors: a *topup.FieldError where the filter does
// not name a state that the action is for, or where it chooses more than Most.
func ChooseOrders(ctx context.Context, book Orders, action topup.BulkKind, f search.Filter) (Set, error) {
	states := statesOf(action)
	if !slices.Contains(states, f.State) {
		return Set{}, &topup.FieldError{Field: "state", Value: string(f.State), Allowed: allowedStates(action, states)}
	}
	f.Limit, f.Cursor = pageLength, ""
	return collect(func() ([]Member, bool, error) {
		orders, next, err := book.List(ctx, f)
		members := make([]Member, len(orders))
		for i, o := range orders {
			members[i] = orderMember(action, o)
		}
		f.Cursor = next
		return members, next != "", err
	})
}

// statesOf are the states of the orders that an action is for.
func statesOf(action topup.BulkKind) []topup.State {
	if action == topup.BulkCancel {
		return []topup.State{topup.StateQueued, topup.StateRetrying}
	}
	return []topup.State{topup.StateUnknown}
}

func allowedStates(action topup.BulkKind, states []topup.State) string {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = string(s)
	}
	return fmt.Sprintf("%s: only such orders can be chosen to %s all of them", strings.Join(names, " or "), action)
}

// ChooseEvents reads the events that a filter chooses. Errors: a *topup.FieldError where the filter is empty, or
// where it chooses more than Most.
func ChooseEvents(ctx context.Context, book Events, f topup.EventFilter) (Set, error) {
	f.Limit, f.Cursor = 0, ""
	if f == (topup.EventFilter{}) {
		allowed := "given, by state or another of its parts: no filter does not mean everything"
		return Set{}, &topup.FieldError{Field: "filter", Allowed: allowed}
	}
	f.Limit = pageLength
	return collect(func() ([]Member, bool, error) {
		events, next, err := book.Events(ctx, f)
		members := make([]Member, len(events))
		for i, ev := range events {
			members[i] = eventMember(ev)
		}
		f.Cursor = next
		return members, next != "", err
	})
}

func collect(page func() (members []Member, more bool, err error)) (s Set, err error) {
	for more := true; more; {
		var members []Member
		if members, more, err = page(); err != nil {
			return Set{}, err
		}
		s.members = append(s.members, members...)
		if len(s.members) > Most {
			return Set{}, &topup.FieldError{
				Field: "filter", Value: fmt.Sprintf("more than %d", Most),
				Allowed: fmt.Sprintf("narrower: at most %d are done at once; choose by since and until", Most),
			}
		}
	}
	return s, nil
}

func orderMember(action topup.BulkKind, o topup.Order) Member {
	return Member{ID: string(o.ID), Order: o.ID, Attempt: o.AttemptCount, Shown: []byte(orderFingerprint(action, o)),
		caller: o.Caller, amount: o.Amount}
}

func eventMember(ev topup.Event) Member {
	return Member{ID: ev.ID, Order: ev.OrderID, Shown: []byte(eventFingerprint(ev)), caller: ev.Caller}
}

// orderFingerprint changes with the order. For a cancellation it does not: another attempt that has proved to move
// no money changes nothing of what is meant, and orders that are tried again and again could never be canceled.
func orderFingerprint(action topup.BulkKind, o topup.Order) string {
	if action == topup.BulkCancel {
		return fingerprint(o.ID)
	}
	return fingerprint(o.ID, o.UpdatedAt.UnixNano(), o.AttemptCount)
}

func eventFingerprint(ev topup.Event) string {
	changed := ev.CreatedAt
	if n := len(ev.Tries); n > 0 {
		changed = ev.Tries[n-1].At
	}
	return fingerprint(ev.ID, ev.State, changed.UnixNano(), ev.TryCount)
}

// fingerprint is of parts that have no line breaks.
func fingerprint(parts ...any) string {
	sum := sha256.Sum256([]byte(fmt.Sprintln(parts...)))
	return string(sum[:fingerprintLength])
}

// pages are the members as the book keeps them.
func (s Set) pages() (pages []string, err error) {
	for some := range slices.Chunk(s.members, perPage) {
		text, err := json.Marshal(some)
		if err != nil {
			return nil, err
		}
		pages = append(pages, string(text))
	}
	return pages, nil
}

// Amount is what the orders of the set buy, all together.
func (s Set) Amount() (sum topup.Amount) {
	for _, m := range s.members {
		sum += m.amount
	}
	return sum
}

// Count is how many members the set has.
func (s Set) Count() int { return len(s.members) }

// CallerCount is how many members of a set are a caller's.
type CallerCount struct {
	// Caller is its name, and Count how many members it has.
	Caller string
	Count  int
}

// Callers are those of the members, the one with the most first.
func (s Set) Callers() []CallerCount {
	count := map[string]int{}
	for _, m := range s.members {
		count[m.caller]++
	}
	var all []CallerCount
	for _, caller := range slices.Sorted(maps.Keys(count)) {
		all = append(all, CallerCount{caller, count[caller]})
	}
	slices.SortStableFunc(all, func(a, b CallerCount) int { return b.Count - a.Count })
	return all
}

// Fingerprints stand for the members as they now are, in any order.
func (s Set) Fingerprints() []byte {
	var b []byte
	for _, m := range s.members {
		b = append(b, m.Shown...)
	}
	return b
}

// New counts the members that are not among the fingerprints of an earlier set: those that have come since, or have
// changed.
func (s Set) New(fingerprints []byte) (count int) {
	known := map[string]bool{}
	for one := range slices.Chunk(fingerprints, fingerprintLength) {
		known[string(one)] = true
	}
	for _, m := range s.members {
		if !known[string(m.Shown)] {
			count++
		}
	}
	return count
}

// Each does something to each member, and says what came of it, from several goroutines. It ends early only with ctx.
func (s Set) Each(ctx context.Context, do func(context.Context, Member) error, said func(Member, error)) error {
	var all errgroup.Group
	all.SetLimit(atOnce)
	for _, m := range s.members {
		if ctx.Err() != nil {
			break
		}
		all.Go(func() error {
			said(m, do(ctx, m))
			return nil
		})
	}
	_ = all.Wait() // none fails: said has been given the errors
	return ctx.Err()
}

// Digest stands for the members as they now are: another set, or one of whose members has changed, has another one.
func (s Set) Digest() string {
	all := make([]string, len(s.members))
	for i, m := range s.members {
		all[i] = string(m.Shown)
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, "")))
	return hex.EncodeToString(sum[:12])
}

// Named reads the orders or events of these ids. Errors: a *topup.FieldError for one that there is not, or that the
// action is not for.
func Named(ctx context.Context, book Book, action topup.BulkKind, ids []string) (s Set, err error) {
	if len(ids) > Most {
		return s, &topup.FieldError{Field: "id", Allowed: fmt.Sprintf("at most %d", Most)}
	}
	for _, id := range ids {
		m, err := named(ctx, book, action, id)
		if errors.Is(err, topup.ErrNotFound) {
			err = &topup.FieldError{Field: "id", Value: id, Allowed: "one that there is"}
		}
		if err != nil {
			return Set{}, err
		}
		s.members = append(s.members, m)
	}
	return s, nil
}

func named(ctx context.Context, book Book, action topup.BulkKind, id string) (Member, error) {
	if action == topup.BulkRedeliver {
		ev, err := book.Event(ctx, id)
		return eventMember(ev), err
	}
	o, err := book.Order(ctx, topup.ID(id))
	if states := statesOf(action); err == nil && !slices.Contains(states, o.State) {
		err = &topup.FieldError{Field: "id", Value: id + ", " + string(o.State), Allowed: allowedStates(action, states)}
	}
	return orderMember(action, o), err
}
