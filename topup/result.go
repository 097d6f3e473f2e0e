package topup

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Errors of the book of record, whatever engine keeps it.
var (
	// ErrNotFound: there is no order (or event) of that id.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the id is taken by an order of other content, or of another caller.
	ErrConflict = errors.New("the id is taken by another order")
	// ErrLost: somebody else changed the order first. The change that was asked for must not be made.
	ErrLost = errors.New("the order has moved on")
)

// Result is everything that one attempt came to. Its Outcome is decided once, by the distributor's client.
type Result struct {
	// Outcome is what happened to the money, as far as it is known.
	Outcome Outcome
	// HTTPStatus is 0 when there was no answer.
	HTTPStatus int
	// Code and Message are the answer's; empty where it had none.
	Code    Code
	Message string // in the distributor's words
	// TransactionID, Reference and AuthCode are the distributor's names of the purchase; empty where it gave none.
	TransactionID, Reference, AuthCode string
	// BalanceAfter is the balance that the answer gave, in its own currency; nil: none.
	BalanceAfter *json.Number
	// Error says in words why the outcome is not approved, declined or unavailable by its code.
	Error string
	// Evidence, for an unknown outcome: how far the request got and the first KiB of the answer,
	// secrets masked. For any other: which fields of the answer could not be taken; empty as a rule.
	Evidence string
	// RetryAfter is how long the distributor asked to wait; 0 when it did not say.
	RetryAfter time.Duration
	// LimitedOrder: the 429 is about this order's number or customer alone (a daily limit, say), so other orders need
	// not wait. Set with OutcomeNotSent only.
	LimitedOrder bool
	// Probe: it was made to try an operator that is out. The first ones of an order spend no try.
	Probe bool
	// TooLate: it was not sent because this process was not quick enough, which says nothing about the distributor.
	TooLate bool
	// LoginAgain: the token was refused, so another attempt with a new one makes sense at once.
	LoginAgain bool
}

// OutOfBalance reports whether the distributor declined because the account at it has too little: code 51, or HTTP 402
// without a code, to which its document gives that one meaning.
func (r Result) OutOfBalance() bool {
	return r.Outcome == OutcomeDeclined &&
		(r.Code == CodeInsufficientFunds || r.Code == "" && r.HTTPStatus == http.StatusPaymentRequired)
}

// Settlement is what the record is to say after an attempt: the attempt's result and the state that
// follows from it.
type Settlement struct {
	ID     ID     // the order's
	Number int    // the attempt's
	Result Result // what it came to
	State  State  // what the order becomes
	Reason Reason // why, for StateFailed only
	// NextAttemptAt is set for StateRetrying only.
	NextAttemptAt *time.Time
}

// Due is an order that somebody should process.
type Due struct {
	ID           ID    // the order's
	State        State // one that is not final
	AttemptCount int   // the attempt under way included
	// DueAt is since when: the time of the next attempt or the expiry, whichever is first, or the
	// deadline of the attempt under way.
	DueAt time.Time
}

// DueEvent is an event whose next try is due.
type DueEvent struct {
	ID    string    // the event's
	DueAt time.Time // since when
}
