package params

import (
	"cmp"
	"errors"
	"net/url"
	"strings"
	"time"

	"recarga/topup"
)

// Reader reads parameters, and collects what is wrong with them.
type Reader struct {
	url.Values
	errs []error
}

// Read reads a parameter. An empty one is an absent one: the zero value. One that is given twice is refused, also
// where nobody has called Check.
func Read[T any](r *Reader, name string, parse func(string) (T, error)) T {
	return ReadOr(r, name, "", parse)
}

// ReadOr is Read with the text that an absent parameter stands for.
func ReadOr[T any](r *Reader, name, standard string, parse func(string) (T, error)) T {
	var zero T
	if all := r.Values[name]; len(all) > 1 {
		r.errs = append(r.errs, &topup.FieldError{Field: name, Value: strings.Join(all, ", "), Allowed: onceAllowed})
		return zero
	}
	given := cmp.Or(r.Get(name), standard)
	if given == "" {
		return zero
	}
	value, err := parse(given)
	if err != nil {
		r.errs = append(r.errs, err)
		return zero
	}
	return value
}

// Err joins a *topup.FieldError for each parameter that was wrong.
func (r *Reader) Err() error { return errors.Join(r.errs...) }

// AsIs reads any text.
func AsIs(s string) (string, error) { return s, nil }

// Time reads RFC 3339. A plus sign that was not escaped has become a space on the way.
func Time(name string) func(string) (time.Time, error) {
	return func(s string) (time.Time, error) {
		t, err := time.Parse(time.RFC3339, strings.ReplaceAll(s, " ", "+"))
		if err != nil || t.IsZero() { // the zero time would mean that none is given
			return time.Time{}, &topup.FieldError{Field: name, Value: s,
				Allowed: "a time of RFC 3339, as in 2026-01-31T18:00:00Z"}
		}
		return t.UTC(), nil
	}
}

// OneOf reads one of a few values.
func OneOf[T ~string](name string, values ...T) func(string) (T, error) {
	return func(s string) (T, error) { return topup.OneOf(name, s, values) }
}

// Flag reads true or false.
func Flag(name string) func(string) (bool, error) {
	return func(s string) (bool, error) {
		said, err := OneOf(name, "true", "false")(s)
		return said == "true", err
	}
}
