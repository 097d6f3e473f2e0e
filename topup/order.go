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
	ID              ID                `json:"distributor_transaction_id"`
	Caller          string            `json:"caller"`
	State           State             `json:"state"`
	Reason          Reason            `json:"reason"`
	Phone           Phone             `json:"phone_number"`
	Product         string            `json:"product_id"`
	Amount          Amount            `json:"amount"`
	Currency        string            `json:"currency"`
	Operator        NullString        `json:"operator"`
	Priority        Priority          `json:"priority"`
	Metadata        map[string]string `json:"metadata"`
	AttemptCount    int               `json:"attempt_count"`
	ResponseCode    Code              `json:"response_code"`
	ResponseMessage NullString        `json:"response_message"`
	TransactionID   NullString        `json:"transaction_id"`
	Reference       NullString        `json:"reference"`
	AuthCode        NullString        `json:"auth_code"`
	// BalanceAfter is the distributor's balance as its answer gave it, in its own currency; nil
	// when it gave none.
	BalanceAfter  *json.Number `json:"balance_after"`
	CreatedAt     time.Time    `json:"created_at"`
	UpdatedAt     time.Time    `json:"updated_at"`
	ProcessAt     *time.Time   `json:"process_at"`
	ExpiresAt     *time.Time   `json:"expires_at"`
	NextAttemptAt *time.Time   `json:"next_attempt_at"`
	FinishedAt    *time.Time   `json:"finished_at"`
	// WaitsFor is why it stands in line; null when it does not.
	WaitsFor NullString `json:"waits_for"`

	// DisputedAt is since when later evidence contradicts the order's final state; absent when none does.
	DisputedAt *time.Time `json:"disputed_at,omitempty"`

	// EndsAt is when the order ends if it still waits then: its ExpiresAt, or the time for its first attempt or for
	// its tries, whichever is first; nil: never. Nothing is sent from then on.
	EndsAt *time.Time `json:"-"`
	// CallbackURL overrides the caller's own; empty means the caller's. It is not part of the
	// order's content.
	CallbackURL string `json:"-"`
	// Released tells that it stood in line, and that its turn has come.
	Released bool `json:"-"`
}

// LogAttrs are what a log says of an order's state, with the ids to find the rest: never its phone's number, nor
// what is empty.
func (o Order) LogAttrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("order", string(o.ID)), slog.String("caller", o.Caller), slog.String("state", string(o.State))}
	if o.AttemptCount > 0 {
		attrs = append(attrs, slog.Int("attempt", o.AttemptCount))
	}
	for _, a := range []slog.Attr{
		slog.String("reason", string(o.Reason)), slog.String("response_code", string(o.ResponseCode)), slog.String("transaction_id", string(o.TransactionID)),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	return attrs
}

// Attempt is one product_purchase request for an order.
type Attempt struct {
	// Number counts from 1.
	Number          int        `json:"number"`
	StartedAt       time.Time  `json:"started_at"`
	FinishedAt      *time.Time `json:"finished_at"`
	Outcome         Outcome    `json:"outcome"`
	HTTPStatus      *int       `json:"http_status"`
	ResponseCode    Code       `json:"response_code"`
	ResponseMessage NullString `json:"response_message"`
	Error           NullString `json:"error"`
	// Evidence is kept for an unknown attempt: how far the request got, the first KiB of the answer
	// with secrets masked, and what the balance did meanwhile. For others it says which fields of the
	// answer could not be taken.
	Evidence string `json:"evidence,omitempty"`
	// Probe: it was made to try an operator that was out. The first three of an order spent no try.
	Probe bool `json:"probe,omitempty"`
}

// ProbeBy is the name under which a worker records a probe.
func ProbeBy(worker string) string { return probePrefix + worker }

// IsProbe tells a name that ProbeBy made.
func IsProbe(worker string) bool { return strings.HasPrefix(worker, probePrefix) }

const probePrefix = "probe:"

// Details is an order with its attempts and its events.
type Details struct {
	Order
	Attempts []Attempt `json:"attempts"`
	Events   []Event   `json:"events"`
	// Resolutions are the decisions on the order while it was held as unknown.
	Resolutions []Resolution `json:"resolutions,omitempty"`
	// Corrections are the changes of a final state that was wrong.
	Corrections []Correction `json:"corrections,omitempty"`
	// Disputes are the evidence that contradicted a final state, the open one last.
	Disputes []Dispute `json:"disputes,omitempty"`
}
