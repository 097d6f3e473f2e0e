package topup

import "encoding/json"

// NullString is a text that is written to JSON as null when it is empty.
type NullString string

// MarshalJSON writes an empty text as null.
func (s NullString) MarshalJSON() ([]byte, error) { return marshalNull(string(s)) }

func marshalNull(s string) ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return json.Marshal(s)
}
