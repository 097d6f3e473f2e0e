package topup

import "strings"

// What a caller sees of its orders, everywhere: in the API's answers and in its webhooks. Each ForCaller copies what
// a caller may see, field by field, so that a field which is new is hidden until somebody adds it here. The operator
// sees the rest as well: evidence (which mentions other orders and the balance), who decided and why, and what
// errors show of hosts and networks.

// ForCaller is the order as its caller sees it.
func (o Order) ForCaller() Order {
	return Order{
		ID: o.ID, Caller: o.Caller, State: o.State, Reason: o.Reason,
		Phone: o.Phone, Product: o.Product, Amount: o.Amount, Currency: o.Currency, Operator: o.Operator,
		Priority: o.Priority, Metadata: o.Metadata, AttemptCount: o.AttemptCount,
		ResponseCode: o.ResponseCode, ResponseMessage: o.ResponseMessage,
		TransactionID: o.TransactionID, Reference: o.Reference, AuthCode: o.AuthCode, BalanceAfter: o.BalanceAfter,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, ProcessAt: o.ProcessAt, ExpiresAt: o.ExpiresAt,
		NextAttemptAt: o.NextAttemptAt, FinishedAt: o.FinishedAt, WaitsFor: o.WaitsFor, DisputedAt: o.DisputedAt,
	}
}

// ForCaller is the order as its caller sees it. A dispute is seen by the order's DisputedAt alone: its parts are the
// operator's evidence.
func (d Details) ForCaller() Details {
	return Details{
		Order: d.Order.ForCaller(), Attempts: each(d.Attempts, Attempt.ForCaller),
		Events: each(d.Events, Event.ForCaller), Resolutions: each(d.Resolutions, Resolution.ForCaller),
		Corrections: each(d.Corrections, Correction.ForCaller),
	}
}

func each[T any](all []T, see func(T) T) []T {
	if all == nil {
		return nil
	}
	seen := make([]T, len(all))
	for i, one := range all {
		seen[i] = see(one)
	}
	return seen
}

// ForCaller is the attempt as its order's caller sees it: Error is one sentence for each outcome, since the error
// itself names the distributor's host, and our own network.
func (a Attempt) ForCaller() Attempt {
	seen := Attempt{
		Number: a.Number, StartedAt: a.StartedAt, FinishedAt: a.FinishedAt, Outcome: a.Outcome,
		HTTPStatus: a.HTTPStatus, ResponseCode: a.ResponseCode, ResponseMessage: a.ResponseMessage, Probe: a.Probe,
	}
	switch {
	case a.Error == "":
	case a.Outcome == OutcomeNotSent:
		seen.Error = "the distributor did not take the request"
	case a.Outcome == OutcomeUnknown:
		seen.Error = "it is not known whether the distributor charged it"
	default:
		seen.Error = "the distributor's answer had faults"
	}
	return seen
}

// ForCaller is the resolution as the order's caller sees it: what was decided and when, not by whom and why.
func (r Resolution) ForCaller() Resolution {
	return Resolution{
		Outcome: r.Outcome, At: r.At, Attempt: r.Attempt,
		TransactionID: r.TransactionID, Reference: r.Reference, AuthCode: r.AuthCode,
	}
}

// ForCaller is the correction as the order's caller sees it: what was decided and when, not by whom and why.
func (c Correction) ForCaller() Correction {
	return Correction{
		Outcome: c.Outcome, At: c.At, Was: c.Was, WasTransactionID: c.WasTransactionID,
		TransactionID: c.TransactionID, Reference: c.Reference, AuthCode: c.AuthCode,
	}
}

// ForCaller is the event as its caller sees it, with its tries.
func (e Event) ForCaller() Event {
	return Event{
		ID: e.ID, Type: e.Type, Sequence: e.Sequence, Endpoint: e.Endpoint, DeliveredAt: e.DeliveredAt,
		Tries: each(e.Tries, Try.ForCaller),
	}
}

// ForCaller is the try as the event's caller sees it: Error is one of a few sentences, since the error itself may show
// our network, or why an operator disabled the endpoint.
func (t Try) ForCaller() Try {
	return Try{At: t.At, Status: t.Status, Error: deliveryError(t.Error), DurationMS: t.DurationMS, Response: t.Response}
}

// deliveryError is what a caller sees of an error. The first row whose words are in it counts.
func deliveryError(err NullString) NullString {
	if err == "" {
		return ""
	}
	for _, row := range []struct{ words, shown string }{
		{"egress proxy", "Recarga's way out to the network failed; your endpoint was not reached"},
		{"not public", "target refused: its address is not public"},
		{"only https://", "target refused: only https:// is allowed"},
		{"redirects", "redirects are not followed"},
		{"wants no more webhooks", "410: the endpoint wants no more webhooks"},
		{"endpoint is disabled", "the endpoint is disabled"},
		{"kept for the feed", "kept for the feed: there is no callback URL"},
		{"has no callback URL", "there is no callback URL"},
		{"has no endpoint", "there is no such endpoint any more"},
		{"cut short by a shutdown", "cut short by a shutdown"},
		{"lookup ", "its host name was not found"},
		{"connection refused", "connection refused"},
		{"certificate", "its TLS certificate was not accepted"}, {"x509", "its TLS certificate was not accepted"},
		{"no answer within", "no answer in time"},
		{"timeout", "no answer in time"},
		{"tls:", "the TLS handshake failed"},
		{"reset by peer", "the connection was closed"}, {"EOF", "the connection was closed"},
	} {
		if strings.Contains(string(err), row.words) {
			return NullString(row.shown)
		}
	}
	return "the request failed"
}
