package desk

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"recarga/topup"
)

// ControlKind is what a person can set at run time.
type ControlKind string

// The pauses, and the limits.
const (
	// PausePurchases: nobody buys.
	PausePurchases ControlKind = "purchases"
	// PauseWebhooks: nobody delivers.
	PauseWebhooks ControlKind = "webhooks"
	// PauseCaller, PauseProduct and PauseOperator: nothing is bought for the caller, of the product, or of the operator.
	PauseCaller   ControlKind = "caller"
	PauseProduct  ControlKind = "product"
	PauseOperator ControlKind = "operator"
	// LimitRate bounds the requests to the distributor, of all workers together, in the place of
	// RECARGA_DISTRIBUTOR_RATE.
	LimitRate ControlKind = "rate"
	// LimitConcurrency bounds the purchases of one worker that are under way, in the place of
	// RECARGA_DISTRIBUTOR_CONCURRENCY.
	LimitConcurrency ControlKind = "concurrency"
)

// Pauses are the kinds that stop something.
func Pauses() []ControlKind {
	return []ControlKind{PausePurchases, PauseWebhooks, PauseCaller, PauseProduct, PauseOperator}
}

// Limits are the kinds that bound something.
func Limits() []ControlKind { return []ControlKind{LimitRate, LimitConcurrency} }

// Named reports whether a control of this kind is for one of many, by its name.
func (k ControlKind) Named() bool { return k == PauseCaller || k == PauseProduct || k == PauseOperator }

// IsLimit reports whether it bounds something, and does not stop it.
func (k ControlKind) IsLimit() bool { return k == LimitRate || k == LimitConcurrency }

const (
	// NoLimit is the value of a rate that is not limited.
	NoLimit = "none"
	// MostConcurrency bounds the concurrency of one worker.
	MostConcurrency = 10000
)

// Control is what a person has set at run time: a pause, or a limit.
type Control struct {
	// Kind is what is paused or limited.
	Kind ControlKind `json:"kind" doc:"What is paused or limited."`
	// Name is the caller's, product's or operator's; empty of the others.
	Name topup.NullString `json:"name" doc:"The caller, product or operator; null of the other kinds."`
	// Value is that of a limit; empty of a pause.
	Value topup.NullString `json:"value" doc:"That of a limit, as in 100/m; null of a pause."`
	// Since is when it was set, By by whom, and Reason why.
	Since  time.Time        `json:"since" doc:"When it was set."`
	By     string           `json:"by" doc:"Who set it."`
	Reason topup.NullString `json:"reason" doc:"Why."`
}

// String is what it is set for, as in "caller shop".
func (c Control) String() string { return strings.TrimSpace(string(c.Kind) + " " + string(c.Name)) }

// Says is what holds, as in "caller shop is paused".
func (c Control) Says() string {
	if c.Kind.IsLimit() {
		return c.String() + " is limited to " + string(c.Value)
	}
	return c.String() + " is paused"
}

// Check names every wrong field. Whether there is such a caller, product or operator, it does not know.
func (c Control) Check() error {
	return errors.Join(c.CheckEnd(), c.checkValue())
}

// CheckEnd names every wrong field of what is to be ended.
func (c Control) CheckEnd() error {
	return errors.Join(append(topup.CheckDecision(string(c.Reason), c.By), c.checkKind(), c.checkName())...)
}

func (c Control) checkKind() error {
	_, err := topup.OneOf("kind", string(c.Kind), append(Pauses(), Limits()...))
	return err
}

func (c Control) checkName() error {
	switch {
	case c.Kind.Named() && c.Name == "":
		return &topup.FieldError{Field: "name", Allowed: "the name of the " + string(c.Kind)}
	case !c.Kind.Named() && c.Name != "":
		return &topup.FieldError{Field: "name", Value: string(c.Name), Allowed: "absent: there is one of " + string(c.Kind)}
	}
	return nil
}

func (c Control) checkValue() error {
	switch c.Kind {
	case LimitRate:
		if _, err := topup.ParseRate("rate", string(c.Value)); err == nil && c.Value != "" || c.Value == NoLimit {
			return nil
		}
		return &topup.FieldError{Field: "rate", Value: string(c.Value), Allowed: "COUNT/s, COUNT/m or COUNT/h, as in " +
			"5/s, or " + NoLimit}
	case LimitConcurrency:
		if n, err := strconv.Atoi(string(c.Value)); err == nil && n >= 1 && n <= MostConcurrency {
			return nil
		}
		return &topup.FieldError{Field: "concurrency", Value: string(c.Value), Allowed: "a whole number from 1 to " +
			strconv.Itoa(MostConcurrency)}
	}
	return nil
}

// Controls are all that people have set.
type Controls []Control

// Equal reports whether the same is set, by the same people.
func (all Controls) Equal(other Controls) bool {
	return slices.EqualFunc(all, other, func(a, b Control) bool {
		same := a.Since.Equal(b.Since)
		a.Since = b.Since
		return same && a == b
	})
}

// PurchasePause is the pause that keeps an order of a caller and a product from being bought; ok is false where none
// does.
func (all Controls) PurchasePause(caller, product string) (pause Control, ok bool) {
	for _, c := range all {
		switch {
		case c.Kind == PausePurchases, c.Kind == PauseCaller && string(c.Name) == caller,
			c.Kind == PauseProduct && string(c.Name) == product,
			c.Kind == PauseOperator && string(c.Name) == topup.OperatorOf(product):
			return c, true
		}
	}
	return pause, false
}

// Without are the others.
func (all Controls) Without(kind ControlKind, name topup.NullString) Controls {
	return slices.DeleteFunc(slices.Clone(all), func(c Control) bool { return c.Kind == kind && c.Name == name })
}

// PausesPurchases reports whether any order is kept from being bought.
func (all Controls) PausesPurchases() bool {
	for _, c := range all {
		if c.Kind == PausePurchases || c.Kind.Named() {
			return true
		}
	}
	return false
}

// Of is the control of a kind that has no name; ok is false where it is not set.
func (all Controls) Of(kind ControlKind) (c Control, ok bool) {
	for _, c := range all {
		if c.Kind == kind {
			return c, true
		}
	}
	return c, false
}

// Rate is the rate that is set, or the one of the settings.
func (all Controls) Rate(settings topup.Rate) topup.Rate {
	c, set := all.Of(LimitRate)
	if !set {
		return settings
	}
	r, _ := topup.ParseRate("rate", strings.TrimPrefix(string(c.Value), NoLimit)) // it was checked when it was set
	return r
}

// Concurrency is the one that is set, or the one of the settings.
func (all Controls) Concurrency(settings int) int {
	c, set := all.Of(LimitConcurrency)
	if n, err := strconv.Atoi(string(c.Value)); set && err == nil {
		return n
	}
	return settings
}

// PausedOrders are the orders of a caller and product that wait for a pause to end.
type PausedOrders struct {
	// Caller and Product are theirs, and Count how many there are.
	Caller, Product string
	Count           int
	// FirstEnds is when the first of them ends, if it is not bought before; zero: none does.
	FirstEnds time.Time
}

// ControlStanding is a control, and who waits for its end.
type ControlStanding struct {
	Control
	// Waiting counts the orders that wait for the end of a pause.
	Waiting int `json:"waiting" doc:"How many orders wait for the end of the pause."`
	// FirstEnds is when the first of them ends, if it is not bought before; nil: none does.
	FirstEnds *time.Time `json:"first_ends_at" doc:"When the first of them ends, if it is not bought before; null: none."`
}

// Add adds orders that wait, if it is for this control's end.
func (s *ControlStanding) Add(orders PausedOrders) {
	if _, waits := (Controls{s.Control}).PurchasePause(orders.Caller, orders.Product); !waits {
		return
	}
	s.Waiting += orders.Count
	if ends := orders.FirstEnds; !ends.IsZero() && (s.FirstEnds == nil || ends.Before(*s.FirstEnds)) {
		s.FirstEnds = &ends
	}
}
