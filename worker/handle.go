package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"recarga/internal/intake"
	"recarga/tasks"
	"recarga/topup"
)

// Intake says which orders are accepted whose producer has only Redis.
type Intake interface {
	// Admit judges a task of an order that the book does not know, and the request that it carries. Errors:
	// *intake.RefusedError; those of topup.FieldErrors for what is invalid; any other when it is not known yet.
	Admit(ctx context.Context, task tasks.Task, r topup.Request) error
}

// HandlePurchase does a topup:purchase task.
//
// Of a task for an order that the book knows, only the id counts: whoever sent it, it only wakes. The rest of it is
// judged for an order that the book does not know (its product and price by the journal, as it is accepted), or that
// is Unclaimed: its producer has no other way to claim it. A task that is refused ends as an archived task in the
// queue, with its reason.
func (w *Worker) HandlePurchase(ctx context.Context, task tasks.Task) (again time.Time, err error) {
	id, err := topup.RequestID(task.Payload)
	if err != nil {
		err = fmt.Errorf("it names no valid order: %w", err)
		return time.Time{}, w.refuseTask(ctx, task, "", &intake.RefusedError{Reason: intake.Malformed, Err: err})
	}
	noteOrder(ctx, id)
	if again, err := w.processNew(ctx, id); !errors.Is(err, topup.ErrLost) {
		return again, err
	}
	o, err := w.Journal.Order(ctx, id)
	if errors.Is(err, topup.ErrNotFound) || err == nil && o.Unclaimed {
		o, err = w.acceptTask(ctx, id, task)
	}
	if err != nil {
		return time.Time{}, err
	}
	return w.run(ctx, o, attemptOptions{})
}

// acceptTask records the order of a task, or refuses it.
func (w *Worker) acceptTask(ctx context.Context, id topup.ID, task tasks.Task) (topup.Order, error) {
	r, err := topup.AnyProduct().ParseRequest(task.Payload)
	invalid := topup.FieldErrors(err)
	switch {
	case slices.ContainsFunc(invalid, func(e *topup.FieldError) bool { return e.Field == topup.FieldCaller }):
		return topup.Order{}, w.refuseTask(ctx, task, id, &intake.RefusedError{Reason: intake.CallerUnknown, Err: err})
	case r.Caller == "":
		r.Caller = topup.DefaultCaller
	}
	admitted := w.Intake.Admit(ctx, task, r)
	var refused *intake.RefusedError
	switch {
	case errors.As(admitted, &refused):
		return topup.Order{}, w.refuseTask(ctx, task, id, refused)
	case len(topup.FieldErrors(admitted)) > 0:
		r.CallbackURL = "" // no URL that was not allowed learns what becomes of the order
		err = errors.Join(err, admitted)
	case admitted != nil:
		return topup.Order{}, admitted
	}
	if err != nil {
		return w.recordInvalid(ctx, task, r, err)
	}
	o, _, err := w.Journal.Accept(ctx, r, time.Now())
	switch {
	case len(topup.FieldErrors(err)) > 0:
		return w.recordInvalid(ctx, task, r, err)
	case errors.Is(err, topup.ErrConflict): // the book knows the id by now, or from a statement: the task only wakes
		return w.Journal.Order(ctx, r.ID)
	}
	if err == nil {
		attrs := append(o.LogAttrs(), slog.Any("phone", o.Phone))
		w.Log.LogAttrs(ctx, slog.LevelInfo, "order accepted from the queue", attrs...)
	}
	return o, err
}

// recordInvalid records an order of a caller that may place orders, and that is not valid: its producer got
// no answer, so the record and a webhook are the only places where it can learn.
func (w *Worker) recordInvalid(ctx context.Context, task tasks.Task, r topup.Request, why error) (topup.Order, error) {
	now := time.Now()
	o := r.Order(now)
	if r.CheckTimes(now) != nil {
		o.Reason = topup.ReasonExpired // it was valid once
	}
	event, err := w.Journal.AcceptInvalid(ctx, o, why.Error(), now)
	if len(topup.FieldErrors(err)) > 0 {
		return topup.Order{}, w.refuseTask(ctx, task, r.ID, &intake.RefusedError{Reason: intake.IDReserved, Err: err})
	}
	if err != nil && !errors.Is(err, topup.ErrConflict) {
		return topup.Order{}, err
	}
	w.deliver(ctx, event)
	o, readErr := w.Journal.Order(ctx, r.ID)
	if event != nil {
		w.Refused(string(intake.Invalid))
		attrs := append(o.LogAttrs(), slog.Any("error", why))
		w.Log.LogAttrs(ctx, slog.LevelWarn, "order from the queue is invalid", attrs...)
	}
	return o, readErr
}

// refuseTask counts a task that is refused, and has asynq archive it, where a person sees it with its reason. When the
// reason is gone, the task may be run again from there.
func (w *Worker) refuseTask(
	ctx context.Context, task tasks.Task, id topup.ID, refused *intake.RefusedError,
) error {
	w.Refused(string(refused.Reason))
	w.Log.WarnContext(ctx, "task refused", "reason", refused.Reason, "order", id, "task", task.ID, "error",
		refused.Err)
	return fmt.Errorf("%w: %w", refused, tasks.ErrArchive)
}

// HandleDelivery does a webhook:deliver task.
func (w *Worker) HandleDelivery(ctx context.Context, task tasks.Task) (again time.Time, err error) {
	d, err := tasks.ParseDelivery(task.Payload)
	if err != nil {
		return time.Time{}, w.refuseTask(ctx, task, "", &intake.RefusedError{Reason: intake.Malformed, Err: err})
	}
	return w.Deliverer.Deliver(ctx, d.EventID)
}

// noIntake is the Intake of a Worker that was given none.
type noIntake struct{}

// Admit implements Intake.
func (noIntake) Admit(context.Context, tasks.Task, topup.Request) error {
	err := errors.New("no order is accepted from Redis alone")
	return &intake.RefusedError{Reason: intake.CallerReserved, Err: err}
}
