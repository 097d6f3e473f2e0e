package journal

import (
	"strings"

	"recarga/topup"
)

// listed is a list's statement. It is the only one that is composed: of whole sections of sql/list.sql, whose parameters
// have the same numbers in every list.
type listed []string

// where adds a section if it is asked for.
func (l *listed) where(asked bool, section string) {
	if asked {
		*l = append(*l, section)
	}
}

func (l listed) String() string { return strings.Join(l, "\n") }

var (
	sqlListOrders          = statement("list_orders")
	sqlOrdersOfCaller      = statement("orders_of_caller")
	sqlOpenOrdersOfCaller  = statement("open_orders_of_caller")
	sqlOrdersInState       = statement("orders_in_state")
	sqlOpenOrders          = statement("open_orders")
	sqlFailedOrders        = statement("failed_orders")
	sqlCanceledOrders      = statement("canceled_orders")
	sqlOrdersOfPhone       = statement("orders_of_phone")
	sqlOrdersOfProduct     = statement("orders_of_product")
	sqlOrdersOfTransaction = statement("orders_of_transaction")
	sqlDisputedOrders      = statement("disputed_orders")
	sqlUndisputedOrders    = statement("undisputed_orders")
	sqlOrdersSince         = statement("orders_since")
	sqlOrdersUntil         = statement("orders_until")
	sqlOrdersFinishedSince = statement("orders_finished_since")
	sqlOrdersFinishedUntil = statement("orders_finished_until")
	sqlOrdersBefore        = statement("orders_before")
	sqlOrdersAfter         = statement("orders_after")
	sqlNewestOrders        = statement("newest_orders")
	sqlOldestOrders        = statement("oldest_orders")
)

// list is the statement of the filter's orders, but for its cursor, and without an order or an end.
func (f Filter) list() listed {
	l := listed{sqlListOrders}
	open := f.State != "" && !f.State.Final()
	l.where(open, sqlOpenOrders)
	l.where(f.Caller != "" && open, sqlOpenOrdersOfCaller)
	l.where(f.Caller != "" && !open, sqlOrdersOfCaller)
	switch f.State {
	case topup.StateFailed:
		l.where(true, sqlFailedOrders)
	case topup.StateCanceled:
		l.where(true, sqlCanceledOrders)
	default:
		l.where(f.State != "", sqlOrdersInState)
	}
	l.where(f.Disputed, sqlDisputedOrders)
	l.where(f.TransactionID != "", sqlOrdersOfTransaction)
	l.where(f.Phone.Digits() != "", sqlOrdersOfPhone)
	l.where(f.Product != "", sqlOrdersOfProduct)
	l.where(!f.Since.IsZero(), sqlOrdersSince)
	l.where(!f.Until.IsZero() || !f.FinishedUntil.IsZero(), sqlOrdersUntil)
	l.where(!f.FinishedSince.IsZero(), sqlOrdersFinishedSince)
	l.where(!f.FinishedUntil.IsZero(), sqlOrdersFinishedUntil)
	return l
}

// args are the parameters of every list of orders, in the order of their numbers.
func (f Filter) args(from Place, limit int) []any {
	_, until := f.created()
	return []any{
		f.Caller, string(f.State), f.Phone.Digits(), f.Product, f.TransactionID, f.Since.UnixMicro(), until,
		f.FinishedSince.UnixMicro(), f.FinishedUntil.UnixMicro(), from.at, from.key, limit,
	}
}

// page is the statement of a page of the filter's orders, the oldest first, behind a place.
func (f Filter) oldest(undisputed bool) string {
	l := append(f.list(), sqlOrdersAfter)
	l.where(undisputed, sqlUndisputedOrders)
	return append(l, sqlOldestOrders).String()
}

var (
	sqlListEvents       = statement("list_events")
	sqlPendingEvents    = statement("pending_events")
	sqlDeliveredEvents  = statement("delivered_events")
	sqlExhaustedEvents  = statement("exhausted_events")
	sqlEventsOfCallback = statement("events_of_callback")
	sqlEventsOfEndpoint = statement("events_of_endpoint")
	sqlOperatorEvents   = statement("operator_events")
	sqlEventsOfCaller   = statement("events_of_caller")
	sqlEventsOfType     = statement("events_of_type")
	sqlNewestEvents     = statement("newest_events")
)

// query is the statement of a page of the filter's events, and the parameters that it has beside the bounds of their
// ids.
func (f EventFilter) query(first, last []byte) (string, []any, error) {
	l := listed{sqlListEvents}
	switch f.State {
	case "":
	case topup.EventPending:
		l.where(true, sqlPendingEvents)
	case topup.EventDelivered:
		l.where(true, sqlDeliveredEvents)
	case topup.EventExhausted:
		l.where(true, sqlExhaustedEvents)
	default:
		return "", nil, &topup.FieldError{
			Field: "state", Value: string(f.State), Allowed: "one of pending, delivered, exhausted",
		}
	}
	l.where(f.Endpoint == topup.DefaultEndpoint, sqlEventsOfCallback)
	l.where(f.Endpoint != "" && f.Endpoint != topup.DefaultEndpoint, sqlEventsOfEndpoint)
	l.where(f.Caller == topup.OperatorCaller, sqlOperatorEvents)
	l.where(f.Caller != "" && f.Caller != topup.OperatorCaller, sqlEventsOfCaller)
	l.where(f.Type != "", sqlEventsOfType)
	args := []any{first, last, f.Limit + 1, f.Endpoint, f.Caller, string(f.Type)}
	return append(l, sqlNewestEvents).String(), args, nil
}
