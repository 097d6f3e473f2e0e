package topup

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// maxBalanceText bounds what is parsed of a foreign number.
const maxBalanceText = 32

// ParseBalance reads a balance in hundredths of its unit, rounded down: a vendor that counts in another currency may
// have more decimals.
func ParseBalance(n json.Number) (Amount, error) {
	wrong := fmt.Errorf("balance %.40q is not a number of a sane size", string(n))
	if len(n) == 0 || len(n) > maxBalanceText {
		return 0, wrong
	}
	d, err := decimal.NewFromString(string(n))
	if err != nil || d.Exponent() < -maxBalanceText || d.Exponent() > maxAmountText {
		return 0, wrong
	}
	hundredths := d.Shift(2).Floor()
	if !hundredths.BigInt().IsInt64() {
		return 0, wrong
	}
	return Amount(hundredths.IntPart()), nil
}

// BalanceReading is the distributor's balance as one answer gave it: the figure held at some moment between From and
// At. Its Amount is in hundredths of the balance's own unit.
type BalanceReading struct {
	// Amount is the figure.
	Amount Amount
	// Currency is empty where the answer named none, as that of a purchase.
	Currency string
	From, At time.Time // the figure is of some moment between them
}

// BalanceStanding is what all workers together know of the balance.
type BalanceStanding struct {
	// The latest reading. Its At is zero before the first.
	BalanceReading
	// AskAfter is when somebody should ask next.
	AskAfter time.Time
	// Low: it is below RECARGA_BALANCE_LOW, and the operator was notified.
	Low bool
	// Drift is all that has ever gone from the balance without an order of ours to explain it.
	Drift Amount
}

// BalanceChangeKind is what kind of change no order of ours explains.
type BalanceChangeKind string

// Changes of the balance that no order explains.
const (
	BalanceDeposit BalanceChangeKind = "deposit"
	BalanceDrift   BalanceChangeKind = "drift"
)

// BalanceChange is a change of the balance that no order explains, at least so large.
type BalanceChange struct {
	At     time.Time         `json:"at"`     // when it was found
	Kind   BalanceChangeKind `json:"kind"`   // up or down
	Amount Amount            `json:"amount"` // at least; above zero
}

// LowBalance is the data of an EventBalanceLow.
type LowBalance struct {
	Balance  Amount    `json:"balance"`  // in Currency
	Currency string    `json:"currency"` // the balance's own
	Below    Amount    `json:"below"`    // RECARGA_BALANCE_LOW
	At       time.Time `json:"at"`       // of the reading
}

// DriftedBalance is the data of an EventBalanceDrift: between two answers the balance fell by more than all orders
// that can have been charged.
type DriftedBalance struct {
	From          time.Time `json:"from"`           // the first answer
	To            time.Time `json:"to"`             // the second answer
	BalanceBefore Amount    `json:"balance_before"` // by the first
	BalanceAfter  Amount    `json:"balance_after"`  // by the second
	Currency      string    `json:"currency"`       // the balance's own
	// Explained is the most that orders can have taken, those of unknown outcome and those under way included.
	Explained   Amount `json:"explained_at_most"`
	Unexplained Amount `json:"unexplained_at_least"` // the rest
}
