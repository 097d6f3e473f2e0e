// Package controls is what people set at run time: pauses of purchases and webhooks, and limits of the distributor.
// The book of record has them, so that nothing but a person ends one. Every process reads them there; the pauses of
// asynq's queues are beside them, so that what is paused for all is not even fetched.
package controls

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"recarga/internal/audit"
	"recarga/internal/queue"
	"recarga/tasks"
	"recarga/topup"
	"recarga/topup/desk"
)

// Book keeps them: the journal.
type Book interface {
	Controls(ctx context.Context) (desk.Controls, error)
	// SetControl sets a pause or a limit; what is set so already stays as it is.
	SetControl(ctx context.Context, c desk.Control) error
	// EndControl ends a pause or a limit; where none is set, nothing changes.
	EndControl(ctx context.Context, kind desk.ControlKind, name string) error
	// RecordAct writes an action that changes nothing of the book, unless it is written already.
	RecordAct(ctx context.Context) error
	// PausedOrders counts the orders that wait for a pause to end.
	PausedOrders(ctx context.Context) ([]desk.PausedOrders, error)
}

// Queue is asynq's.
type Queue interface {
	Glance(ctx context.Context) (map[string]queue.Info, error)
	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
}

// Callers knows who places orders: callers.Registry.
type Callers interface {
	// Caller returns topup.ErrNotFound for a name that nobody has.
	Caller(ctx context.Context, name string) (topup.Caller, error)
}

// Desk sets the controls. It is safe for concurrent use.
type Desk struct {
	// Book keeps them.
	Book Book
	// Queue is paused beside them.
	Queue Queue
	// Callers and Catalog say which names there are.
	Callers Callers
	Catalog topup.Catalog
	// Log gets a line for each change.
	Log *slog.Logger
}

// queueOf is the queue that a pause is of; empty: it is of none.
func queueOf(kind desk.ControlKind) string {
	return map[desk.ControlKind]string{
		desk.PausePurchases: tasks.QueueTopups, desk.PauseWebhooks: tasks.QueueWebhooks,
	}[kind]
}

// Set sets a pause or a limit, now. Of a pause that is set already, who set it first is kept. Errors: those of
// topup.FieldErrors.
func (d Desk) Set(ctx context.Context, c desk.Control) error {
	if err := errors.Join(c.Check(), d.checkName(ctx, c)); err != nil {
		return err
	}
	c.Since = time.Now()
	ctx = audit.Because(audit.To(audit.On(ctx, c.String()), string(c.Value)), string(c.Reason))
	if err := d.Book.SetControl(ctx, c); err != nil {
		return err
	}
	d.Log.WarnContext(ctx, "control set", "control", c.String(), "value", string(c.Value), "by", c.By,
		"why", string(c.Reason))
	if name := queueOf(c.Kind); name != "" {
		if err := d.Queue.Pause(ctx, name); err != nil { // the book alone stops it as well, a little later
			d.Log.WarnContext(ctx, "queue not paused beside the book", "queue", name, "error", err)
		}
	}
	return nil
}

// End ends a pause, or has the settings say a limit again. Where none is set, it is no error. c has its kind and name,
// with who ends it, and why. Errors: those of topup.FieldErrors; *QueueError.
func (d Desk) End(ctx context.Context, c desk.Control) error {
	if err := c.CheckEnd(); err != nil {
		return err
	}
	ctx = audit.Because(audit.On(ctx, c.String()), string(c.Reason))
	if err := d.Book.EndControl(ctx, c.Kind, string(c.Name)); err != nil {
		return err
	}
	d.Log.WarnContext(ctx, "control ended", "control", c.String(), "by", c.By, "why", string(c.Reason))
	name := queueOf(c.Kind)
	if name == "" {
		return nil
	}
	return d.resume(ctx, name)
}

// resume ends the pause of a queue. That is an act of its own where the book had none: somebody has paused the queue
// with asynq's own tools.
func (d Desk) resume(ctx context.Context, name string) error {
	all, err := d.Queue.Glance(ctx)
	if err == nil && !all[name].Paused {
		return nil
	}
	if err == nil {
		if err := d.Book.RecordAct(ctx); err != nil {
			return err
		}
		err = d.Queue.Resume(ctx, name)
	}
	if err != nil {
		return &QueueError{Queue: name, Err: err}
	}
	return nil
}

// QueueError: a pause has ended in the book, and its queue stays paused.
type QueueError struct {
	// Queue is its name, and Err why.
	Queue string
	Err   error
}

// Error says what to do.
func (e *QueueError) Error() string {
	return fmt.Sprintf("the pause has ended in the book, but queue %s is still paused in Redis: %v; repeat it", e.Queue,
		e.Err)
}

// Unwrap is why.
func (e *QueueError) Unwrap() error { return e.Err }

// checkName refuses a name that nothing has: a pause of it would stop nothing.
func (d Desk) checkName(ctx context.Context, c desk.Control) error {
	name := string(c.Name)
	switch c.Kind {
	case desk.PauseCaller:
		return d.checkCaller(ctx, name)
	case desk.PauseProduct:
		return known("name", name, d.products(func(p topup.Product) string { return p.ID }))
	case desk.PauseOperator:
		return known("name", name, d.products(func(p topup.Product) string { return topup.OperatorOf(p.ID) }))
	default:
		return nil
	}
}

func (d Desk) checkCaller(ctx context.Context, name string) error {
	if name == "" || name == topup.DefaultCaller {
		return nil
	}
	_, err := d.Callers.Caller(ctx, name)
	if errors.Is(err, topup.ErrNotFound) {
		return &topup.FieldError{Field: "name", Value: name, Allowed: "the name of a caller"}
	}
	return err
}

func (d Desk) products(of func(topup.Product) string) (names []string) {
	for _, p := range d.Catalog.Products() {
		names = append(names, of(p))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func known(field, name string, names []string) error {
	if name == "" || slices.Contains(names, name) {
		return nil
	}
	return &topup.FieldError{Field: field, Value: name, Allowed: "one of " + strings.Join(names, ", ")}
}

// Standings are all that is set, the oldest first.
func (d Desk) Standings(ctx context.Context) ([]desk.ControlStanding, error) {
	set, err := d.Book.Controls(ctx)
	if err != nil {
		return nil, err
	}
	waiting, err := d.Book.PausedOrders(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]desk.ControlStanding, len(set))
	for i, c := range set {
		all[i] = desk.ControlStanding{Control: c}
		for _, orders := range waiting {
			all[i].Add(orders)
		}
	}
	return all, nil
}
