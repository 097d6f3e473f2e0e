package producer

import (
	"context"
	"log/slog"
	"time"

	"recarga/topup"
)

// Journal is the book of record, as far as an order's entry and withdrawal go.
type Journal interface {
	// Accept records a new order durably, or returns the one recorded before for the same id and
	// content (replayed). Another content or caller is topup.ErrConflict.
	Accept(ctx context.Context, r topup.Request, now time.Time) (o topup.Order, replayed bool, err error)
	// Cancel withdraws an order; see Producer.Cancel.
	Cancel(ctx context.Context, id topup.ID, caller string, now time.Time) (topup.Order, *topup.Event, error)
	// Resolve settles an order that is held; see Producer.Resolve.
	Resolve(ctx context.Context, id topup.ID, r topup.Resolution, now time.Time) (topup.Order, *topup.Event, error)
	Hold(ctx context.Context, id topup.ID, h topup.Hold, now time.Time) (topup.Order, *topup.Event, error)
	// Correct changes a final state that was wrong; see Producer.Correct.
	Correct(ctx context.Context, id topup.ID, c topup.Correction, now time.Time) (topup.Order, *topup.Event, error)
	// Uphold ends a dispute; see Producer.Uphold.
	Uphold(ctx context.Context, id topup.ID, u topup.Upholding, now time.Time) (topup.Order, error)
}

// Waker wakes the workers. Its errors are not the caller's: the sweep rings again.
type Waker interface {
	EnqueueOrder(ctx context.Context, r topup.Request, at time.Time) error
	EnqueueEvent(ctx context.Context, eventID string, at time.Time) error
}

// Producer records orders and rings for them.
type Producer struct {
	journal Journal
	waker   Waker
	log     *slog.Logger
}

// New builds a Producer.
func New(journal Journal, waker Waker, log *slog.Logger) *Producer {
	return &Producer{journal: journal, waker: waker, log: log}
}

// Place records the order durably, then rings the queue, then returns it. The repeat of an order
// returns the order as it now is, with replayed set, and rings for nothing.
//
// Errors: those of topup.FieldErrors for an order that has expired already, topup.ErrConflict, and
// any other when the order could not be made durable (then it may be placed again, with the same id).
func (p *Producer) Place(ctx context.Context, r topup.Request) (o topup.Order, replayed bool, err error) {
	if r.Caller == "" {
		r.Caller = topup.DefaultCaller
	}
	o, replayed, err = p.journal.Accept(ctx, r, time.Now())
	if err != nil || replayed {
		return o, replayed, err
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "order accepted",
		append(o.LogAttrs(), slog.Any("phone", o.Phone), slog.String("product", o.Product), slog.String("amount", o.Amount.String()))...)
	if o.WaitsFor == "" { // a worker calls it when its turn comes
		p.rang(ctx, p.waker.EnqueueOrder(ctx, r, firstLook(o)), "order", string(o.ID))
	}
	return o, false, nil
}

// Cancel withdraws an order that is queued or retrying, for its caller or (with an empty caller) for
// the operator. Canceling twice is no error. Errors: topup.ErrNotFound, also for another caller's
// order; *topup.TransitionError when money may have moved.
func (p *Producer) Cancel(ctx context.Context, id topup.ID, caller string) (topup.Order, error) {
	o, event, err := p.journal.Cancel(ctx, id, caller, time.Now())
	if err != nil || event == nil {
		return o, err
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "order canceled", o.LogAttrs()...)
	p.rang(ctx, p.waker.EnqueueEvent(ctx, event.ID, event.DueAt), "event", event.ID)
	return o, nil
}

// Resolve settles an order that is held as unknown, by what a person or a statement says of it, and
// tells its caller, or has it sent again. Errors: those of topup.FieldErrors; topup.ErrNotFound;
// *topup.TransitionError when it is not unknown; *topup.TooEarlyError while a worker might still be
// acting on it. The repeat of its last resolution is no error, and returns it as it now is.
func (p *Producer) Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error) {
	o, event, err := p.journal.Resolve(ctx, id, r, time.Now())
	if err != nil || event == nil && o.State != topup.StateRetrying { // a repeat: it was told, or is on its way
		return o, err
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "order resolved",
		append(o.LogAttrs(), slog.String("as", string(r.Outcome)), slog.String("by", r.By), slog.String("why", r.Reason), slog.Bool("forced", r.Forced))...)
	if event != nil {
		p.rang(ctx, p.waker.EnqueueEvent(ctx, event.ID, event.DueAt), "event", event.ID)
		return o, nil
	}
	p.rang(ctx, p.waker.EnqueueOrder(ctx, o.Request(), time.Time{}), "order", string(o.ID))
	return o, nil
}

// Hold stops an order that waits to be sent, because a statement charges it: it becomes unknown, and its caller is
// notified. Errors: those of topup.FieldErrors; topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when it
// does not wait any more. The repeat of its last hold is no error.
func (p *Producer) Hold(ctx context.Context, id topup.ID, h topup.Hold) (topup.Order, error) {
	o, event, err := p.journal.Hold(ctx, id, h, time.Now())
	if err != nil || event == nil {
		return o, err
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "order held, as a statement charges it",
		append(o.LogAttrs(), slog.String("by", h.By), slog.String("why", h.Evidence))...)
	p.rang(ctx, p.waker.EnqueueEvent(ctx, event.ID, event.DueAt), "event", event.ID)
	return o, nil
}

// Correct changes a final state that was wrong, by a person's word, ends the order's dispute, and notifies its caller.
// Errors: those of topup.FieldErrors; topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when the order is
// not final, or is so already. The repeat of its last correction is no error, and returns it as it now is.
func (p *Producer) Correct(ctx context.Context, id topup.ID, c topup.Correction) (topup.Order, error) {
	o, event, err := p.journal.Correct(ctx, id, c, time.Now())
	if err != nil || event == nil {
		return o, err
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "order corrected", append(o.LogAttrs(), slog.String("by", c.By), slog.String("why", c.Reason))...)
	p.rang(ctx, p.waker.EnqueueEvent(ctx, event.ID, event.DueAt), "event", event.ID)
	return o, nil
}

// Uphold ends an order's dispute: a person says that its state is right. Errors: those of topup.FieldErrors;
// topup.ErrNotFound; topup.ErrArchived; topup.ErrNotDisputed.
func (p *Producer) Uphold(ctx context.Context, id topup.ID, u topup.Upholding) (topup.Order, error) {
	o, err := p.journal.Uphold(ctx, id, u, time.Now())
	if err == nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "dispute ended", append(o.LogAttrs(), slog.String("as", string(u.Outcome)), slog.String("by", u.By), slog.String("why", u.Reason))...)
	}
	return o, err
}

// firstLook is when a worker should look at a new order: when it is due, or when it expires.
func firstLook(o topup.Order) time.Time {
	if o.ProcessAt == nil {
		return time.Time{}
	}
	return *o.ProcessAt
}

// rang notes a ring that failed. A failed ring is no failed order.
func (p *Producer) rang(ctx context.Context, err error, kind, id string) {
	if err != nil {
		p.log.WarnContext(ctx, "queue not reached; the sweep will ring", kind, id, "error", err)
	}
}
