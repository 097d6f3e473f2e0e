package producer

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"recarga/topup"
)

// OrderFilter chooses orders. Zero fields choose all.
type OrderFilter struct {
	// State is how they are.
	State topup.State
	// Caller is whose they are, for operators' keys: a caller's key sees its own alone.
	Caller string
	// Phone, Product and TransactionID (the distributor's id of the purchase) are of the order.
	Phone         topup.Phone
	Product       string
	TransactionID string
	// Code is the distributor's last response code, Reason why the order failed.
	Code   topup.Code
	Reason topup.Reason
	// Metadata is a part of what their caller noted, as in cart=62.
	Metadata string
	// WaitsFor is why they wait.
	WaitsFor topup.Wait
	// Disputed chooses those whose final state later evidence contradicts.
	Disputed bool
	// Since and Until bound the time at which the order was made; Until is not included.
	Since, Until time.Time
	// Limit is the length of a page; 0 means 50, and 200 is the most. An export has no pages.
	Limit int
	// Cursor is what the page before returned as next; empty for the first.
	Cursor string
}

func (f OrderFilter) query() query {
	q := query{
		"phone_number": string(f.Phone), "product_id": f.Product, "transaction_id": f.TransactionID,
		"code": string(f.Code), "reason": string(f.Reason), "metadata": f.Metadata, "waits_for": string(f.WaitsFor),
	}
	q.common(string(f.State), f.Caller, f.Since, f.Until, f.Limit, f.Cursor)
	q.flag("disputed", f.Disputed)
	return q
}

// Query is the filter as the query of a list.
func (f OrderFilter) Query() string { return strings.TrimPrefix(f.query().encode(), "?") }

// EventQuery is a filter of events as the query of a list.
func EventQuery(f topup.EventFilter) string { return strings.TrimPrefix(eventQuery(f).encode(), "?") }

func eventQuery(f topup.EventFilter) query {
	q := query{"endpoint": f.Endpoint, "type": string(f.Type)}
	q.common(string(f.State), f.Caller, f.Since, f.Until, f.Limit, f.Cursor)
	return q
}

// ExportOptions choose orders, and what is written of them.
type ExportOptions struct {
	OrderFilter
	// FinishedSince and FinishedUntil bound the time at which the order became final; FinishedUntil is not included.
	FinishedSince, FinishedUntil time.Time
	// Format is csv or ndjson; empty is csv.
	Format string
	// Attempts and Events write those of each order, too, as NDJSON alone.
	Attempts, Events bool
}

func (o ExportOptions) query() query {
	q := o.OrderFilter.query()
	q["format"] = o.Format
	q.time("finished_since", o.FinishedSince)
	q.time("finished_until", o.FinishedUntil)
	q.flag("attempts", o.Attempts)
	q.flag("events", o.Events)
	return q
}

// query has the parameters of a request; those that are empty are left out.
type query map[string]string

// common adds what every list can be asked for.
func (q query) common(state, caller string, since, until time.Time, limit int, cursor string) {
	q["state"], q["caller"], q["cursor"] = state, caller, cursor
	q.time("since", since)
	q.time("until", until)
	if limit != 0 {
		q["limit"] = strconv.Itoa(limit)
	}
}

func (q query) time(name string, at time.Time) {
	if !at.IsZero() {
		q[name] = at.UTC().Format(time.RFC3339Nano)
	}
}

func (q query) flag(name string, set bool) {
	if set {
		q[name] = "true"
	}
}

// values are those that are not empty.
func (q query) values() url.Values {
	values := url.Values{}
	for name, value := range q {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// encode is the query of a URL, from its question mark on.
func (q query) encode() string { return question(q.values()) }

func question(values url.Values) string {
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}
