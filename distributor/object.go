package distributor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// object is the JSON object of an answer, its fields in their order and as they were written.
type object struct {
	fields []field
	// odd says which fields that decide nothing could not be taken.
	odd []string
}

type field struct {
	name, folded string
	value        json.RawMessage
}

var errNotJSON = errors.New("not a JSON object")

// parseObject reads one JSON object, perhaps after a byte order mark, and nothing behind it.
func parseObject(data []byte) (*object, error) {
	o := &object{}
	d := json.NewDecoder(bytes.NewReader(withoutBOM(data)))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errNotJSON
	}
	for d.More() {
		key, err := d.Token()
		name, _ := key.(string)
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return nil, errNotJSON
		}
		o.fields = append(o.fields, field{name, fold(name), value})
	}
	if _, err := d.Token(); err != nil {
		return nil, errNotJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	return o, nil
}

// withoutBOM skips a UTF-8 byte order mark, which JSON does not allow and some servers write.
func withoutBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }

// fold is a name without its case, as encoding/json folds it: ſ is an s, the Kelvin sign a k.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// candidates are all that a reader might take for a field: of several of one name some take the first and
// some the last, and some ignore case. A nil is the field's absence.
func (o *object) candidates(name string) (all []json.RawMessage) {
	exact := false
	for _, f := range o.fields {
		if f.folded == name {
			all = append(all, f.value)
		}
		exact = exact || f.name == name
	}
	if !exact {
		all = append(all, nil)
	}
	return all
}

// value is a field that decides nothing. One that is given twice is left out.
func (o *object) value(name string) json.RawMessage {
	var found json.RawMessage
	for _, f := range o.fields {
		if f.folded != name {
			continue
		}
		if found != nil {
			o.leaveOut(name, "it is given more than once")
			return nil
		}
		found = f.value
	}
	if string(found) == "null" {
		return nil
	}
	return found
}

// text takes a text, or a number as it is written: a text of digits to whoever wrote it.
func (o *object) text(name string) string {
	value := o.value(name)
	s, ok := textOf(value)
	if !ok && value != nil {
		o.leaveOut(name, "it is "+kindOf(value))
	}
	return s
}

func (o *object) leaveOut(name, why string) {
	o.odd = append(o.odd, fmt.Sprintf("%s (%s)", name, why))
}

// note says what was left out; empty where nothing was.
func (o *object) note() string {
	if len(o.odd) == 0 {
		return ""
	}
	return "left out of the answer: " + strings.Join(o.odd, ", ")
}

func textOf(value json.RawMessage) (s string, ok bool) {
	switch kindOf(value) {
	case "a text":
		return s, json.Unmarshal(value, &s) == nil
	case "a number":
		return string(value), true
	}
	return "", false
}

// plain is a text, or a whole number that can be written in one way only.
func plain(value json.RawMessage) (s string, ok bool) {
	s, ok = textOf(value)
	return s, ok && (value[0] == '"' || strings.Trim(s, "0123456789") == "")
}

func kindOf(value json.RawMessage) string {
	if len(value) == 0 {
		return "missing"
	}
	switch value[0] {
	case '"':
		return "a text"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}
