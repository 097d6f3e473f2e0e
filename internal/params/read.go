package params

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"recarga/topup"
)

// Reader reads parameters, and collects what is wrong with them.
type Reader struct {
	url.Values
	errs []error
}

// Read reads a parameter, which Check has found to be given once at most. An empty one is an absent one: the zero
// value.
func Read[T any](r *Reader, name string, parse func(string) (T, error)) T {
	var zero T
	given := r.Get(name)
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
func OneOf(name string, values ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if slices.Contains(values, s) {
			return s, nil
		}
		return "", &topup.FieldError{Field: name, Value: s, Allowed: "one of " + strings.Join(values, ", ")}
	}
}
