package producer

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"recarga/internal/audit"
	"recarga/internal/wake"
	"recarga/topup"
)

// Journal is the book of record, as far as the operations on an order or an event go. Those of a name that Producer
// has do what is said there, but for the log and the queue.
type Journal interface {
	// Accept records a new order durably, or returns the one recorded before for the same id and
	// content (replayed). Another content or caller is topup.ErrConflict.
	Accept(ctx context.Context, r topup.Request, now time.Time) (o topup.Order, replayed bool, err error)
	// Details returns an order, or topup.ErrNotFound.
	Details(ctx context.Context, id topup.ID) (topup.Details, error)
	Cancel(ctx context.Context, id topup.ID, caller string, now time.Time) (topup.Order, *topup.Event, error)
	Resolve(ctx context.Context, id topup.ID, r topup.Resolution, now time.Time) (topup.Order, *topup.Event, error)
	Hold(ctx context.Context, id topup.ID, h topup.Hold, now time.Time) (topup.Order, *topup.Event, error)
	HoldBack(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error)
	LetGo(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error)
	Restore(ctx context.Context, c topup.LostCharge, now time.Time) (topup.Order, error)
	Correct(ctx context.Context, id topup.ID, c topup.Correction, now time.Time) (topup.Order, *topup.Event, error)
	Uphold(ctx context.Context, id topup.ID, u topup.Upholding, now time.Time) (topup.Order, error)
	Dispute(ctx context.Context, id topup.ID, d topup.Dispute, now time.Time) (topup.Order, error)
	// EndpointHealthy forgets the failures of a caller's endpoint; see Producer.EnableEndpoint.
	EndpointHealthy(ctx context.Context, caller, url string) error
	DisableEndpoint(
		ctx context.Context, d topup.DisabledEndpoint, notify bool, now time.Time,
	) (disabled bool, ev *topup.Event, err error)
	// Event returns an event, or topup.ErrNotFound.
	Event(ctx context.Context, id string) (topup.Event, error)
	// RedeliverWithin makes an event due again, at most so many times a day (0: any number); see Producer.Redeliver.
	RedeliverWithin(ctx context.Context, ev topup.Event, most int, now time.Time) error
	RedeliverAll(
		ctx context.Context, f topup.EventFilter, now time.Time, each func(topup.Event),
	) (count int, next string, err error)
}

// Quotas keep callers within what they may have under way: callers.Quotas.
type Quotas interface {
	// Take makes room for an order, or returns a *topup.QuotaError. With room, settle must be called with whether a new
	// order was placed.
	Take(ctx context.Context, caller string) (settle func(placed bool), err error)
}

// Actor is who asks for an operation, and why.
type Actor struct {
	// Caller may act on its own orders and events alone. Empty: an operator, who may act on everybody's.
	Caller string
	// By is the name that an operator's action is kept under; empty of a caller's.
	By string
	// Reason is why, in the operator's words; empty where nobody asked for it.
	Reason string
}

// level is Info for what a caller does to its own, and Warn for what an operator does to somebody's.
func (a Actor) level() slog.Level {
	if a.Caller == "" {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// checkReason refuses what nobody says the reason of.
func (a Actor) checkReason() error {
	if strings.TrimSpace(a.Reason) == "" {
		return &topup.FieldError{Field: "reason", Value: a.Reason, Allowed: "given"}
	}
	return nil
}

func (a Actor) attrs() []slog.Attr {
	return []slog.Attr{slog.String("by", a.By), slog.String("why", a.Reason)}
}

// Producer is everything that can be done to an order or an event from outside: each operation is recorded in the
// journal, logged with who did it and why, and the workers are woken for what follows. If the queue is not reached,
// the operation has succeeded all the same: the sweep enqueues what it left to do.
type Producer struct {
	journal Journal
	waker   wake.Waker
	quotas  Quotas // nil: there are none
	log     *slog.Logger
}

// New builds a Producer, whose callers have no quotas.
func New(journal Journal, queue wake.Queue, log *slog.Logger) *Producer {
	return &Producer{journal: journal, waker: wake.Waker{Queue: queue, Log: log}, log: log}
}

// WithQuotas is p whose callers are kept within quotas.
func (p *Producer) WithQuotas(quotas Quotas) *Producer {
	limited := *p
	limited.quotas = quotas
	return &limited
}

// Place records the order durably, then enqueues it, then returns it. The repeat of an order returns the order as it
// now is, with replayed set, enqueues nothing, and is refused by no quota: of an order that was accepted, its caller
// must be able to learn that.
//
// Errors: those of topup.FieldErrors for an order that has expired already, topup.ErrConflict, *topup.QuotaError, and
// any other when the order could not be made durable (then it may be placed again, with the same id).
func (p *Producer) Place(ctx context.Context, r topup.Request) (o topup.Order, replayed bool, err error) {
	if r.Caller == "" {
		r.Caller = topup.DefaultCaller
	}
	settle, err := p.room(ctx, r)
	if err != nil {
		return o, false, err
	}
	o, replayed, err = p.journal.Accept(ctx, r, time.Now())
	settle(err == nil && !replayed)
	if err != nil || replayed {
		return o, replayed, err
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "order accepted",
		append(o.LogAttrs(), slog.Any("phone", o.Phone), slog.String("product", o.Product),
			slog.String("amount", o.Amount.String()))...)
	if o.WaitsFor == "" { // else a worker releases it
		p.waker.Order(ctx, r, dueAt(o))
	}
	return o, false, nil
}

// room takes room for an order within its caller's quotas; settle says what became of it.
func (p *Producer) room(ctx context.Context, r topup.Request) (settle func(placed bool), err error) {
	nothing := func(bool) {}
	if p.quotas == nil {
		return nothing, nil
	}
	settle, err = p.quotas.Take(ctx, r.Caller)
	var over *topup.QuotaError
	if !errors.As(err, &over) {
		return settle, err
	}
	if _, err = p.journal.Details(ctx, r.ID); errors.Is(err, topup.ErrNotFound) {
		err = over
	}
	return nothing, err
}

// dueAt is when a worker should process a new order: when it is due; zero for at once.
func dueAt(o topup.Order) time.Time {
	if o.ProcessAt == nil {
		return time.Time{}
	}
	return *o.ProcessAt
}

// Cancel withdraws an order that is queued or retrying, and notifies its caller. Canceling twice is no error. Errors:
// topup.ErrNotFound, also for another caller's order; *topup.TransitionError when money may have moved.
func (p *Producer) Cancel(ctx context.Context, id topup.ID, who Actor) (topup.Order, error) {
	ctx = audit.Because(ctx, who.Reason)
	o, event, err := p.journal.Cancel(ctx, id, who.Caller, time.Now())
	if err != nil || event == nil {
		return o, err
	}
	p.log.LogAttrs(ctx, who.level(), "order canceled", append(o.LogAttrs(), who.attrs()...)...)
	p.waker.Event(ctx, event.ID, event.DueAt)
	return o, nil
}

// Resolve settles an order that is held as unknown, by what a person or a statement says of it, and notifies its
// caller, or has it sent again. Errors: those of topup.FieldErrors; topup.ErrNotFound; *topup.TransitionError when it
// is not unknown; *topup.TooEarlyError while a worker might still be acting on it. The repeat of its last resolution
// is no error, and returns it as it now is.
func (p *Producer) Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error) {
	ctx = audit.To(audit.Because(ctx, r.Reason), string(r.Outcome))
	o, event, err := p.journal.Resolve(ctx, id, r, time.Now())
	if err != nil || event == nil && o.State != topup.StateRetrying { // a repeat: its event is delivered, or on its way
		return o, err
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "order resolved",
		append(o.LogAttrs(), slog.String("as", string(r.Outcome)), slog.String("by", r.By), slog.String("why", r.Reason),
			slog.Bool("forced", r.Forced))...)
	if event != nil {
		p.waker.Event(ctx, event.ID, event.DueAt)
		return o, nil
	}
	p.waker.Order(ctx, o.Request(), time.Time{})
	return o, nil
}

// Hold stops an order that waits to be sent, because a statement charges it: it becomes unknown, and its caller is
// notified. Errors: those of topup.FieldErrors; topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when it
// does not wait any more. The repeat of its last hold is no error.
func (p *Producer) Hold(ctx context.Context, id topup.ID, h topup.Hold) (topup.Order, error) {
	ctx = audit.To(audit.Because(ctx, h.Evidence), string(topup.ResolvedHeld))
	o, event, err := p.journal.Hold(ctx, id, h, time.Now())
	if err != nil || event == nil {
		return o, err
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "order held, as a statement charges it",
		append(o.LogAttrs(), slog.String("by", h.By), slog.String("why", h.Evidence))...)
	p.waker.Event(ctx, event.ID, event.DueAt)
	return o, nil
}

// HoldBack keeps an order that waits from being bought until LetGo; it ends in time all the same. Errors:
// topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when it does not wait: it may be under way.
func (p *Producer) HoldBack(ctx context.Context, id topup.ID, who Actor) (topup.Order, error) {
	if err := who.checkReason(); err != nil {
		return topup.Order{}, err
	}
	ctx = audit.Because(ctx, who.Reason)
	o, err := p.journal.HoldBack(ctx, id, time.Now())
	if err == nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "order held back", append(o.LogAttrs(), who.attrs()...)...)
	}
	return o, err
}

// LetGo has an order that was held back bought when it would have been due. Errors: as of HoldBack.
func (p *Producer) LetGo(ctx context.Context, id topup.ID, who Actor) (topup.Order, error) {
	if err := who.checkReason(); err != nil {
		return topup.Order{}, err
	}
	ctx = audit.Because(ctx, who.Reason)
	o, err := p.journal.LetGo(ctx, id, time.Now())
	if err != nil {
		return o, err
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "order released", append(o.LogAttrs(), who.attrs()...)...)
	if o.WaitsFor == "" {
		due := dueAt(o)
		if o.NextAttemptAt != nil {
			due = *o.NextAttemptAt
		}
		p.waker.Order(ctx, o.Request(), due)
	}
	return o, nil
}

// Restore records an order that a statement charges and that the book does not know, because it was restored from an
// older backup: it has succeeded, and is never bought. Nobody is notified until its caller places it again. Errors:
// those of topup.FieldErrors; topup.ErrConflict when the id is taken. The repeat of the same charge is no error.
func (p *Producer) Restore(ctx context.Context, c topup.LostCharge) (topup.Order, error) {
	ctx = audit.To(audit.Because(ctx, c.Evidence), string(topup.ResolvedRestored))
	o, err := p.journal.Restore(ctx, c, time.Now())
	if err == nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "order taken as charged, which the restored book did not know",
			append(o.LogAttrs(), slog.String("by", c.By), slog.String("why", c.Evidence))...)
	}
	return o, err
}

// Correct changes a final state that was wrong, by a person's word, ends the order's dispute, and notifies its caller.
// Errors: those of topup.FieldErrors; topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when the order is
// not final, or is so already. The repeat of its last correction is no error, and returns it as it now is.
func (p *Producer) Correct(ctx context.Context, id topup.ID, c topup.Correction) (topup.Order, error) {
	ctx = audit.To(audit.Because(ctx, c.Reason), string(c.Outcome))
	o, event, err := p.journal.Correct(ctx, id, c, time.Now())
	if err != nil || event == nil {
		return o, err
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "order corrected",
		append(o.LogAttrs(), slog.String("by", c.By), slog.String("why", c.Reason))...)
	p.waker.Event(ctx, event.ID, event.DueAt)
	return o, nil
}

// Uphold ends an order's dispute: a person says that its state is right. Errors: those of topup.FieldErrors;
// topup.ErrNotFound; topup.ErrArchived; topup.ErrNotDisputed.
func (p *Producer) Uphold(ctx context.Context, id topup.ID, u topup.Upholding) (topup.Order, error) {
	ctx = audit.To(audit.Because(ctx, u.Reason), string(u.Outcome))
	o, err := p.journal.Uphold(ctx, id, u, time.Now())
	if err == nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "dispute ended", append(o.LogAttrs(),
			slog.String("as", string(u.Outcome)), slog.String("by", u.By), slog.String("why", u.Reason))...)
	}
	return o, err
}

// Dispute marks a final order that a statement contradicts: its state stays until a person decides. Evidence that was
// brought before changes nothing. Errors: topup.ErrNotFound; topup.ErrArchived; *topup.TransitionError when the order
// is not final.
func (p *Producer) Dispute(ctx context.Context, id topup.ID, d topup.Dispute) (topup.Order, error) {
	ctx = audit.To(audit.Because(ctx, d.Evidence), "disputed")
	o, err := p.journal.Dispute(ctx, id, d, time.Now())
	if err == nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "order disputed", append(o.LogAttrs(), slog.String("by", d.RaisedBy),
			slog.String("why", d.Evidence))...)
	}
	return o, err
}
