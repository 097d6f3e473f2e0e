package topup

import (
	"errors"
	"time"
)

var (
	// ErrNotDisputed: the order has no open dispute.
	ErrNotDisputed = errors.New("the order is not disputed")
	// ErrArchived: the order has left the database for the archive, where nothing changes.
	ErrArchived = errors.New("the order is archived: it can be read, and not changed")
)

// Action is what a person or a program did to an order, or to an event of it (On), as the audit has it (desk.Act). It
// is for the operator alone.
type Action struct {
	At     time.Time  `json:"at"`
	By     string     `json:"by"`
	Role   string     `json:"role"`
	Via    string     `json:"via"`
	Action string     `json:"action"`
	On     NullString `json:"on"`
	Detail NullString `json:"detail"`
	Reason NullString `json:"reason"`
}

// Correction changes a final state that was wrong. Only a person makes one; who, when and why are kept with the order.
type Correction struct {
	// Outcome is what the order becomes: ResolvedSucceeded or ResolvedFailed.
	Outcome ResolvedAs `json:"outcome"`
	// Reason says why, for whoever asks later; for the operator alone.
	Reason string `json:"reason,omitempty"`
	// By is who decided; for the operator alone.
	By string `json:"by,omitempty"`
	// At is when; the journal sets it.
	At time.Time `json:"at"`
	// Was is the state before; the journal sets it.
	Was State `json:"was"`
	// WasTransactionID is the distributor's id that the order had; the journal sets it.
	WasTransactionID NullString `json:"was_transaction_id"`

	// What the distributor's statement says of the purchase; for ResolvedSucceeded only.
	TransactionID NullString `json:"transaction_id"` // empty: not given
	Reference     NullString `json:"reference"`      // empty: not given
	AuthCode      NullString `json:"auth_code"`      // empty: not given
}

// Check names every wrong field of a correction that was asked for.
func (c Correction) Check() error {
	var errs []error
	if c.Outcome != ResolvedSucceeded && c.Outcome != ResolvedFailed {
		allowed := "one of succeeded, failed"
		errs = append(errs, &FieldError{Field: "outcome", Value: string(c.Outcome), Allowed: allowed})
	}
	errs = append(errs, CheckDecision(c.Reason, c.By)...)
	return errors.Join(append(errs, checkReceipts(c.Outcome, c.TransactionID, c.Reference, c.AuthCode)...)...)
}

// DisputeEnd is how a dispute ended.
type DisputeEnd string

// The ends of a dispute.
const (
	// DisputeUpheld: the order's state was right.
	DisputeUpheld DisputeEnd = "upheld"
	// DisputeCorrected: it was wrong, and has been corrected.
	DisputeCorrected DisputeEnd = "corrected"
)

// Dispute is evidence against an order's final state, and how a person judged it. The order keeps its state meanwhile.
type Dispute struct {
	// Since is when the evidence came; the journal sets it.
	Since time.Time `json:"since"`
	// Evidence says what contradicts the state, and where that is written.
	Evidence string `json:"evidence"`
	// RaisedBy is who or what brought it.
	RaisedBy string `json:"raised_by"`

	// EndedAt is null while the dispute is open.
	EndedAt *time.Time `json:"ended_at"`
	Outcome DisputeEnd `json:"outcome,omitempty"`  // empty while it is open
	Reason  string     `json:"reason,omitempty"`   // why it ended so
	EndedBy string     `json:"ended_by,omitempty"` // who decided
}

// Upholding is a person's decision that a disputed order's state is right.
type Upholding struct {
	Outcome DisputeEnd `json:"outcome"` // DisputeUpheld
	Reason  string     `json:"reason"`  // why, for whoever asks later
	By      string     `json:"by"`      // who decided
}

// Check names every wrong field of a decision that was asked for.
func (u Upholding) Check() error {
	var errs []error
	if u.Outcome != DisputeUpheld {
		allowed := "upheld; where the state was wrong, correct the order instead, which ends its dispute"
		errs = append(errs, &FieldError{Field: "outcome", Value: string(u.Outcome), Allowed: allowed})
	}
	return errors.Join(append(errs, CheckDecision(u.Reason, u.By)...)...)
}
