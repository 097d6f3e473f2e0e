package topup

// The attributes of spans that tie them to an order. No span has a phone number, an amount, a key, or
// the text of an answer or an error, which may quote them.
const (
	TraceOrder   = "recarga.order.id"
	TraceEvent   = "recarga.event.id"
	TraceAttempt = "recarga.attempt" // of a purchase, counted from 1
	TraceTry     = "recarga.try"     // of a webhook, counted from 1
	// TraceOutcome is an Outcome on a purchase, and an EventState on a webhook.
	TraceOutcome = "recarga.outcome"
	TraceCode    = "recarga.response_code"
	TraceState   = "recarga.order.state"
)
