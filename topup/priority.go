package topup

import (
	"cmp"
	"slices"
)

// Priority is how soon an order is bought while not all can be: within the distributor's rate limit, or after an
// outage. The empty Priority of a Request is PriorityNormal.
type Priority string

// The priorities, the most urgent first.
const (
	// PriorityHigh is for an order that a person waits for.
	PriorityHigh   Priority = "high"
	PriorityNormal Priority = "normal"
	// PriorityBulk is for the many orders of a file: they wait from the start, and delay no other order.
	PriorityBulk Priority = "bulk"
)

var priorities = []Priority{PriorityHigh, PriorityNormal, PriorityBulk}

// Priorities are all of them, the most urgent first.
func Priorities() []Priority { return slices.Clone(priorities) }

// Rank counts from 0, the most urgent.
func (p Priority) Rank() int {
	return max(slices.Index(priorities, cmp.Or(p, PriorityNormal)), 0)
}

// PriorityOfRank is the priority of a rank; PriorityNormal for a rank that is none.
func PriorityOfRank(rank int) Priority {
	if rank < 0 || rank >= len(priorities) {
		return PriorityNormal
	}
	return priorities[rank]
}

func parsePriority(s string) (Priority, error) { return OneOf(FieldPriority, s, priorities) }

// Wait is why an order waits in the wait queue instead of being bought. The values are stored.
type Wait string

// Why an order waits.
const (
	// WaitFairShare: its priority is bulk, so that it waits until it is released.
	WaitFairShare Wait = "turn"
	// WaitRate: the distributor's rate limit is used up (RECARGA_DISTRIBUTOR_RATE, or its 429).
	WaitRate Wait = "pace"
	// WaitOutage: its operator's purchases fail.
	WaitOutage Wait = "outage"
	// WaitBalance: the balance is below RECARGA_BALANCE_RESERVE.
	WaitBalance Wait = "balance"
	// WaitOperator: an operator holds it back.
	WaitOperator Wait = "operator"
	// WaitLogin: the distributor refuses the credentials.
	WaitLogin Wait = "login"
	// WaitPaused: a person has paused its caller, product or operator, or all purchases.
	WaitPaused Wait = "paused"
)

// Waits are all reasons there are.
func Waits() []Wait {
	return []Wait{WaitFairShare, WaitRate, WaitOutage, WaitBalance, WaitLogin, WaitPaused, WaitOperator}
}

// ParseWait reads why an order waits. Its error is a *FieldError.
func ParseWait(s string) (Wait, error) { return OneOf("waits_for", s, Waits()) }

// Waiting is an order that waits in the wait queue.
type Waiting struct {
	// ID, Caller, Product and Amount are the order's.
	ID              ID
	Caller, Product string // its operator is OperatorOf(Product)
	Amount          Amount // in MXN
	// Priority decides first which order is released.
	Priority Priority
	// AttemptCount is how many attempts it has had; 0: it has never been tried.
	AttemptCount int
	// Place is smaller for an order that was accepted earlier.
	Place int64
}
