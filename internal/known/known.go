// Package known is for figures that may not have been read: whoever shows one must say what is shown then, so that
// what is not known never looks like zero, or like nothing being wrong.
package known

// Figure is something that was read, or why it was not. The zero Figure was not read.
type Figure[T any] struct {
	value *T
	err   error
}

// Of is what a read returned.
func Of[T any](value T, err error) Figure[T] {
	if err != nil {
		return Figure[T]{err: err}
	}
	return Figure[T]{value: &value}
}

// Read is the figure; nil: it is not known. A page that forgets to ask shows nothing at all: there is no other way
// to it.
func (f Figure[T]) Read() *T { return f.value }

// Why says why it is not known; empty where it is.
func (f Figure[T]) Why() string {
	switch {
	case f.value != nil:
		return ""
	case f.err == nil:
		return "it was not read"
	}
	return f.err.Error()
}
