package journal

import (
	"strings"

	"recarga/topup"
)

// listed is a list's statement. It is the only one that is composed: of whole sections of sql/list.sql, whose
// parameters have the same numbers in every list.
type listed []string

// where adds a section if it is asked for.
func (l *listed) where(asked bool, section string) {
	if asked {
		*l = append(*l, section)
	}
}

func (l listed) String() string { return strings.Join(l, "\n") }

var (
	sqlListOrders          = sqls.Get("list_orders")
	sqlOrdersOfCaller      = sqls.Get("orders_of_caller")
	sqlOpenOrdersOfCaller  = sqls.Get("open_orders_of_caller")
	sqlOrdersInState       = sqls.Get("orders_in_state")
	sqlOpenOrders          = sqls.Get("open_orders")
	sqlFailedOrders        = sqls.Get("failed_orders")
	sqlCanceledOrders      = sqls.Get("canceled_orders")
	sqlOrdersOfPhone       = sqls.Get("orders_of_phone")
	sqlOrdersOfProduct     = sqls.Get("orders_of_product")
	sqlOrdersOfTransaction = sqls.Get("orders_of_transaction")
	sqlDisputedOrders      = sqls.Get("disputed_orders")
	sqlUndisputedOrders    = sqls.Get("undisputed_orders")
	sqlOrdersSince         = sqls.Get("orders_since")
	sqlOrdersUntil         = sqls.Get("orders_until")
	sqlOrdersFinishedSince = sqls.Get("orders_finished_since")
	sqlOrdersFinishedUntil = sqls.Get("orders_finished_until")
	sqlOrdersBefore        = sqls.Get("orders_before")
	sqlOrdersAfter         = sqls.Get("orders_after")
	sqlNewestOrders        = sqls.Get("newest_orders")
	sqlOldestOrders        = sqls.Get("oldest_orders")
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

// oldest is the statement of a page of the filter's orders, the oldest first, behind a place.
func (f Filter) oldest(undisputed bool) string {
	l := append(f.list(), sqlOrdersAfter)
	l.where(undisputed, sqlUndisputedOrders)
	return append(l, sqlOldestOrders).String()
}

var (
	sqlListEvents       = sqls.Get("list_events")
	sqlPendingEvents    = sqls.Get("pending_events")
	sqlDeliveredEvents  = sqls.Get("delivered_events")
	sqlExhaustedEvents  = sqls.Get("exhausted_events")
	sqlEventsOfCallback = sqls.Get("events_of_callback")
	sqlEventsOfEndpoint = sqls.Get("events_of_endpoint")
	sqlOperatorEvents   = sqls.Get("operator_events")
	sqlEventsOfCaller   = sqls.Get("events_of_caller")
	sqlEventsOfType     = sqls.Get("events_of_type")
	sqlNewestEvents     = sqls.Get("newest_events")
)

// eventQuery is the statement of a page of the filter's events, and the parameters that it has beside the bounds of
// their ids.
func eventQuery(f EventFilter, first, last []byte) (string, []any, error) {
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
