package topup

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ResolvedAs is what a person, or a statement, decided about an order that is held as unknown.
type ResolvedAs string

// The outcomes of a Resolution.
const (
	// ResolvedSucceeded: it was charged.
	ResolvedSucceeded ResolvedAs = "succeeded"
	// ResolvedFailed: it was not charged, and will not be.
	ResolvedFailed ResolvedAs = "failed"
	// ResolvedResend: send it again. Where it was charged after all, that charges twice.
	ResolvedResend ResolvedAs = "resend"
	// ResolvedHeld is in the record only: a statement charges an order that waited to be sent, and so held it (Hold).
	ResolvedHeld ResolvedAs = "held"
	// ResolvedRestored is in the record only: a statement charges an order that the restored book did not know
	// (LostCharge).
	ResolvedRestored ResolvedAs = "restored"
)

// State is the state that the order gets; empty for what settles none.
func (r ResolvedAs) State() State {
	return map[ResolvedAs]State{
		ResolvedSucceeded: StateSucceeded, ResolvedFailed: StateFailed, ResolvedResend: StateRetrying,
	}[r]
}

// Resolution settles an order that is held as unknown. Who, when and why are kept with the order.
type Resolution struct {
	// Outcome is the decision.
	Outcome ResolvedAs `json:"outcome"`
	// Reason says why, for whoever asks later; for the operator alone.
	Reason string `json:"reason,omitempty"`
	// By is who decided; for the operator alone.
	By string `json:"by,omitempty"`
	// At is when; the journal sets it.
	At time.Time `json:"at"`
	// Forced: it was decided while a worker might still have been acting on the order.
	Forced bool `json:"forced,omitempty"`
	// Attempt is the number of the order's latest attempt when it was decided. Where it is given, an order that has
	// been sent again since is not resolved (MovedOnError); 0 asks for no such comparison. The journal keeps the
	// number of the attempt that was held.
	Attempt int `json:"attempt"`

	// What the distributor's statement says of the purchase; for ResolvedSucceeded only.
	TransactionID NullString `json:"transaction_id"` // empty: not given
	Reference     NullString `json:"reference"`      // empty: not given
	AuthCode      NullString `json:"auth_code"`      // empty: not given
}

// Hold is a statement's evidence that an order was charged that waits to be sent. Who, when and why are kept with the
// order.
type Hold struct {
	// Evidence names the statement and its line.
	Evidence string
	// By is who compared the statement.
	By string
}

// Check names every wrong field.
func (h Hold) Check() error { return errors.Join(CheckDecision(h.Evidence, h.By)...) }

// The lengths of a resolution's texts, in characters.
const (
	MaxReason   = 500
	maxName     = 100
	maxReceipts = 200
)

// Check names every wrong field of a resolution that was asked for.
func (r Resolution) Check() error {
	var errs []error
	wrong := func(field, value, allowed string) {
		errs = append(errs, &FieldError{Field: field, Value: value, Allowed: allowed})
	}
	if r.Outcome.State() == "" {
		wrong("outcome", string(r.Outcome), "one of succeeded, failed, resend")
	}
	errs = append(errs, CheckDecision(r.Reason, r.By)...)
	if r.Attempt < 0 {
		wrong("attempt", strconv.Itoa(r.Attempt), "the number of the attempt that the decision is about, from 1")
	}
	return errors.Join(append(errs, checkReceipts(r.Outcome, r.TransactionID, r.Reference, r.AuthCode)...)...)
}

// CheckDecision names what is wrong with the reason and the author of a person's decision.
func CheckDecision(reason, by string) (errs []error) {
	if n := utf8.RuneCountInString(reason); strings.TrimSpace(reason) == "" || n > MaxReason {
		allowed := fmt.Sprintf("a text of 1 to %d characters: why this is known", MaxReason)
		errs = append(errs, &FieldError{Field: "reason", Value: reason, Allowed: allowed})
	}
	if utf8.RuneCountInString(by) > maxName {
		allowed := fmt.Sprintf("a name of at most %d characters", maxName)
		errs = append(errs, &FieldError{Field: "by", Value: by, Allowed: allowed})
	}
	return errs
}

// checkReceipts names what is wrong with the distributor's names of a purchase.
func checkReceipts(outcome ResolvedAs, transactionID, reference, authCode NullString) (errs []error) {
	for _, receipt := range []struct {
		field string
		value NullString
	}{{"transaction_id", transactionID}, {"reference", reference}, {"auth_code", authCode}} {
		allowed := ""
		switch {
		case receipt.value != "" && outcome != ResolvedSucceeded:
			allowed = "absent, unless the outcome is succeeded"
		case utf8.RuneCountInString(string(receipt.value)) > maxReceipts:
			allowed = fmt.Sprintf("at most %d characters", maxReceipts)
		default:
			continue
		}
		errs = append(errs, &FieldError{Field: receipt.field, Value: string(receipt.value), Allowed: allowed})
	}
	return errs
}

// MovedOnError is a decision about an attempt that is not the order's latest any more: it was sent again meanwhile.
type MovedOnError struct {
	// ID is the order's.
	ID ID
	// Attempt is the one that the decision is about, Latest the one that the order has now.
	Attempt, Latest int
}

func (e *MovedOnError) Error() string {
	return fmt.Sprintf("order %s: the decision is about attempt %d, and the latest one is %d; check it again",
		e.ID, e.Attempt, e.Latest)
}

// Is makes it an ErrLost.
func (e *MovedOnError) Is(target error) bool { return target == ErrLost }

// TooEarlyError is a resolution that might be overtaken: until then, a worker may still be acting on
// the order's attempt, or its answer may still be on the way.
type TooEarlyError struct {
	ID    ID        // the order's
	Until time.Time // when it may be resolved
}

func (e *TooEarlyError) Error() string {
	return fmt.Sprintf("order %s: the outcome of its attempt may still arrive; resolve it after %s, or force it",
		e.ID, e.Until.UTC().Format(time.RFC3339))
}

// Surroundings are what else changed the distributor's balance near an attempt.
type Surroundings struct {
	// Before is the last balance that an answer gave before the attempt, at BeforeAt, to BeforeOrder; nil
	// when none did.
	Before      *json.Number
	BeforeAt    time.Time // zero: there is no Before
	BeforeOrder ID        // empty: there is no Before
	// Succeeded counts the other orders that succeeded since then, for Amount together.
	Succeeded int
	Amount    Amount // in MXN
	// Unknown counts the others that have become unknown since.
	Unknown int
}
