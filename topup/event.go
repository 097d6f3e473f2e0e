package topup

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// EventType is the kind of thing that happened.
type EventType string

// EventTypeOf is the event of an order's state; empty for a state of which callers are not notified.
func EventTypeOf(s State) EventType {
	switch s {
	case StateSucceeded, StateFailed, StateCanceled, StateUnknown:
		return EventType("topup." + string(s))
	default:
		return ""
	}
}

// Types of events that concern no order. The operator receives them, as the caller named OperatorCaller.
const (
	// EventEndpointDisabled: a caller's endpoint answered 410, or failed for days. Its data is a DisabledEndpoint.
	EventEndpointDisabled EventType = "endpoint.disabled"
	// EventBalanceLow: the balance fell below RECARGA_BALANCE_LOW. Its data is a LowBalance.
	EventBalanceLow EventType = "balance.low"
	// EventBalanceDrift: the balance fell by more than our orders explain. Its data is a DriftedBalance.
	EventBalanceDrift EventType = "balance.drift"
)

// OperatorEventTypes are those of events that concern no order.
func OperatorEventTypes() []EventType {
	return []EventType{EventEndpointDisabled, EventBalanceLow, EventBalanceDrift}
}

// EventCorrected: a final state was wrong; the event has what the order is now.
const EventCorrected EventType = "topup.corrected"

// EventTypes are those of orders' events, in the order of the documents.
func EventTypes() (types []EventType) {
	for _, f := range StateTable() {
		if kind := EventTypeOf(f.State); kind != "" {
			types = append(types, kind)
		}
	}
	return append(types, EventCorrected)
}

// ParseEventType returns s, if callers are notified of such events.
func ParseEventType(s string) (EventType, error) { return OneOf("type", s, EventTypes()) }

// EventState is how far an event's delivery got.
type EventState string

// The states of an event.
const (
	// EventPending: it is being delivered, or waits for its next try.
	EventPending EventState = "pending"
	// EventDelivered: its endpoint answered 2xx.
	EventDelivered EventState = "delivered"
	// EventExhausted: the schedule ran out, or its endpoint is gone or disabled. Can be redelivered.
	EventExhausted EventState = "exhausted"
	// EventKept: its caller has no URL that wants it, and reads it in the feed. Can be redelivered, once there is one.
	EventKept EventState = "kept"
)

// Event is one thing that happened to an order, for one endpoint.
type Event struct {
	// ID is the webhook-id: the same on every try.
	ID   string    `json:"id"`
	Type EventType `json:"type"` // what happened
	// Sequence rises by one per order, from 1.
	Sequence int `json:"sequence"`
	// Endpoint is the name of the caller's endpoint that receives it; empty is its callback URL.
	Endpoint    string     `json:"endpoint,omitempty"`
	DeliveredAt *time.Time `json:"delivered_at"` // nil: it was not
	Tries       []Try      `json:"tries"`        // all of them, in their order

	OrderID ID         `json:"-"` // empty for an event of the operator's
	Caller  string     `json:"-"` // who receives it
	State   EventState `json:"-"` // how far its delivery got
	// Body is frozen when the event is made: every try sends the same bytes.
	Body []byte `json:"-"`
	// CallbackURL overrides the caller's own; empty means the caller's.
	CallbackURL string `json:"-"`
	// TryCount is the number of tries recorded.
	TryCount int `json:"-"`
	// ScheduleStart is the number of tries there were when the schedule last began: not 0 once the
	// event was redelivered.
	ScheduleStart int `json:"-"`
	// DueAt is when the next try is due; zero when none is.
	DueAt     time.Time `json:"-"`
	CreatedAt time.Time `json:"-"` // when it happened
}

// Try is one request of an event to its endpoint.
type Try struct {
	At         time.Time    `json:"at"`                 // when it began
	Status     *int         `json:"status"`             // of the answer; nil: there was none
	Error      NullString   `json:"error"`              // why it is not delivered, where the status does not say it
	DurationMS int64        `json:"duration_ms"`        // to the answer, or to the error
	Response   *TryResponse `json:"response,omitempty"` // nil: the answer said nothing, or there was none
}

// TryResponse is the beginning of an answer: printable, and without what repeats a secret of the endpoint's.
type TryResponse struct {
	Headers map[string]string `json:"headers,omitempty"` // those that show who answered, by their lower-case names
	Body    string            `json:"body"`              // its first KiB
}

// Delivered reports whether the endpoint took it.
func (t Try) Delivered() bool { return t.Status != nil && *t.Status/100 == 2 }

// NewOperatorEvent freezes an event for the operator, under an id that must be unique for ever. kind must
// be one of OperatorEventTypes.
func NewOperatorEvent(id string, kind EventType, data any, sequence int, now time.Time) (Event, error) {
	if !slices.Contains(OperatorEventTypes(), kind) {
		return Event{}, fmt.Errorf("the operator is not notified of %q", kind)
	}
	e, err := newEvent(id, kind, data, sequence, now)
	e.Caller = OperatorCaller
	return e, err
}

// NewEvent freezes what the caller is notified of: the order as it now is and as its caller sees it, under an id that
// must be unique for ever. kind must be one of EventTypes.
func NewEvent(id string, kind EventType, o Order, sequence int, now time.Time) (Event, error) {
	if !slices.Contains(EventTypes(), kind) {
		return Event{}, fmt.Errorf("order %s: callers are not notified of %q", o.ID, kind)
	}
	data := struct {
		Sequence int `json:"sequence"` // in front of the order's fields
		Order
	}{sequence, o.ForCaller()}
	e, err := newEvent(id, kind, data, sequence, now)
	e.OrderID, e.Caller, e.CallbackURL = o.ID, o.Caller, o.CallbackURL
	return e, err
}

func newEvent(id string, kind EventType, data any, sequence int, now time.Time) (Event, error) {
	body, err := json.Marshal(struct {
		Type      EventType `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      any       `json:"data"`
	}{kind, now, data})
	if err != nil {
		return Event{}, fmt.Errorf("event %s: body: %w", kind, err)
	}
	return Event{
		ID: id, Type: kind, Sequence: sequence, State: EventPending, Body: body, DueAt: now, CreatedAt: now,
	}, nil
}
