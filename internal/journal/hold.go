package journal

import (
	"context"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Hold makes an order unknown that waits to be sent, though a statement charges it: it is not sent again by itself.
// From then on only an approval, a person or a statement settles it; what else its attempts say does not. The
// statement's word is kept as a resolution (topup.ResolvedHeld). The repeat of a Hold changes nothing, and returns no
// event.
//
// Errors: those of topup.FieldErrors; topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when the order does
// not wait: once Begin has won, it is under way, and may be charged again.
func (j *Journal) Hold(
	ctx context.Context, id topup.ID, h topup.Hold, now time.Time,
) (topup.Order, *topup.Event, error) {
	if err := h.Check(); err != nil {
		return topup.Order{}, nil, err
	}
	now = tables.Whole(now)
	return j.change(ctx, "hold", id, unchangeable, func(t tx) (settled, error) { return t.hold(id, h, now) })
}

func (t tx) hold(id topup.ID, h topup.Hold, now time.Time) (settled, error) {
	decision := topup.Resolution{Outcome: topup.ResolvedHeld, Reason: h.Evidence, By: h.By}
	r, found, err := t.Order(sqls.Get("hold"), string(id), now.UnixMicro())
	if err != nil {
		return settled{}, err
	}
	if !found {
		if r, err = t.Known(id); err != nil {
			return settled{}, err
		}
		refused := &topup.TransitionError{ID: id, From: r.State, By: topup.OpHold}
		if r.State != topup.StateUnknown {
			return settled{order: r.Order}, refused
		}
		return settled{order: r.Order}, t.repeats(refused, sqlResolvedSo, decisionColumns(r.Key, decision)...)
	}
	if err := t.decided(r, decisionColumns(r.Key, decision), now); err != nil {
		return settled{}, err
	}
	return t.changed(r, now)
}
