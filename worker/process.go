package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"

	"recarga/internal/wake"
	"recarga/topup"
)

// Process does whatever an order needs now. It is safe to call at any time, any number of times, from
// any number of processes: the journal decides who may act. The time it returns is when the order
// should be looked at again; zero means that nobody needs to.
//
//  1. An order that is final, held, or under way elsewhere is left alone.
//  2. One that has expired, or that is not due yet, is ended or put off.
//  3. The attempt is recorded (Begin), one request is sent, and its result is recorded (Finish).
//  4. The caller is told.
func (w *Worker) Process(ctx context.Context, id topup.ID) (again time.Time, err error) {
	o, err := w.Journal.Order(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	return w.goOn(ctx, o, false)
}

// lookFirst is Look for an order that is new and due, as most are that somebody is woken for, without
// reading it. topup.ErrLost means that it is not, and that Look must see to it.
func (w *Worker) lookFirst(ctx context.Context, id topup.ID) (again time.Time, err error) {
	if !w.gate.free.Load() { // it might have to wait
		return time.Time{}, topup.ErrLost
	}
	result, o, err := w.attempt(ctx, manner{}, func(deadline, now time.Time) (topup.Order, error) {
		return w.Journal.BeginFirst(ctx, id, w.name, deadline, now)
	})
	switch {
	case err != nil:
		return time.Time{}, err
	case result.LoginAgain:
		return w.goOn(ctx, o, true)
	}
	return nextLook(o), nil
}

// goOn does what an order needs. renewed tells that the token has just been renewed for it.
func (w *Worker) goOn(ctx context.Context, o topup.Order, renewed bool) (again time.Time, err error) {
	for {
		if again, wait := w.notNow(ctx, o); wait {
			return again, nil
		}
		result, settled, err := w.attempt(ctx, manner{renewed: renewed}, w.begin(ctx, o, w.name))
		if errors.Is(err, topup.ErrLost) {
			return time.Time{}, nil
		}
		if err != nil {
			return time.Time{}, err
		}
		o = settled
		if !result.LoginAgain {
			return nextLook(o), nil
		}
		renewed = true
	}
}

// begin records the order's next attempt.
func (w *Worker) begin(ctx context.Context, o topup.Order, name string) func(deadline, now time.Time) (topup.Order, error) {
	return func(deadline, now time.Time) (topup.Order, error) {
		return w.Journal.Begin(ctx, o.ID, o.AttemptCount, name, deadline, now)
	}
}

// notNow tells whether there is nothing to send for the order at this moment, and when to look again. One that
// must stand in line is called when its turn comes.
func (w *Worker) notNow(ctx context.Context, o topup.Order) (again time.Time, wait bool) {
	if again, wait := w.notDue(ctx, o); wait {
		return again, true
	}
	why, after, err := w.gate.admit(ctx, o)
	switch {
	case err != nil:
		// No Redis, no common count. Waiting is safe; sending might exceed the distributor's limit.
		w.Log.WarnContext(ctx, "pace unknown, purchase put off", "order", o.ID, "error", err)
		after = time.Second
	case why != "":
		err := w.Journal.Defer(ctx, o.ID, o.AttemptCount, why, time.Now())
		if err == nil || errors.Is(err, topup.ErrLost) {
			select {
			case w.joined <- struct{}{}:
			default: // it will be seen
			}
			return time.Time{}, true
		}
		w.Log.WarnContext(ctx, "order could not stand in line", "order", o.ID, "error", err)
		after = time.Second
	}
	return time.Now().Add(after), after > 0
}

// notDue tells whether an order needs no purchase at this moment, and when to look again.
func (w *Worker) notDue(ctx context.Context, o topup.Order) (again time.Time, wait bool) {
	now := time.Now()
	switch {
	case o.State != topup.StateQueued && o.State != topup.StateRetrying:
		// Final, held, or an attempt is under way: whoever makes it goes on, and the sweep comes
		// at the attempt's deadline if nobody does.
		return time.Time{}, true
	case o.EndsAt != nil && !now.Before(*o.EndsAt):
		if err := w.end(ctx, o.ID); err != nil {
			w.Log.ErrorContext(ctx, "order not ended in time yet", "order", o.ID, "error", err)
			return now.Add(time.Second), true
		}
		return time.Time{}, true
	case o.NextAttemptAt != nil && now.Before(*o.NextAttemptAt):
		return nextLook(o), true
	}
	return time.Time{}, false
}

// end ends an order whose time is over. One that has moved on is left alone.
func (w *Worker) end(ctx context.Context, id topup.ID) error {
	ended, event, err := w.Journal.End(ctx, id, time.Now())
	if errors.Is(err, topup.ErrLost) {
		return nil
	}
	if err != nil {
		return err
	}
	w.logSettled(ctx, ended, topup.Result{Error: "its time is over"})
	w.tell(ctx, event)
	return nil
}

// nextLook is when somebody must look at an order that waits.
func nextLook(o topup.Order) time.Time {
	if o.State != topup.StateQueued && o.State != topup.StateRetrying || o.NextAttemptAt == nil {
		return time.Time{}
	}
	if o.EndsAt != nil && o.EndsAt.Before(*o.NextAttemptAt) {
		return *o.EndsAt
	}
	return *o.NextAttemptAt
}

// manner says how an attempt is made.
type manner struct {
	// renewed: the token has just been renewed for it.
	renewed bool
	// probe: it is made to try an operator that is out.
	probe bool
}

// attempt records, sends and settles one attempt. The order of its lines is the promise:
// the token comes first, so that the time between the record and the request is short;
// the record comes before the request, so that a crash after it is known to have happened;
// the result is written until it is, whatever happens to ctx. A token that is refused although it was
// renewed is no reason to hurry.
func (w *Worker) attempt(ctx context.Context, how manner, begin func(deadline, now time.Time) (topup.Order, error)) (topup.Result, topup.Order, error) {
	loginErr := w.Distributor.Authorize(ctx)
	now := time.Now()
	sendBy, deadline := w.deadlines(now)
	begun, err := begin(deadline, now)
	if err != nil {
		return topup.Result{}, begun, err
	}
	w.logState(ctx, begun)
	if begun.EndsAt != nil && begun.EndsAt.Before(sendBy) {
		sendBy = *begun.EndsAt
	}
	result := topup.Result{Outcome: topup.OutcomeNotSent}
	if loginErr != nil {
		result.Error = loginErr.Error()
	} else {
		result = w.purchase(ctx, begun, sendBy)
	}
	result.LoginAgain = result.LoginAgain && !how.renewed
	result.Probe = how.probe
	w.gate.report(ctx, begun, result)
	settled, err := w.settle(ctx, begun, result)
	noteSettled(ctx, settled, result.Outcome)
	return result, settled, err
}

// deadlines of an attempt that begins now. A request is sent before sendBy, and before its order ends, or not at all, and has
// ended by deadline, after which anybody may call its outcome unknown.
func (w *Worker) deadlines(now time.Time) (sendBy, deadline time.Time) {
	return now.Add(w.Slack / 2), now.Add(w.Timeout + w.Slack)
}

// purchase sends the one request of an attempt. It is detached from ctx: neither a shutdown nor a
// lost lease may cut off a call whose money is moving. A panic in it leaves the outcome unknown.
func (w *Worker) purchase(ctx context.Context, o topup.Order, sendBy time.Time) (result topup.Result) {
	defer func() {
		if p := recover(); p != nil {
			result = topup.Result{Outcome: topup.OutcomeUnknown, Error: fmt.Sprintf("panic in the purchase: %v", p)}
		}
	}()
	return w.Distributor.Purchase(context.WithoutCancel(ctx), o, sendBy)
}

// settle writes what an attempt came to. It keeps trying while the journal does not answer: the
// result is the only proof of what happened to the money.
func (w *Worker) settle(ctx context.Context, o topup.Order, result topup.Result) (topup.Order, error) {
	ctx = w.lasting(ctx)
	var settled topup.Order
	var event *topup.Event
	write := func() error {
		now := time.Now()
		settlement, err := w.verdict(ctx, o, result, now)
		if err == nil {
			settled, event, err = w.Journal.Finish(ctx, settlement, now)
		}
		if errors.Is(err, topup.ErrLost) {
			return backoff.Permanent(err)
		}
		return err
	}
	notify := func(err error, wait time.Duration) {
		w.Log.ErrorContext(ctx, "result not recorded yet", "order", o.ID, "attempt", o.AttemptCount, "outcome", result.Outcome, "again_in", wait, "error", err)
	}
	err := backoff.RetryNotify(write, backoff.WithContext(persistent(), ctx), notify)
	if errors.Is(err, topup.ErrLost) {
		w.logTooLate(ctx, o, result)
		return o, err
	}
	if err != nil {
		w.Log.ErrorContext(ctx, "result not recorded", "order", o.ID, "attempt", o.AttemptCount, "outcome", result.Outcome,
			"response_code", string(result.Code), "transaction_id", result.TransactionID, "error", err)
		return o, err
	}
	w.logSettled(ctx, settled, result)
	w.tell(ctx, event)
	if result.Outcome == topup.OutcomeUnknown {
		w.askAbout(o.ID, o.AttemptCount)
	}
	return settled, nil
}

// logTooLate says that the order had moved on when a result came. It is kept as evidence; an approval is an error,
// because either the order is called something else, or it was charged twice.
func (w *Worker) logTooLate(ctx context.Context, o topup.Order, r topup.Result) {
	level := slog.LevelWarn
	if r.Outcome == topup.OutcomeApproved {
		level = slog.LevelError
	}
	w.Log.Log(ctx, level, "result came after the order had moved on; kept as evidence", "order", o.ID, "attempt", o.AttemptCount,
		"outcome", r.Outcome, "response_code", string(r.Code), "transaction_id", r.TransactionID)
}

// persistent is a schedule without an end, for writes that must not be lost.
func persistent() backoff.BackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.MaxElapsedTime = 50*time.Millisecond, 2*time.Second, 0
	return b
}

// verdict is what the journal is to say after an attempt. The attempts before it are looked up only
// where they matter.
func (w *Worker) verdict(ctx context.Context, o topup.Order, result topup.Result, now time.Time) (topup.Settlement, error) {
	if o.AttemptCount <= 1 || result.Outcome == topup.OutcomeApproved || result.Outcome == topup.OutcomeDeclined {
		return w.Policy.Decide(o, result, nil, 0, now), nil
	}
	details, err := w.Journal.Details(ctx, o.ID)
	if err != nil {
		return topup.Settlement{}, err
	}
	return w.Policy.Decide(o, result, details.Attempts[:o.AttemptCount-1], resent(details.Resolutions), now), nil
}

// resent is the number of the last attempt after which a person had the order sent again; 0 for none.
func resent(resolutions []topup.Resolution) (number int) {
	for _, r := range resolutions {
		if r.Outcome == topup.ResolvedResend {
			number = max(number, r.Attempt)
		}
	}
	return number
}

// tell makes the first try at once where there is room for it, and rings the queue otherwise. The
// event is durable already; a ring that fails is made up for by the sweep.
func (w *Worker) tell(ctx context.Context, event *topup.Event) {
	if event == nil {
		return
	}
	ctx = w.lasting(ctx)
	ring := func(ev topup.Event, at time.Time) {
		wake.Waker{Queue: w.Waker, Log: w.Log}.Event(ctx, ev.ID, at)
	}
	if !w.Deliverer.DeliverNow(ctx, *event, ring) {
		ring(*event, time.Time{})
	}
}

// logSettled says what an attempt came to, and why where the code does not say it. An order that somebody must settle
// is a warning.
func (w *Worker) logSettled(ctx context.Context, o topup.Order, r topup.Result) {
	level, attrs := slog.LevelInfo, o.LogAttrs()
	if o.State == topup.StateUnknown {
		level = slog.LevelWarn
	}
	if r.Error != "" {
		attrs = append(attrs, slog.String("error", r.Error))
	}
	w.Log.LogAttrs(ctx, level, "order changed", attrs...)
}

func (w *Worker) logState(ctx context.Context, o topup.Order) {
	w.Log.LogAttrs(ctx, slog.LevelInfo, "order changed", o.LogAttrs()...)
}
