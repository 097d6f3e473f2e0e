package controls

import (
	"context"
	"time"

	"recarga/topup"
	"recarga/topup/desk"
)

// Deliverer delivers events to their callers.
type Deliverer interface {
	// DeliverNow makes the first try beside the caller, if there is room for it, which it returns.
	DeliverNow(ctx context.Context, ev topup.Event, notDelivered func(ev topup.Event, next time.Time)) bool
	Deliver(ctx context.Context, eventID string) (next time.Time, err error)
}

// Pausable is a Deliverer that delivers nothing while a person has paused all webhooks.
type Pausable struct {
	Deliverer // delivers them
	// Reader has what people have set.
	*Reader
}

// pausedDelivery is when an event is asked about again that came while deliveries are paused. Its queue is paused as
// well, so it comes only where Redis has lost that.
const pausedDelivery = 30 * time.Second

func (p Pausable) paused(ctx context.Context) bool {
	_, paused := p.Now(ctx).Of(desk.PauseWebhooks)
	return paused
}

// DeliverNow implements Deliverer.
func (p Pausable) DeliverNow(ctx context.Context, ev topup.Event, notDelivered func(topup.Event, time.Time)) bool {
	return !p.paused(ctx) && p.Deliverer.DeliverNow(ctx, ev, notDelivered)
}

// Deliver implements Deliverer.
func (p Pausable) Deliver(ctx context.Context, eventID string) (next time.Time, err error) {
	if p.paused(ctx) {
		return time.Now().Add(pausedDelivery), nil
	}
	return p.Deliverer.Deliver(ctx, eventID)
}
