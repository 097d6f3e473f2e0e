package journal

import (
	"context"
	"fmt"
	"time"

	"recarga/topup"
)

// held_at is not NULL as long as an order is unknown because a statement charges it, whatever its attempts said.
var sqlHold = sqls.Get("hold")

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
	now = whole(now)
	done, err := write(ctx, j, string(id), func(t *tx) (settled, error) { return t.hold(id, h, now) })
	if err = j.unlessArchived(ctx, id, err); err != nil {
		return topup.Order{}, nil, fmt.Errorf("hold %s: %w", id, err)
	}
	return done.order, done.event, nil
}

func (t *tx) hold(id topup.ID, h topup.Hold, now time.Time) (settled, error) {
	decision := topup.Resolution{Outcome: topup.ResolvedHeld, Reason: h.Evidence, By: h.By}
	r, found, err := t.order(sqlHold, string(id), now.UnixMicro())
	if err != nil {
		return settled{}, err
	}
	if !found {
		if r, err = t.known(id); err != nil {
			return settled{}, err
		}
		n, err := t.number(sqlResolvedSo, decisionColumns(r.key, decision)...)
		if err == nil && (n == 0 || r.State != topup.StateUnknown) {
			err = &topup.TransitionError{ID: id, From: r.State, By: topup.OpHold}
		}
		return settled{order: r.Order}, err
	}
	args := append(decisionColumns(r.key, decision), r.AttemptCount, now.UnixMicro())
	if _, err := t.Exec(sqlResolution, args...); err != nil {
		return settled{}, err
	}
	return t.changed(r, now)
}
