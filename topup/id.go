package topup

import "regexp"

// ID is an order's distributor_transaction_id: chosen by the caller, globally unique, for ever.
type ID string

// IDPattern is what an ID looks like. It is not "." or "..": every reader of a URL takes those out of its path, and
// such an order could not be read or canceled.
const IDPattern = `^(?:[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,63}|` +
	`\.[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,62}|\.\.[A-Za-z0-9._:-]{1,62})$`

var idPattern = regexp.MustCompile(IDPattern)

const idAllowed = "1 to 64 characters of A-Z a-z 0-9 . _ : -, and not . or .."

// ParseID returns s as an ID, or a *FieldError.
func ParseID(s string) (ID, error) {
	return matching(FieldID, ID(s), idPattern, idAllowed)
}
