package topup

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"recarga/internal/clip"
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
	Field   string // as callers know it
	Value   string // as it was given; show Safe
	Allowed string // follows "must be"
	// Cause says what is wrong with this value, or how it has probably come about; empty where Allowed says enough. It
	// never contains the value itself.
	Cause string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %s is not allowed; %s", e.Field, e.Shown(), e.Message())
}

// Message says what is allowed, and the cause.
func (e *FieldError) Message() string {
	if e.Cause == "" {
		return "must be " + e.Allowed
	}
	return fmt.Sprintf("must be %s; %s", e.Allowed, e.Cause)
}

// Shown is Safe in quotes, with how long a refused phone number is.
func (e *FieldError) Shown() string {
	switch {
	case e.Value == "":
		return "an absent or empty value"
	case e.Field == FieldPhone:
		return fmt.Sprintf("%q (%s)", e.Safe(), counted(utf8.RuneCountInString(e.Value)))
	default:
		return fmt.Sprintf("%q", e.Safe())
	}
}

func counted(characters int) string {
	if characters == 1 {
		return "1 character"
	}
	return fmt.Sprintf("%d characters", characters)
}

// OneOf returns s as one of a few values, or a *FieldError that names them.
func OneOf[T ~string](field, s string, all []T) (T, error) {
	if slices.Contains(all, T(s)) {
		return T(s), nil
	}
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = string(one)
	}
	return "", &FieldError{Field: field, Value: s, Allowed: "one of " + strings.Join(names, ", ")}
}

// matching returns s, if it has a form, or a *FieldError that says which.
func matching[T ~string](field string, s T, form *regexp.Regexp, allowed string) (T, error) {
	if !form.MatchString(string(s)) {
		return "", &FieldError{Field: field, Value: string(s), Allowed: allowed}
	}
	return s, nil
}

// maxShown bounds what is shown of a text of somebody else's, in bytes.
const maxShown = 80

// Safe is the refused value as it may be shown to anybody: cut short, and of what may be a phone number the last four
// characters, by which its owner knows it.
func (e *FieldError) Safe() string {
	switch e.Field {
	case FieldPhone:
		return safePhone(e.Value)
	case FieldID, FieldAmount, FieldProduct:
		return clip.Marked(e.Value, maxShown)
	default:
		return MaskPhones(clip.Marked(e.Value, maxShown))
	}
}

// safePhone masks a text that was refused as a phone number. Of one as short as the end that is shown there is nothing
// to hide.
func safePhone(s string) string {
	const shown, most = 4, 40
	runes := []rune(s)
	if len(runes) <= shown {
		return s
	}
	return MaskPhone(string(runes[max(0, len(runes)-most):]))
}

// JoinFields is an error that names the first MaxFaults of some wrong fields, and says so where there may be more.
func JoinFields(fields []*FieldError) error {
	named := fields[:min(len(fields), MaxFaults)]
	errs := make([]error, len(named))
	for i, e := range named {
		errs[i] = e
	}
	if len(named) == MaxFaults {
		errs = append(errs, errors.New(MostNamed))
	}
	return errors.Join(errs...)
}

// FieldErrors collects the FieldErrors that err is made of, in order.
func FieldErrors(err error) (all []*FieldError) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, one := range joined.Unwrap() {
			all = append(all, FieldErrors(one)...)
		}
		return all
	}
	var one *FieldError
	if errors.As(err, &one) {
		all = append(all, one)
	}
	return all
}
