package worker

import (
	"context"
	"encoding/json"
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
	if id, err := orderOf(task); err == nil {
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

// orderOf is the order that a purchase task names.
func orderOf(task *asynq.Task) (topup.ID, error) {
	var named struct {
		ID string `json:"distributor_transaction_id"`
	}
	if err := json.Unmarshal(task.Payload(), &named); err != nil {
		return "", err
	}
	return topup.ParseID(named.ID)
}

// HandleDelivery does a webhook:deliver task.
func (w *Worker) HandleDelivery(ctx context.Context, task *asynq.Task) (again time.Time, err error) {
	var d tasks.Delivery
	if err := json.Unmarshal(task.Payload(), &d); err != nil {
		return time.Time{}, fmt.Errorf("delivery task: %w", err)
	}
	return w.Teller.Deliver(ctx, d.EventID)
}
