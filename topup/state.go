package topup

import (
	"fmt"
	"slices"
)

// State is where an order stands. What is true of the money in each is in StateTable.
type State string

// The states of an order.
const (
	StateQueued     State = "queued"
	StateSubmitting State = "submitting"
	StateRetrying   State = "retrying"
	StateUnknown    State = "unknown"
	StateSucceeded  State = "succeeded"
	StateFailed     State = "failed"
	StateCanceled   State = "canceled"
)

// StateFacts is what a state means.
type StateFacts struct {
	State   State
	Meaning string
	Money   string
	Final   bool
}

var states = []StateFacts{
	{StateQueued, "accepted durably, waiting (also: scheduled for later)", "not moved", false},
	{StateSubmitting, "an attempt is under way", "may be moving", false},
	{StateRetrying, "the last attempt was `unavailable` or `not_sent`; the next one is scheduled", "not moved", false},
	{StateUnknown, "an attempt's outcome is not known; held, never sent again by itself", "may have moved", false},
	{StateSucceeded, "code 00", "moved", true},
	{StateFailed, "final, for the reason given", "not moved", true},
	{StateCanceled, "withdrawn by the caller before any attempt could have moved money", "not moved", true},
}

// StateTable lists every state with its meaning.
func StateTable() []StateFacts { return slices.Clone(states) }

// ParseState returns s as a State, or an error that lists the allowed ones.
func ParseState(s string) (State, error) {
	for _, f := range states {
		if string(f.State) == s {
			return f.State, nil
		}
	}
	return "", &FieldError{Field: "state", Value: s, Allowed: "one of queued, submitting, retrying, unknown, succeeded, failed, canceled"}
}

// Final tells that the state never changes again.
func (s State) Final() bool {
	i := slices.IndexFunc(states, func(f StateFacts) bool { return f.State == s })
	return i >= 0 && states[i].Final
}

// Reason says why an order failed.
type Reason string

// The reasons of a failed order.
const (
	ReasonDeclined         Reason = "declined"
	ReasonRetriesExhausted Reason = "retries_exhausted"
	ReasonExpired          Reason = "expired"
	ReasonInvalid          Reason = "invalid"
	ReasonResolved         Reason = "resolved"
)

// MarshalJSON writes the absence of a reason as null.
func (r Reason) MarshalJSON() ([]byte, error) { return marshalNull(string(r)) }

// Transition is one allowed change of state. From is empty for an order's first state.
type Transition struct {
	From State
	To   State
	// By is the operation that makes the change.
	By string
	// When is what must be so.
	When string
}

var transitions = []Transition{
	{"", StateQueued, "accept", "the order is valid and its id is new"},
	{"", StateFailed, "accept", "an order that came through Redis alone is not valid (`invalid`)"},
	{StateQueued, StateSubmitting, "begin", "it is due"},
	{StateQueued, StateFailed, "expire", "`expires_at` has passed (`expired`)"},
	{StateQueued, StateCanceled, "cancel", "the caller withdraws it"},
	{StateRetrying, StateSubmitting, "begin", "it is due"},
	{StateRetrying, StateFailed, "expire", "`expires_at` has passed (`expired`)"},
	{StateRetrying, StateFailed, "exhaust", "its time for tries ran out while it waited (`retries_exhausted`)"},
	{StateRetrying, StateCanceled, "cancel", "the caller withdraws it"},
	{StateSubmitting, StateSucceeded, "finish", "the attempt was approved"},
	{StateSubmitting, StateFailed, "finish", "the attempt was declined (`declined`), or was the last one allowed and moved no money (`retries_exhausted`)"},
	{StateSubmitting, StateRetrying, "finish", "the attempt was `unavailable` or `not_sent` (or `unknown`, with `RECARGA_ON_UNKNOWN=resend`), and tries and time are left"},
	{StateSubmitting, StateUnknown, "finish", "the attempt's outcome is not known"},
	{StateRetrying, StateSucceeded, "finish late", "a late answer shows that the attempt, of unknown outcome until then, was approved; it is not sent again"},
	{StateSubmitting, StateUnknown, "give up", "the attempt's deadline passed and nobody recorded an outcome"},
	{StateUnknown, StateSucceeded, "finish", "a late answer shows that the attempt was approved"},
	{StateUnknown, StateFailed, "finish", "a late answer shows that the attempt moved no money, and no try is left or it was declined"},
	{StateUnknown, StateRetrying, "finish", "a late answer shows that the attempt was `unavailable` or `not_sent`"},
	{StateUnknown, StateSucceeded, "resolve", "a person or a statement says that it was charged"},
	{StateUnknown, StateFailed, "resolve", "a person or a statement says that it was not charged (`resolved`)"},
	{StateUnknown, StateRetrying, "resolve", "a person asks to send it again"},
}

// Transitions lists every allowed change of state: the whole life of an order.
func Transitions() []Transition { return slices.Clone(transitions) }

// Allowed tells whether the operation may move an order from one state to another.
func Allowed(from, to State, by string) bool {
	return slices.ContainsFunc(transitions, func(t Transition) bool {
		return t.From == from && t.To == to && t.By == by
	})
}

// TransitionError is a change of state that is not in the table.
type TransitionError struct {
	ID   ID
	From State
	By   string
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("order %s is %s: %s is not possible", e.ID, e.From, e.By)
}
