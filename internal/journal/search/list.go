package search

import (
	"strings"
	"time"

	"recarga/internal/journal/tables"
	"recarga/internal/sqlfile"
	"recarga/topup"
)

// words chooses a statement's words for an engine, as tables.DB does.
type words func(sqlfile.Engines) string

// listed is a list's statement, composed of whole sections of sql/list.sql, whose parameters have the same numbers in
// every list. TestPlans says which index each is planned by.
type listed []string

// where adds a section if it is asked for.
func (l *listed) where(asked bool, section string) {
	if asked {
		*l = append(*l, section)
	}
}

func (l listed) String() string { return strings.Join(l, "\n") }

// narrowEnd is the longest time of which the orders that ended in it are looked up by their end, and then sorted by
// their beginning: of a longer one they may be too many.
const narrowEnd = 6 * time.Hour

// narrow reports whether the orders ended in a short time.
func (f Filter) narrow() bool {
	return !f.FinishedSince.IsZero() && !f.FinishedUntil.IsZero() && f.FinishedUntil.Sub(f.FinishedSince) <= narrowEnd
}

// few reports whether an index leads to few orders: rare by its code, failed by its reason.
func (f Filter) few() (few, rare, failed bool) {
	few = f.State != "" && !f.State.Final() || f.Disputed || f.TransactionID != "" || f.Phone.Digits() != "" ||
		f.WaitsFor != "" || f.Metadata.Name != ""
	rare = f.Code != "" && f.Code != topup.CodeApproved && !few
	failed = f.Reason != "" && !few && !rare
	return few || rare || failed, rare, failed
}

// list is the statement of the filter's orders, but for its cursor and the latest time of creation, and without an
// order or an end.
func (f Filter) list(w words) listed {
	few, rare, failed := f.few()
	l := listed{sqls.Get("list_orders")}
	if f.labeled() {
		l = listed{sqls.Get("list_labeled")}
	}
	l.where(f.Metadata.Name != "" && !f.labeled(), sqls.Get("orders_with_label"))
	l.where(f.WaitsFor != "", sqls.Get("orders_waiting_for"))
	l.where(f.State != "" && !f.State.Final(), sqls.Get("open_orders"))
	l.where(f.Caller != "" && few, sqls.Get("few_orders_of_caller"))
	l.where(f.Caller != "" && !few, sqls.Get("orders_of_caller"))
	l.state(f.State, rare || failed || f.WaitsFor != "" || f.labeled())
	l.where(rare, sqls.Get("orders_of_rare_code"))
	l.where(f.Code == topup.CodeApproved, sqls.Get("orders_of_usual_code"))
	l.where(f.Code != "" && f.Code != topup.CodeApproved && !rare, sqls.Get("orders_of_code"))
	l.where(failed, sqls.Get("orders_failed_for"))
	l.where(f.Reason != "" && !failed, sqls.Get("orders_of_reason"))
	l.where(f.Disputed, sqls.Get("disputed_orders"))
	l.where(f.TransactionID != "", sqls.Get("orders_of_transaction"))
	l.where(f.Phone.Digits() != "", sqls.Get("orders_of_phone"))
	l.where(f.Product != "", sqls.Get("orders_of_product"))
	l.where(!f.Since.IsZero(), sqls.Get("orders_since"))
	narrow := f.narrow() && !few
	l.where(narrow, w(sqls.Engines("orders_finished_within")))
	l.where(!narrow && !f.FinishedSince.IsZero(), sqls.Get("orders_finished_since"))
	l.where(!narrow && !f.FinishedUntil.IsZero(), sqls.Get("orders_finished_until"))
	return l
}

// state adds the condition of a state; found: another index leads to the orders.
func (l *listed) state(s topup.State, found bool) {
	switch {
	case found && s != "":
		l.where(true, sqls.Get("found_in_state"))
	case s == topup.StateFailed:
		l.where(true, sqls.Get("failed_orders"))
	case s == topup.StateCanceled:
		l.where(true, sqls.Get("canceled_orders"))
	default:
		l.where(s != "", sqls.Get("orders_in_state"))
	}
}

// args are the parameters of every list of orders, in the order of their numbers.
func (f Filter) args(from tables.Place, limit int) []any {
	_, until := f.created()
	return []any{
		f.Caller, string(f.State), f.Phone.Digits(), f.Product, f.TransactionID, f.Since.UnixMicro(), until,
		f.FinishedSince.UnixMicro(), f.FinishedUntil.UnixMicro(), from.At, from.Key, limit, string(f.Code), string(f.Reason),
		f.Metadata.Name, f.Metadata.Value, string(f.WaitsFor),
	}
}

// newest is the statement of a page of the filter's orders, the newest first, that come before a place. It has no
// other condition for the latest time of creation: PostgreSQL would take the wider one of both for where to begin, and
// think that fewer orders meet both.
func (f Filter) newest(w words) string {
	if f.labeled() {
		return append(f.list(w), sqls.Get("labeled_before"), sqls.Get("newest_labeled")).String()
	}
	return append(f.list(w), sqls.Get("orders_before"), sqls.Get("newest_orders")).String()
}

// oldest is the statement of a page of the filter's orders, the oldest first, behind a place.
func (f Filter) oldest(w words) string {
	l := f.list(w)
	l.where(!f.Until.IsZero() || !f.FinishedUntil.IsZero(), sqls.Get("orders_until"))
	if f.labeled() {
		return append(l, sqls.Get("labeled_after"), sqls.Get("oldest_labeled")).String()
	}
	return append(l, sqls.Get("orders_after"), sqls.Get("oldest_orders")).String()
}

// labeled reports whether what callers noted leads to the orders: but where something else leads to few of them.
func (f Filter) labeled() bool {
	return f.Metadata.Name != "" && (f.State == "" || f.State.Final()) && !f.Disputed && f.TransactionID == "" &&
		f.Phone.Digits() == "" && f.WaitsFor == ""
}

// eventQuery is the statement of a page of the filter's events, and the parameters that it has beside the bounds of
// their ids.
func eventQuery(f topup.EventFilter, first, last []byte) (string, []any, error) {
	l := listed{sqls.Get("list_events")}
	switch f.State {
	case "":
	case topup.EventPending:
		l.where(true, sqls.Get("pending_events"))
	case topup.EventDelivered:
		l.where(true, sqls.Get("delivered_events"))
	case topup.EventExhausted:
		l.where(true, sqls.Get("exhausted_events"))
	case topup.EventKept:
		l.where(true, sqls.Get("kept_events"))
	default:
		return "", nil, &topup.FieldError{
			Field: "state", Value: string(f.State), Allowed: "one of pending, delivered, exhausted, kept",
		}
	}
	l.where(f.Endpoint == topup.DefaultEndpoint, sqls.Get("events_of_callback"))
	l.where(f.Endpoint != "" && f.Endpoint != topup.DefaultEndpoint, sqls.Get("events_of_endpoint"))
	l.where(f.Caller == topup.OperatorCaller, sqls.Get("operator_events"))
	l.where(f.Caller != "" && f.Caller != topup.OperatorCaller, sqls.Get("events_of_caller"))
	l.where(f.Type != "", sqls.Get("events_of_type"))
	args := []any{first, last, f.Limit + 1, f.Endpoint, f.Caller, string(f.Type)}
	return append(l, sqls.Get("newest_events")).String(), args, nil
}
