package topup

import (
	"fmt"
	"strings"
)

// The fields of a request, as callers know them.
const (
	FieldID          = "distributor_transaction_id"
	FieldPhone       = "phone_number"
	FieldProduct     = "product_id"
	FieldAmount      = "amount"
	FieldOperator    = "operator"
	FieldPriority    = "priority"
	FieldCallbackURL = "callback_url"
	FieldProcessAt   = "process_at"
	FieldExpiresAt   = "expires_at"
	FieldMetadata    = "metadata"
	FieldCaller      = "caller"
)

// FieldError is one wrong field of an input: its name, the value found, and what is allowed.
type FieldError struct {
	Field   string
	Value   string
	Allowed string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %s is not allowed; must be %s", e.Field, e.Shown(), e.Allowed)
}

// Shown is the refused value as it may be shown to anybody: cut short, and masked for a phone number.
func (e *FieldError) Shown() string {
	switch {
	case e.Value == "":
		return "an absent or empty value"
	case e.Field == FieldPhone:
		return fmt.Sprintf("%q", MaskPhone(clip(e.Value)))
	default:
		return fmt.Sprintf("%q", clip(e.Value))
	}
}

func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// FieldErrors collects the FieldErrors that err is made of, in order.
func FieldErrors(err error) []*FieldError {
	switch e := err.(type) {
	case *FieldError:
		return []*FieldError{e}
	case interface{ Unwrap() error }:
		return FieldErrors(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*FieldError
		for _, one := range e.Unwrap() {
			all = append(all, FieldErrors(one)...)
		}
		return all
	}
	return nil
}
