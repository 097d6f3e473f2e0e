package longpoll

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"recarga/internal/journal/search"
	"recarga/topup"
)

// Order is somebody who waits for a change of an order.
type Order struct {
	hub    *Hub
	id     topup.ID
	caller string
	seen   search.Version
	// timeUp: the present state is wanted, whatever it is.
	timeUp atomic.Bool
	// answered takes one answer.
	answered chan present
}

// present is an order as it now is, or why that is not known.
type present struct {
	details *topup.Details
	err     error
}

// Order has a caller wait for an order that it has seen as it was read. Errors: ErrFull, ErrShare. Wait is to be
// called then, once.
func (h *Hub) Order(caller string, seen topup.Order) (*Order, error) {
	o := &Order{hub: h, id: seen.ID, caller: caller, seen: search.VersionOf(seen), answered: make(chan present, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.enter(caller); err != nil {
		return nil, err
	}
	h.orders[o.id] = append(h.orders[o.id], o)
	h.check[o.id] = struct{}{} // it may have changed since it was read
	h.wake()
	return o, nil
}

// Wait returns the order once it is not as it was seen, and as it is after d, or at the Hub's end, whatever it is. The
// error is that of ctx, or of the book.
func (o *Order) Wait(ctx context.Context, d time.Duration) (*topup.Details, error) {
	defer o.leave()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case p := <-o.answered:
			return p.details, p.err
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			o.timeUp.Store(true)
			o.hub.Changed(o.id)
		}
	}
}

func (o *Order) over() bool { return o.timeUp.Load() }

// report answers, unless an answer is there.
func (o *Order) report(p present) {
	select {
	case o.answered <- p:
	default:
	}
}

func (o *Order) leave() {
	h := o.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leave(o.caller)
	rest := slices.DeleteFunc(h.orders[o.id], func(other *Order) bool { return other == o })
	if h.orders[o.id] = rest; len(rest) == 0 {
		delete(h.orders, o.id)
	}
}
