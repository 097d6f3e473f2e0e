package topup

import (
	"fmt"
	"slices"
)

// State is how far an order is. What is true of the money in each state is in StateTable.
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
	State   State  // the state
	Meaning string // what it means, for the documents
	Money   string // what is true of the money, for the documents
	Final   bool   // nothing but a person's correction changes it
}

var states = []StateFacts{
	{StateQueued, "accepted durably, waiting (also: scheduled for later)", "not moved", false},
	{StateSubmitting, "an attempt is under way", "may be moving", false},
	{StateRetrying, "the last attempt was `unavailable` or `not_sent`; the next one is scheduled", "not moved", false},
	{StateUnknown, "an attempt is in doubt: its outcome is not known, or a statement charges what it denies; held, " +
		"never sent again by itself",
		"may have moved", false},
	{StateSucceeded, "code 00", "moved", true},
	{StateFailed, "final, for the reason given", "not moved", true},
	{StateCanceled, "withdrawn by the caller before any attempt could have moved money", "not moved", true},
}

// StateTable lists every state with its meaning.
func StateTable() []StateFacts { return slices.Clone(states) }

// ParseState returns s as a State, or an error that lists the allowed ones.
func ParseState(s string) (State, error) {
	all := make([]State, len(states))
	for i, f := range states {
		all[i] = f.State
	}
	return OneOf("state", s, all)
}

// Final reports whether the state never changes again, but by a person's correction.
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

// Reasons are all that there are.
func Reasons() []Reason {
	return []Reason{ReasonDeclined, ReasonRetriesExhausted, ReasonExpired, ReasonInvalid, ReasonResolved}
}

// ParseReason reads the name of a reason. Its error is a *FieldError.
func ParseReason(s string) (Reason, error) { return OneOf("reason", s, Reasons()) }

// MarshalJSON writes the absence of a reason as null.
func (r Reason) MarshalJSON() ([]byte, error) { return marshalNull(string(r)) }

// Operation is what changes an order's state.
type Operation string

// The operations. Each is one of the journal's methods.
const (
	OpAccept Operation = "accept"
	OpBegin  Operation = "begin"
	// OpFinish records the result of the attempt under way, or a late result of the latest attempt.
	OpFinish Operation = "finish"
	// OpFinishLate records a result that came after another attempt had begun, or the order had been settled.
	OpFinishLate Operation = "finish late"
	// OpEnd ends an order whose time is over while it waits.
	OpEnd    Operation = "end"
	OpCancel Operation = "cancel"
	// OpRestore records an order that a restored book does not know, and that a statement charges.
	OpRestore Operation = "restore"
	// OpHold stops an order that waits, because a statement charges it.
	OpHold Operation = "hold"
	// OpHoldBack keeps an order that waits from being bought, and OpLetGo ends that. Neither changes a state.
	OpHoldBack Operation = "hold back"
	OpLetGo    Operation = "release"
	// OpResolve settles an order that is held as unknown, by a person or a statement.
	OpResolve Operation = "resolve"
	// OpCorrect changes a final state that was wrong. Only a person does.
	OpCorrect Operation = "correct"
	// OpDispute marks a final order, and changes no state.
	OpDispute Operation = "dispute"
)

// Transition is one allowed change of state. From is empty for an order's first state.
type Transition struct {
	From State // empty for a new order
	To   State // the next state
	// By is the operation that makes the change.
	By Operation
	// When is what must be so.
	When string
}

var transitions = []Transition{
	{"", StateQueued, OpAccept, "the order is valid and its id is new"},
	{"", StateFailed, OpAccept, "an order that came through Redis alone is not valid (`invalid`)"},
	{"", StateSucceeded, OpRestore, "a statement charges it, and the book, restored from a backup, does not know it"},
	{StateQueued, StateSubmitting, OpBegin, "it is due, and its time is not over"},
	{StateQueued, StateFailed, OpEnd, "`expires_at` has passed or, without one, `RECARGA_EXPIRES_AFTER` (`expired`)"},
	{StateQueued, StateUnknown, OpHold, "a statement charges it, though it was never sent"},
	{StateQueued, StateCanceled, OpCancel, "the caller withdraws it"},
	{StateRetrying, StateSubmitting, OpBegin, "it is due, and its time is not over"},
	{StateRetrying, StateFailed, OpEnd,
		"`expires_at` (`expired`) or the time for its tries (`retries_exhausted`) has passed, and no attempt is in doubt"},
	{StateRetrying, StateUnknown, OpEnd, "its time is over, and an attempt is in doubt"},
	{StateRetrying, StateUnknown, OpHold, "a statement charges it, whatever its attempts said; it is not sent again"},
	{StateRetrying, StateCanceled, OpCancel, "the caller withdraws it, and no attempt is in doubt"},
	{StateSubmitting, StateSucceeded, OpFinish, "the attempt was approved"},
	{StateSubmitting, StateFailed, OpFinish,
		"the attempt was declined (`declined`), or was the last one allowed and moved no money (`retries_exhausted`); " +
			"and no attempt is in doubt"},
	{StateSubmitting, StateRetrying, OpFinish,
		"the attempt was `unavailable` or `not_sent` (or `unknown`, with `RECARGA_ON_UNKNOWN=resend`), and tries and " +
			"time are left"},
	{StateSubmitting, StateUnknown, OpFinish,
		"the attempt's outcome is not known, or its deadline passed and nobody recorded one; or no further one is made, " +
			"and an earlier one is in doubt"},
	{StateSubmitting, StateSucceeded, OpFinishLate,
		"a late answer shows that an earlier attempt was approved; the one under way is unknown until its own result comes"},
	{StateRetrying, StateSucceeded, OpFinishLate,
		"a late answer shows that an attempt was approved; it is not sent again"},
	{StateUnknown, StateSucceeded, OpFinish, "a late answer shows that the latest attempt was approved"},
	{StateUnknown, StateSucceeded, OpFinishLate, "a late answer shows that an earlier attempt was approved"},
	{StateUnknown, StateFailed, OpFinish,
		"a late answer shows that the latest attempt moved no money, none is in doubt any more, and it was declined or " +
			"no try is left"},
	{StateUnknown, StateFailed, OpFinishLate,
		"a late answer shows that an earlier attempt moved no money, and none is in doubt any more"},
	{StateUnknown, StateRetrying, OpFinish,
		"a late answer shows that the latest attempt was `unavailable` or `not_sent`"},
	{StateUnknown, StateSucceeded, OpResolve, "a person or a statement says that it was charged"},
	{StateUnknown, StateFailed, OpResolve, "a person or a statement says that it was not charged (`resolved`)"},
	{StateUnknown, StateRetrying, OpResolve, "a person asks to send it again"},
	{StateSucceeded, StateFailed, OpCorrect, "a person says that it was not charged after all (`resolved`)"},
	{StateFailed, StateSucceeded, OpCorrect, "a person says that it was charged after all"},
	{StateCanceled, StateSucceeded, OpCorrect, "a person says that it was charged after all"},
}

// Transitions lists every allowed change of state: the whole life of an order.
func Transitions() []Transition { return slices.Clone(transitions) }

// Allowed reports whether the operation may move an order from one state to another.
func Allowed(from, to State, by Operation) bool {
	return slices.ContainsFunc(transitions, func(t Transition) bool {
		return t.From == from && t.To == to && t.By == by
	})
}

// TransitionError is a change of state that is not in the table.
type TransitionError struct {
	ID   ID        // the order's
	From State     // its state
	By   Operation // what was asked for
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("order %s is %s: %s is not possible", e.ID, e.From, e.By)
}
