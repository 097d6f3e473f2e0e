package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"recarga/tasks"
	"recarga/topup"
)

// HandlePurchase does a topup:purchase task.
//
// The payload is the order's request. It is judged only for an order that the journal does not know (its product and
// price by the journal, as it is accepted, so that no catalogue of this process stops one that was accepted before);
// one that names no valid id cannot be recorded, so it stays in the queue as an error for the
// operator to see.
func (w *Worker) HandlePurchase(ctx context.Context, task *asynq.Task) (again time.Time, err error) {
	if id, err := topup.RequestID(task.Payload()); err == nil {
		noteOrder(ctx, id)
		if again, err := w.lookFirst(ctx, id); !errors.Is(err, topup.ErrLost) {
			return again, err
		}
	}
	r, invalid := topup.AnyProduct().ParseRequest(task.Payload())
	if r.ID == "" {
		return time.Time{}, fmt.Errorf("purchase task names no valid order: %w", invalid)
	}
	if r.Caller == "" {
		r.Caller = topup.DefaultCaller
	}
	if invalid == nil {
		return w.Look(ctx, r)
	}
	if o, err := w.Journal.Order(ctx, r.ID); err == nil {
		return w.Look(ctx, o.Request())
	}
	_, err = w.refuse(ctx, r, invalid)
	return time.Time{}, err
}

// HandleDelivery does a webhook:deliver task.
func (w *Worker) HandleDelivery(ctx context.Context, task *asynq.Task) (again time.Time, err error) {
	d, err := tasks.ParseDelivery(task.Payload())
	if err != nil {
		return time.Time{}, fmt.Errorf("delivery task: %w", err)
	}
	return w.Teller.Deliver(ctx, d.EventID)
}
