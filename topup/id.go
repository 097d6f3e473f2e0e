package topup

import "regexp"

// ID is an order's distributor_transaction_id: chosen by the caller, globally unique, for ever.
type ID string

var idPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

const idAllowed = "1 to 64 characters of A-Z a-z 0-9 . _ : -"

// ParseID returns s as an ID, or a *FieldError.
func ParseID(s string) (ID, error) {
	if !idPattern.MatchString(s) {
		return "", &FieldError{Field: FieldID, Value: s, Allowed: idAllowed}
	}
	return ID(s), nil
}
