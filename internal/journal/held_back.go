package journal

import (
	"context"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// HoldBack keeps an order that waits from being bought until LetGo. Its state stays, and it ends in time as any other.
// One that is held back already stays as it is.
//
// Errors: topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when the order does not wait: once Begin has
// won, it is under way.
func (j *Journal) HoldBack(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return j.back(ctx, id, topup.OpHoldBack, sqls.Get("hold_back"), now)
}

// LetGo has an order that was held back bought when it would have been due. One that waits and is not held back stays
// as it is. Errors: as of HoldBack.
func (j *Journal) LetGo(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return j.back(ctx, id, topup.OpLetGo, sqls.Get("let_go"), now)
}

func (j *Journal) back(
	ctx context.Context, id topup.ID, by topup.Operation, query string, now time.Time,
) (topup.Order, error) {
	o, _, err := j.change(ctx, string(by), id, unchangeable, func(t tx) (settled, error) {
		r, found, err := t.Order(query, string(id), tables.Whole(now).UnixMicro())
		if err == nil && !found {
			r, err = t.Known(id)
			if err == nil && r.State != topup.StateQueued && r.State != topup.StateRetrying {
				err = &topup.TransitionError{ID: id, From: r.State, By: by}
			}
		}
		return settled{order: r.Order}, err
	})
	return o, err
}
