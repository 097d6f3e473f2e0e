package topup

import (
	"cmp"
	"errors"
	"time"
)

// LostCharge is a statement's evidence that an order was charged that the book does not know, because the book was
// restored from a backup that is older than the order. Who, when and why are kept with the order.
type LostCharge struct {
	// ID is the order's, as it was sent to the distributor.
	ID ID
	// Phone that was topped up, and the Amount in MXN.
	Phone  Phone
	Amount Amount
	// From and Until bound when it was charged, as exactly as the statement says it.
	From, Until time.Time
	// What the statement has of the distributor's names of the purchase; empty: nothing.
	TransactionID, Reference, AuthCode NullString
	// Evidence names the statement and its line.
	Evidence string
	// By is who compared the statement.
	By string
}

// Check names every wrong field.
func (c LostCharge) Check() error {
	_, idErr := ParseID(string(c.ID))
	_, phoneErr := ParsePhone(c.Phone.Digits())
	errs := []error{idErr, phoneErr}
	if c.Amount <= 0 {
		errs = append(errs, &FieldError{Field: FieldAmount, Value: c.Amount.String(), Allowed: "more than 0"})
	}
	if c.From.IsZero() || c.Until.Before(c.From) {
		errs = append(errs, &FieldError{Field: "time", Value: c.From.Format(time.RFC3339), Allowed: "when it was charged"})
	}
	errs = append(errs, CheckDecision(c.Evidence, c.By)...)
	return errors.Join(append(errs,
		checkReceipts(ResolvedSucceeded, c.TransactionID, c.Reference, c.AuthCode)...)...)
}

// LostRecord is the Error of the attempt of a restored order.
const LostRecord = "its record was lost with the book that the backup replaced"

// LostEvents is more than an order has events. A restored order counts its own from there: a receiver keeps the
// highest sequence, and would take them for older than those that the lost book sent.
const LostEvents = 1000

// ClaimEventOf is what a caller is notified of when it claims an order in this state, which has had so many events
// before. If a person has corrected the order meanwhile, that is a correction: the lost book may have sent another end
// of it.
func ClaimEventOf(s State, events int) EventType {
	if events > LostEvents {
		return EventCorrected
	}
	return EventTypeOf(s)
}

// Order is the order of the charge, which was recorded at now. It is Unclaimed.
func (c LostCharge) Order(now time.Time) Order {
	from, until := c.From, c.Until // the clock of whoever wrote the statement may be fast
	if from.After(now) {
		from = now
	}
	if until.After(now) {
		until = now
	}
	return Order{
		ID: c.ID, State: StateSucceeded, Phone: c.Phone, Amount: c.Amount, Currency: Currency, Priority: PriorityNormal,
		Metadata: map[string]string{}, AttemptCount: 1, TransactionID: c.TransactionID, Reference: c.Reference,
		AuthCode: c.AuthCode, CreatedAt: from, UpdatedAt: now, FinishedAt: &until, Unclaimed: true,
	}
}

// Resolution is what is kept of who recorded the charge, when and why.
func (c LostCharge) Resolution() Resolution {
	return Resolution{Outcome: ResolvedRestored, Reason: c.Evidence, By: c.By, TransactionID: c.TransactionID,
		Reference: c.Reference, AuthCode: c.AuthCode}
}

// ClaimableBy reports whether a request is, as far as is known, for an order that is Unclaimed: of its phone and its
// amount, and of its caller unless it has none.
func (o Order) ClaimableBy(r Request) bool {
	return o.Unclaimed && o.ID == r.ID && o.Phone == r.Phone && o.Amount == r.Amount &&
		cmp.Or(o.Caller, r.Caller) == r.Caller
}
