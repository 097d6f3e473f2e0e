// Package intake decides which orders to accept from producers that have only Redis. Whoever can write to Redis can
// enqueue a task, so such an order must pass what the API asks of a request: its caller may place orders, its webhook
// goes nowhere but to that caller, and, if there is a key for it, somebody has signed it.
package intake

import (
	"context"
	"errors"
	"fmt"

	"recarga/tasks"
	"recarga/topup"
)

// Reason says why a task is refused, in a word.
type Reason string

// The reasons.
const (
	// Malformed: the task names no order or event.
	Malformed Reason = "malformed"
	// Invalid: what the order asks for cannot be bought. It is in the book, failed, and its caller is notified.
	Invalid Reason = "invalid"
	// Unsigned and Signature: RECARGA_TASK_KEY is set, and nobody who has it has signed the task.
	Unsigned  Reason = "unsigned"
	Signature Reason = "signature"
	// CallerReserved: the name is not one that places orders by tasks, here.
	CallerReserved Reason = "caller_reserved"
	CallerUnknown  Reason = "caller_unknown"
	CallerDisabled Reason = "caller_disabled"
	// IDReserved: the id begins with another caller's prefix.
	IDReserved Reason = "id_reserved"
)

// Reasons are all of them.
func Reasons() []Reason {
	return []Reason{Malformed, Invalid, Unsigned, Signature, CallerReserved, CallerUnknown, CallerDisabled, IDReserved}
}

// RefusedError is why a task is refused. Nothing of it is recorded in the book: whoever sent it may not take an id.
type RefusedError struct {
	Reason Reason // one word, for the metric
	// Err says what is wrong.
	Err error
}

func (e *RefusedError) Error() string { return fmt.Sprintf("task refused (%s): %v", e.Reason, e.Err) }

func (e *RefusedError) Unwrap() error { return e.Err }

// Rules are what a task of an order has to pass that the book does not know yet.
type Rules struct {
	// TaskKeys are those of RECARGA_TASK_KEY; with none, tasks need no signature.
	TaskKeys []string
	// Default: there is a caller named default. DefaultURL is its callback URL, if any.
	Default    bool
	DefaultURL string
	// Caller is one of the registry, or topup.ErrNotFound.
	Caller func(ctx context.Context, name string) (topup.Caller, error)
}

// Admit judges a task and the request that it carries, whose caller is set. Errors: *RefusedError; those of
// topup.FieldErrors for a callback URL that is not the caller's; any other when it is not known yet.
func (r Rules) Admit(ctx context.Context, task tasks.Task, request topup.Request) error {
	if err := r.signed(task); err != nil {
		return err
	}
	urls, err := r.urls(ctx, request.Caller)
	if err != nil {
		return err
	}
	return topup.CheckCallback(request.CallbackURL, urls...)
}

func (r Rules) signed(task tasks.Task) error {
	if len(r.TaskKeys) == 0 {
		return nil
	}
	err := tasks.Verify(task, r.TaskKeys...)
	switch {
	case errors.Is(err, tasks.ErrUnsigned):
		return &RefusedError{Unsigned, fmt.Errorf("%w: sign it with RECARGA_TASK_KEY", err)}
	case err != nil:
		return &RefusedError{Signature, err}
	}
	return nil
}

// urls are where a caller's webhooks may go.
func (r Rules) urls(ctx context.Context, name string) ([]string, error) {
	switch name {
	case topup.OperatorCaller:
		return nil, &RefusedError{CallerReserved, fmt.Errorf("caller %s places no orders", name)}
	case topup.DefaultCaller:
		if !r.Default {
			return nil, &RefusedError{CallerReserved, fmt.Errorf("there is no caller named %s: set RECARGA_API_KEY", name)}
		}
		return []string{r.DefaultURL}, nil
	}
	c, err := r.Caller(ctx, name)
	switch {
	case errors.Is(err, topup.ErrNotFound):
		return nil, &RefusedError{CallerUnknown, fmt.Errorf("caller %q is not registered", name)}
	case err != nil:
		return nil, fmt.Errorf("caller %q: %w", name, err)
	case c.DisabledAt != nil:
		return nil, &RefusedError{CallerDisabled, fmt.Errorf("caller %q is disabled", name)}
	}
	urls := []string{c.CallbackURL}
	for _, e := range c.Endpoints {
		urls = append(urls, e.URL)
	}
	return urls, nil
}
