package worker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"recarga/topup"
)

const (
	// mostCalled is how many orders may have been called that no worker has begun: so many stand in the queue
	// before an order of a checkout.
	mostCalled = 256
	// foremost is how many of each line are looked at.
	foremost = 64
	// idlePause, busyPause and blockedPause are the waits between two looks at the line: when nobody stands
	// there, when somebody was called, and when nobody could be.
	idlePause, busyPause, blockedPause = 500 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond
)

// feeder works off the line: it calls the orders that may be bought, by their priority, the callers in turn,
// and the oldest of each first. All workers do, and the journal has each order called once.
type feeder struct {
	*Worker
	// latest is the caller of each priority who was served last.
	latest  map[topup.Priority]string
	probing atomic.Bool
	probes  sync.WaitGroup
}

// feed works off the line until ctx ends.
func (w *Worker) feed(ctx context.Context) {
	f := &feeder{Worker: w, latest: map[topup.Priority]string{}}
	defer f.probes.Wait()
	for ctx.Err() == nil {
		pause, err := f.look(ctx)
		if err != nil && ctx.Err() == nil {
			w.Log.WarnContext(ctx, "line not worked off", "error", err)
			pause = time.Second
		}
		wait(ctx, min(pause, busyPause), nil)
		wait(ctx, pause-busyPause, w.joined)
	}
}

// wait returns when the time is over, when somebody has come, or when ctx has ended.
func wait(ctx context.Context, d time.Duration, come <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-come:
	}
}

// look calls those whose turn it is, and says when to look again.
func (f *feeder) look(ctx context.Context) (pause time.Duration, err error) {
	f.gate.refresh(ctx)
	all, err := f.Journal.InLine(ctx, foremost)
	if err != nil {
		return 0, err
	}
	for rank, p := range topup.Priorities() {
		f.gate.crowd[rank].Store(slices.ContainsFunc(all, func(o topup.InLine) bool { return o.Priority == p }))
	}
	if len(all) == 0 {
		return idlePause, nil
	}
	called, err := f.Journal.Called(ctx)
	if err != nil {
		return 0, err
	}
	ready := f.ready(ctx, all)
	f.probe(ctx, all)
	n, wait, err := f.callThose(ctx, ready, mostCalled-called)
	if err != nil || n == 0 {
		return blockedPause, err
	}
	if wait > 0 {
		return min(wait, blockedPause), nil
	}
	return busyPause, nil
}

// ready are those that may be bought, in the order of their turns.
func (f *feeder) ready(ctx context.Context, all []topup.InLine) []topup.InLine {
	outages := f.gate.outages()
	resumed := map[string][]topup.InLine{}
	ready := slices.DeleteFunc(slices.Clone(all), func(o topup.InLine) bool {
		operator := topup.OperatorOf(o.Product)
		if f.gate.barred(o) == topup.WaitOutage && outages[operator].Recovering() {
			resumed[operator] = append(resumed[operator], o)
		}
		return f.gate.barred(o) != ""
	})
	for operator, orders := range resumed {
		rate := 1 << min(int(time.Since(outages[operator].RecoveringSince).Seconds()), 16)
		n, err := f.Board.Resume(ctx, operator, rate, len(orders))
		if err != nil {
			f.Log.WarnContext(ctx, "resumption put off", "operator", operator, "error", err)
		}
		ready = append(ready, inTurns(orders, f.latest)[:n]...)
	}
	return inTurns(ready, f.latest)
}

// inTurns sorts orders by their priority; those of one priority so that their callers take turns, from the
// one after the latest on; and those of one caller by their age.
func inTurns(orders []topup.InLine, latest map[topup.Priority]string) (sorted []topup.InLine) {
	for _, p := range topup.Priorities() {
		of := map[string][]topup.InLine{}
		for _, o := range orders {
			if o.Priority == p {
				of[o.Caller] = append(of[o.Caller], o)
			}
		}
		callers := slices.Sorted(maps.Keys(of))
		for _, c := range callers {
			slices.SortFunc(of[c], func(a, b topup.InLine) int { return int(a.Place - b.Place) })
		}
		next, found := slices.BinarySearch(callers, latest[p])
		if found {
			next++
		}
		for round := 0; len(of) > 0; round++ {
			for i := range callers {
				c := callers[(next+i)%len(callers)]
				if line := of[c]; round < len(line) {
					sorted = append(sorted, line[round])
				} else {
					delete(of, c)
				}
			}
		}
	}
	return sorted
}

// callThose calls the first of the orders, as many as there is room for and as the pace allows.
func (f *feeder) callThose(ctx context.Context, orders []topup.InLine, room int) (n int, wait time.Duration, err error) {
	for _, p := range topup.Priorities() {
		of := slices.DeleteFunc(slices.Clone(orders), func(o topup.InLine) bool {
			return o.Priority != p || o.AttemptCount > 0 && !f.gate.budget.retry()
		})
		want := min(len(of), room-n)
		if want <= 0 {
			continue
		}
		granted := want
		if f.Pacer != nil {
			if granted, wait, err = f.Pacer.Take(ctx, p, want); err != nil {
				return n, 0, err
			}
		}
		called, err := f.call(ctx, of, granted)
		n += called
		if err != nil || granted < want {
			return n, wait, err // those of less priority wait as well
		}
	}
	return n, wait, nil
}

// call calls n of the orders, the first ones that nobody else has called.
func (f *feeder) call(ctx context.Context, orders []topup.InLine, n int) (called int, err error) {
	for len(orders) > 0 && called < n && err == nil {
		batch := orders[:min(n-called, len(orders))]
		orders = orders[len(batch):]
		errs := make([]error, len(batch))
		var done sync.WaitGroup
		for i, o := range batch {
			done.Go(func() { errs[i] = f.callOne(ctx, o) })
		}
		done.Wait()
		for i, e := range errs {
			switch {
			case e == nil:
				called++
				f.latest[batch[i].Priority] = batch[i].Caller
			case !errors.Is(e, topup.ErrLost):
				err = e
			}
		}
	}
	return called, err
}

func (f *feeder) callOne(ctx context.Context, in topup.InLine) error {
	o, err := f.Journal.Call(ctx, in.ID, time.Now())
	if err != nil {
		return err
	}
	if o.AttemptCount == 0 {
		f.gate.budget.first()
	}
	if err := f.Bell.RingOrder(ctx, o.Request(), time.Time{}); err != nil {
		f.Log.WarnContext(ctx, "queue not reached; the sweep will ring", "order", o.ID, "error", err)
	}
	return nil
}

// probe tries operators that are out, beside the line: with the balance first, which moves no money, and then
// with the order that has had the fewest attempts.
func (f *feeder) probe(ctx context.Context, all []topup.InLine) {
	for operator, outage := range f.gate.outages() {
		if outage.Recovering() || f.gate.pausedFor() > 0 {
			continue
		}
		of := slices.DeleteFunc(slices.Clone(all), func(o topup.InLine) bool {
			return topup.OperatorOf(o.Product) != operator || f.gate.barred(o) != topup.WaitOutage
		})
		if len(of) == 0 || !f.probing.CompareAndSwap(false, true) {
			continue
		}
		fewest := slices.MinFunc(of, func(a, b topup.InLine) int { return a.AttemptCount - b.AttemptCount })
		f.probes.Go(func() {
			defer f.probing.Store(false)
			if err := f.probeWith(ctx, operator, fewest.ID); err != nil && ctx.Err() == nil {
				f.Log.InfoContext(ctx, "probe failed", "operator", operator, "error", err)
			}
		})
	}
}

func (f *feeder) probeWith(ctx context.Context, operator string, id topup.ID) error {
	if claimed, err := f.Board.ClaimProbe(ctx, operator, f.Breaker.Probe); err != nil || !claimed {
		return err
	}
	if f.Balances != nil {
		if _, err := f.Balances.Balance(ctx); err != nil {
			return err
		}
	}
	o, err := f.Journal.Order(ctx, id)
	if err != nil {
		return err
	}
	if _, wait := f.notDue(ctx, o); wait || f.gate.take(o) != "" {
		return nil
	}
	if f.Pacer != nil {
		if granted, _, err := f.Pacer.Take(ctx, topup.PriorityHigh, 1); err != nil || granted == 0 {
			return err
		}
	}
	result, again, err := f.tryUntilSettled(ctx, o)
	if err != nil {
		return err
	}
	if answers(result) {
		f.gate.recovers(ctx, operator)
	}
	if !again.IsZero() {
		return f.Bell.RingOrder(ctx, o.Request(), again)
	}
	return nil
}

// tryUntilSettled makes an attempt without asking the gate, and a second one where the token was refused.
func (f *feeder) tryUntilSettled(ctx context.Context, o topup.Order) (result topup.Result, again time.Time, err error) {
	for _, renewed := range []bool{false, true} {
		result, o, err = f.attempt(ctx, manner{renewed: renewed, probe: true}, f.begin(ctx, o, topup.ProbeBy(f.name)))
		if err != nil || !result.LoginAgain {
			break
		}
	}
	return result, nextLook(o), err
}
