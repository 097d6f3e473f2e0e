package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/distributor"
	"recarga/topup"
)

// Process does whatever an order needs now. Call it at any time, any number of times, from any number of processes:
// the journal decides who may act. again is when to process the order again; zero: nobody needs to.
func (w *Worker) Process(ctx context.Context, id topup.ID) (again time.Time, err error) {
	o, err := w.Journal.Order(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	return w.run(ctx, o, attemptOptions{})
}

// run is the purchase workflow:
//
//  1. An order that needs no purchase now, or may not be bought now, is deferred.
//  2. Begin records the attempt, one request is sent, and Finish records its result with the event for the caller.
//  3. The event is delivered.
//
// If another worker began an attempt first, nothing is sent. If the token was refused, a second attempt follows at
// once. If the credentials are refused, the order waits until they are accepted, and spends no try.
func (w *Worker) run(ctx context.Context, o topup.Order, how attemptOptions) (again time.Time, err error) {
	if again, deferred := w.deferUntil(ctx, o); deferred {
		return again, nil
	}
	result, o, err := w.attempt(ctx, o, how)
	switch {
	case errors.Is(err, topup.ErrLost):
		return time.Time{}, nil
	case errors.Is(err, distributor.ErrCredentials):
		return w.waitForLogin(ctx, o), nil
	case err != nil:
		return time.Time{}, err
	case result.LoginAgain:
		return w.run(ctx, o, attemptOptions{tokenRenewed: true})
	}
	return nextAttempt(o), nil
}

// attempt records, sends and settles one attempt. The order of its steps is the promise:
// the token comes first, so that the time between the record and the request is short;
// the record comes before the request, so that a crash after the request leaves a trace;
// the result is written until the journal takes it, whatever happens to ctx.
//
// It is distributor.ErrCredentials, and no attempt, where the credentials are refused.
func (w *Worker) attempt(ctx context.Context, o topup.Order, how attemptOptions) (topup.Result, topup.Order, error) {
	loginErr := w.authorize(ctx)
	if errors.Is(loginErr, distributor.ErrCredentials) {
		return topup.Result{}, o, loginErr
	}
	now := time.Now()
	sendBy, deadline := w.deadlines(now)
	o, err := w.begin(ctx, o, how, deadline, now)
	if err != nil {
		return topup.Result{}, o, err
	}
	w.logChanged(ctx, o, topup.Result{})
	result := topup.Result{Outcome: topup.OutcomeNotSent}
	if loginErr != nil {
		result.Error = loginErr.Error()
	} else {
		result = w.purchase(ctx, o, sendBy)
	}
	result.LoginAgain = result.LoginAgain && !how.tokenRenewed
	result.Probe = how.probe
	w.admission.Learn(ctx, o, result)
	settled, err := w.settle(ctx, o, result)
	noteSettled(ctx, settled, result.Outcome)
	return result, settled, err
}

// attemptOptions say how an attempt is made.
type attemptOptions struct {
	// unread: only the order's id is known; begin it if it is new and due.
	unread bool
	// tokenRenewed: the token was just renewed for the order. If it is refused again, the order waits for its retry.
	tokenRenewed bool
	// probe: the attempt is to find out whether an operator works again.
	probe bool
}

// purchase sends the one request of an attempt, before sendBy and before the order ends. It is detached from ctx:
// neither a shutdown nor a lost lease may cut off a call whose money is moving. A panic in it leaves the outcome
// unknown.
func (w *Worker) purchase(ctx context.Context, o topup.Order, sendBy time.Time) (result topup.Result) {
	defer func() {
		if p := recover(); p != nil {
			result = topup.Result{Outcome: topup.OutcomeUnknown, Error: fmt.Sprintf("panic in the purchase: %v", p)}
		}
	}()
	if o.EndsAt != nil && o.EndsAt.Before(sendBy) {
		sendBy = *o.EndsAt
	}
	return w.Distributor.Purchase(context.WithoutCancel(ctx), o, sendBy)
}

// begin records an attempt. Nothing is sent if it returns an error.
func (w *Worker) begin(
	ctx context.Context, o topup.Order, how attemptOptions, deadline, now time.Time,
) (topup.Order, error) {
	name := w.name
	if how.probe {
		name = topup.ProbeBy(name)
	}
	if how.unread {
		return w.Journal.BeginFirst(ctx, o.ID, name, deadline, now)
	}
	return w.Journal.Begin(ctx, o.ID, o.AttemptCount, name, deadline, now)
}

// deadlines of an attempt that begins now. Its request is sent before sendBy, or not at all. It has ended by deadline;
// after that anybody may call its outcome unknown.
func (w *Worker) deadlines(now time.Time) (sendBy, deadline time.Time) {
	return now.Add(w.Slack / 2), now.Add(w.Timeout + w.Slack)
}

// processNew is Process for an order that is new and due, as most are. It need not read the order. topup.ErrLost: the
// order is not new and due, or may have to wait; use Process.
func (w *Worker) processNew(ctx context.Context, id topup.ID) (again time.Time, err error) {
	if !w.admission.Unrestricted(ctx) {
		return time.Time{}, topup.ErrLost
	}
	result, o, err := w.attempt(ctx, topup.Order{ID: id}, attemptOptions{unread: true})
	switch {
	case errors.Is(err, distributor.ErrCredentials):
		return time.Time{}, topup.ErrLost
	case err != nil:
		return time.Time{}, err
	case result.LoginAgain:
		return w.run(ctx, o, attemptOptions{tokenRenewed: true})
	}
	return nextAttempt(o), nil
}

// probe makes an attempt for an order of an operator that is out, and a second one if the token was refused. It
// implements admission.Probe.
func (w *Worker) probe(ctx context.Context, id topup.ID) (result topup.Result, made bool, err error) {
	o, err := w.Journal.Order(ctx, id)
	if err != nil {
		return result, false, err
	}
	if _, deferred := w.notDue(ctx, o); deferred || !w.admission.AdmitProbe(ctx, o).Buy {
		return result, false, nil
	}
	for _, renewed := range []bool{false, true} {
		result, o, err = w.attempt(ctx, o, attemptOptions{tokenRenewed: renewed, probe: true})
		if errors.Is(err, distributor.ErrCredentials) {
			return result, false, nil
		}
		if err != nil {
			return result, false, err
		}
		if !result.LoginAgain {
			break
		}
	}
	if again := nextAttempt(o); !again.IsZero() {
		err = w.Waker.EnqueueOrder(ctx, o.Request(), again)
	}
	return result, true, err
}
