package topup

import (
	"encoding/json"
	"log/slog"
	"strings"
	"time"
)

// DefaultCaller is the caller that needs no registry: the one of RECARGA_API_KEY.
const DefaultCaller = "default"

// Order is one caller's request for one top-up, and all that is known of it. Its JSON is the same
// everywhere: API, webhook, command line and export. Times are UTC, in whole microseconds.
type Order struct {
	ID ID `json:"distributor_transaction_id"` // chosen by the caller
	// Caller is the name of the caller that placed it.
	Caller string `json:"caller"`
	State  State  `json:"state"`  // what is true of the money: StateTable
	Reason Reason `json:"reason"` // why it failed; null in any other state
	// What was asked for. Operator is empty where the caller named none.
	Phone    Phone             `json:"phone_number"`
	Product  string            `json:"product_id"` // of the catalogue at that time
	Amount   Amount            `json:"amount"`     // in Currency
	Currency string            `json:"currency"`   // always topup.Currency
	Operator NullString        `json:"operator"`   // sent to the distributor as it is
	Priority Priority          `json:"priority"`   // never empty
	Metadata map[string]string `json:"metadata"`   // the caller's own; never nil
	// AttemptCount counts all attempts, the one under way included.
	AttemptCount int `json:"attempt_count"`
	// What the distributor answered last: its code, its text, and its names of the purchase.
	ResponseCode    Code       `json:"response_code"`
	ResponseMessage NullString `json:"response_message"` // in Spanish
	TransactionID   NullString `json:"transaction_id"`   // empty until it is approved
	Reference       NullString `json:"reference"`        // empty until it is approved
	AuthCode        NullString `json:"auth_code"`        // empty until it is approved
	// BalanceAfter is the distributor's balance as its answer gave it, in its own currency; nil
	// when it gave none.
	BalanceAfter  *json.Number `json:"balance_after"`
	CreatedAt     time.Time    `json:"created_at"`      // when it was accepted
	UpdatedAt     time.Time    `json:"updated_at"`      // of the last change
	ProcessAt     *time.Time   `json:"process_at"`      // not bought before; nil: at once
	ExpiresAt     *time.Time   `json:"expires_at"`      // not bought from then on; nil: no such time
	NextAttemptAt *time.Time   `json:"next_attempt_at"` // nil: no attempt is scheduled, or it is due
	FinishedAt    *time.Time   `json:"finished_at"`     // when it became final; nil: it is not
	// WaitsFor is why it waits in the wait queue; null when it does not.
	WaitsFor NullString `json:"waits_for"`

	// DisputedAt is since when later evidence contradicts the order's final state; absent when none does.
	DisputedAt *time.Time `json:"disputed_at,omitempty"`

	// Conclusion is what the evidence says of an order that is unknown, where people are shown it; nil everywhere else.
	// Only what shows orders may read it: it is no proof.
	Conclusion *Conclusion `json:"conclusion,omitempty"`

	// EndsAt is when the order ends if it still waits then: its ExpiresAt, or the time for its first attempt or for
	// its tries, whichever is first; nil: never. Nothing is sent from then on.
	EndsAt *time.Time `json:"-"`
	// CallbackURL overrides the caller's own; empty means the caller's. It is not part of the
	// order's content.
	CallbackURL string `json:"-"`
	// Released: it waited in the wait queue, and may be bought now.
	Released bool `json:"-"`
	// Unclaimed: a restored book knows it from a statement alone (LostCharge), and nobody has placed it since. Its
	// caller may be empty, and its product, operator and metadata are. The first who places it completes it.
	Unclaimed bool `json:"-"`
}

// LogAttrs are what a log says of an order's state, with the ids to find the rest: never its phone's number, nor
// what is empty.
func (o Order) LogAttrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("order", string(o.ID)), slog.String("caller", o.Caller), slog.String("state", string(o.State)),
	}
	if o.AttemptCount > 0 {
		attrs = append(attrs, slog.Int("attempt", o.AttemptCount))
	}
	for _, a := range []slog.Attr{
		slog.String("reason", string(o.Reason)), slog.String("response_code", string(o.ResponseCode)),
		slog.String("transaction_id", string(o.TransactionID)),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	return attrs
}

// Overtaken is the Error of an attempt that was under way when an earlier one turned out to be approved.
const Overtaken = "an earlier attempt was approved while this one was under way"

// Attempt is one product_purchase request for an order.
type Attempt struct {
	// Number counts from 1.
	Number          int        `json:"number"`
	StartedAt       time.Time  `json:"started_at"`       // when it was recorded, before anything was sent
	FinishedAt      *time.Time `json:"finished_at"`      // when its result was recorded; nil: it is under way
	Outcome         Outcome    `json:"outcome"`          // empty while it is under way
	HTTPStatus      *int       `json:"http_status"`      // nil: there was no answer
	ResponseCode    Code       `json:"response_code"`    // empty: the answer had none
	ResponseMessage NullString `json:"response_message"` // in the distributor's words
	Error           NullString `json:"error"`            // why the code alone does not explain the outcome
	// Evidence is kept for an unknown attempt: how far the request got, the first KiB of the answer
	// with secrets masked, and what the balance did meanwhile. For others it says which fields of the
	// answer could not be taken.
	Evidence string `json:"evidence,omitempty"`
	// Probe: it was made to try an operator that was out. The first three of an order spent no try.
	Probe bool `json:"probe,omitempty"`
}

// ProbeBy is the name under which a worker records a probe.
func ProbeBy(worker string) string { return probePrefix + worker }

// IsProbe reports whether ProbeBy made the name.
func IsProbe(worker string) bool { return strings.HasPrefix(worker, probePrefix) }

const probePrefix = "probe:"

// Details is an order with its attempts and its events.
type Details struct {
	Order              // as it is now
	Attempts []Attempt `json:"attempts"` // all of them, in their order
	Events   []Event   `json:"events"`   // all of them, in their order
	// Resolutions are the decisions on the order while it was held as unknown.
	Resolutions []Resolution `json:"resolutions,omitempty"`
	// Corrections are the changes of a final state that was wrong.
	Corrections []Correction `json:"corrections,omitempty"`
	// Disputes are the evidence that contradicted a final state, the open one last.
	Disputes []Dispute `json:"disputes,omitempty"`
	// Actions are what people and programs did to it, the oldest first, where the operator is shown it; nil everywhere
	// else.
	Actions []Action `json:"actions,omitempty"`
}
