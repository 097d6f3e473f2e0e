package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"

	"recarga/internal/wake"
	"recarga/topup"
)

// settle records the result of an attempt. It keeps trying while the journal does not answer: the result is the only
// proof of what happened to the money.
func (w *Worker) settle(ctx context.Context, o topup.Order, result topup.Result) (topup.Order, error) {
	return w.record(ctx, o, result, persistent())
}

func (w *Worker) record(
	ctx context.Context, o topup.Order, result topup.Result, tries backoff.BackOff,
) (topup.Order, error) {
	ctx = w.lasting(ctx)
	var settled topup.Order
	var event *topup.Event
	finish := func() error {
		now := time.Now()
		settlement, err := w.decide(ctx, o, result, now)
		if err == nil {
			settled, event, err = w.Journal.Finish(ctx, settlement, now)
		}
		if errors.Is(err, topup.ErrLost) {
			return backoff.Permanent(err)
		}
		return err
	}
	notify := func(err error, wait time.Duration) {
		w.Log.ErrorContext(ctx, "result not recorded yet", "order", o.ID, "attempt", o.AttemptCount,
			"outcome", result.Outcome, "again_in", wait, "error", err)
	}
	err := backoff.RetryNotify(finish, backoff.WithContext(tries, ctx), notify)
	if errors.Is(err, topup.ErrLost) {
		w.logTooLate(ctx, o, result)
		return o, err
	}
	if err != nil {
		w.Log.ErrorContext(ctx, "result not recorded", "order", o.ID, "attempt", o.AttemptCount,
			"outcome", result.Outcome, "response_code", string(result.Code),
			"transaction_id", result.TransactionID, "error", err)
		return o, err
	}
	w.logChanged(ctx, settled, result)
	w.deliver(ctx, event)
	if result.Outcome == topup.OutcomeUnknown {
		w.askAbout(o.ID, o.AttemptCount)
	}
	return settled, nil
}

// persistent is a schedule without an end, for writes that must not be lost.
func persistent() backoff.BackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.MaxElapsedTime = 50*time.Millisecond, 2*time.Second, 0
	return b
}

// decide has the policy decide what follows from an attempt. It reads the attempts before it only where they matter.
func (w *Worker) decide(ctx context.Context, o topup.Order, r topup.Result, now time.Time) (topup.Settlement, error) {
	if o.AttemptCount <= 1 || r.Outcome == topup.OutcomeApproved || r.Outcome == topup.OutcomeDeclined {
		return w.Policy.Decide(o, r, nil, 0, now), nil
	}
	details, err := w.Journal.Details(ctx, o.ID)
	if err != nil {
		return topup.Settlement{}, err
	}
	return w.Policy.Decide(o, r, details.Attempts[:o.AttemptCount-1], resent(details.Resolutions), now), nil
}

// resent is the number of the last attempt after which a person had the order sent again; 0: there is none.
func resent(resolutions []topup.Resolution) (number int) {
	for _, r := range resolutions {
		if r.Outcome == topup.ResolvedResend {
			number = max(number, r.Attempt)
		}
	}
	return number
}

// deliver makes the first try of an event at once if there is room for it, and enqueues it otherwise. The event is
// durable already: if enqueueing fails, the sweep enqueues it again.
func (w *Worker) deliver(ctx context.Context, event *topup.Event) {
	if event == nil {
		return
	}
	ctx = w.lasting(ctx)
	enqueue := func(ev topup.Event, at time.Time) {
		wake.Waker{Queue: w.Waker, Log: w.Log}.Event(ctx, ev.ID, at)
	}
	if !w.Deliverer.DeliverNow(ctx, *event, enqueue) {
		enqueue(*event, time.Time{})
	}
}

// logTooLate logs a result that came when the order had changed already. The journal keeps it as evidence. An approval
// is an error: the order is in another state, or was charged twice.
func (w *Worker) logTooLate(ctx context.Context, o topup.Order, r topup.Result) {
	level := slog.LevelWarn
	if r.Outcome == topup.OutcomeApproved {
		level = slog.LevelError
	}
	w.Log.Log(ctx, level, "result came after the order had changed; kept as evidence",
		"order", o.ID, "attempt", o.AttemptCount, "outcome", r.Outcome,
		"response_code", string(r.Code), "transaction_id", r.TransactionID)
}

// logChanged logs an order's new state, and the error of its result where the response code does not explain it. An
// order that somebody must settle is a warning.
func (w *Worker) logChanged(ctx context.Context, o topup.Order, r topup.Result) {
	level, attrs := slog.LevelInfo, o.LogAttrs()
	if o.State == topup.StateUnknown {
		level = slog.LevelWarn
	}
	if r.Error != "" {
		attrs = append(attrs, slog.String("error", r.Error))
	}
	w.Log.LogAttrs(ctx, level, "order changed", attrs...)
}
