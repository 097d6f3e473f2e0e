package worker

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"recarga/internal/wake"
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
	latest map[topup.Priority]string
	// waited is when an order was last seen to wait for an operator that is out.
	waited map[string]time.Time
	// probing has the operators that this process tries at the moment.
	probing sync.Map
	probes  sync.WaitGroup
}

// feed works off the line until ctx ends.
func (w *Worker) feed(ctx context.Context) {
	f := &feeder{Worker: w, latest: map[topup.Priority]string{}, waited: map[string]time.Time{}}
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
	all, err := f.Journal.Waiting(ctx, foremost)
	if err != nil {
		return 0, err
	}
	for rank, p := range topup.Priorities() {
		f.gate.crowd[rank].Store(slices.ContainsFunc(all, func(o topup.Waiting) bool { return o.Priority == p }))
	}
	f.forget(ctx, all)
	if len(all) == 0 {
		return idlePause, nil
	}
	called, err := f.Journal.Released(ctx)
	if err != nil {
		return 0, err
	}
	ready, limits := f.ready(ctx, all)
	f.probe(ctx, all)
	n, wait, err := f.callThose(ctx, ready, limits, mostCalled-called)
	f.giveBack(ctx, limits)
	if err != nil || n == 0 {
		return blockedPause, err
	}
	if wait > 0 {
		return min(wait, blockedPause), nil
	}
	return busyPause, nil
}

// ready are those that may be bought, in the order of their turns: of those that were tried before as many as the
// retry budget has room for. Of an operator that recovers only as many may be called as limits says.
func (f *feeder) ready(ctx context.Context, all []topup.Waiting) (ready []topup.Waiting, limits resumption) {
	outages, room := f.gate.outages(), f.gate.budget.has()
	waiting := map[string]int{}
	for _, o := range inTurns(all, f.latest) {
		if f.gate.barred(o, true) != "" {
			continue
		}
		if o.AttemptCount > 0 {
			if room == 0 {
				continue
			}
			room--
		}
		ready = append(ready, o)
		waiting[topup.OperatorOf(o.Product)]++
	}
	limits = resumption{}
	for operator, outage := range outages {
		if waiting[operator] == 0 {
			continue
		}
		since := outage.RecoveringSince
		n, err := f.SharedState.Resume(ctx, operator, since, resumable(time.Since(since)), waiting[operator])
		if err != nil {
			f.Log.WarnContext(ctx, "resumption put off", "operator", operator, "error", err)
		}
		limits[operator] = &share{since, n}
	}
	return ready, limits
}

// resumption is how many orders of each operator that recovers may be called here. Others have no such limit.
type resumption map[string]*share

type share struct {
	recoveringSince time.Time
	n               int
}

// allowed counts the orders that may be called, at most room.
func (r resumption) allowed(orders []topup.Waiting, room int) (n int) {
	used := map[string]int{}
	for _, o := range orders {
		operator := topup.OperatorOf(o.Product)
		if limit := r[operator]; n < room && (limit == nil || used[operator] < limit.n) {
			used[operator]++
			n++
		}
	}
	return n
}

// take takes the first n of the orders that may be called, and leaves the others.
func (r resumption) take(orders []topup.Waiting, n int) (taken, left []topup.Waiting) {
	for _, o := range orders {
		limit := r[topup.OperatorOf(o.Product)]
		if len(taken) == n || limit != nil && limit.n == 0 {
			left = append(left, o)
			continue
		}
		if limit != nil {
			limit.n--
		}
		taken = append(taken, o)
	}
	return taken, left
}

// untake undoes take for an order that another worker has called.
func (r resumption) untake(o topup.Waiting) {
	if limit := r[topup.OperatorOf(o.Product)]; limit != nil {
		limit.n++
	}
}

// giveBack leaves to all workers what was not called here.
func (f *feeder) giveBack(ctx context.Context, limits resumption) {
	for operator, limit := range limits {
		if limit.n == 0 {
			continue
		}
		if err := f.SharedState.GiveBack(ctx, operator, limit.recoveringSince, limit.n); err != nil {
			f.Log.WarnContext(ctx, "resumption is slower than it may be", "operator", operator, "error", err)
		}
	}
}

// resumable is how many purchases an operator may have had so long after it began to recover: one in the first
// second, two more in the next, then four, and so on.
func resumable(after time.Duration) int {
	return 1<<(1+min(max(int(after.Seconds()), 0), 16)) - 1
}

// inTurns sorts orders by their priority; those of one priority so that their callers take turns, from the
// one after the latest on; and those of one caller by their age.
func inTurns(orders []topup.Waiting, latest map[topup.Priority]string) (sorted []topup.Waiting) {
	for _, p := range topup.Priorities() {
		of := map[string][]topup.Waiting{}
		for _, o := range orders {
			if o.Priority == p {
				of[o.Caller] = append(of[o.Caller], o)
			}
		}
		callers := slices.Sorted(maps.Keys(of))
		for _, c := range callers {
			slices.SortFunc(of[c], func(a, b topup.Waiting) int { return int(a.Place - b.Place) })
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

// callThose calls the first of the orders, as many as there is room for and as the pace and the limits allow.
func (f *feeder) callThose(ctx context.Context, orders []topup.Waiting, limits resumption, room int) (n int, wait time.Duration, err error) {
	for _, p := range topup.Priorities() {
		of := slices.DeleteFunc(slices.Clone(orders), func(o topup.Waiting) bool { return o.Priority != p })
		want := limits.allowed(of, room-n)
		if want == 0 {
			continue
		}
		granted := want
		if f.RateLimiter != nil {
			if granted, wait, err = f.RateLimiter.Take(ctx, p, want); err != nil {
				return n, 0, err
			}
		}
		called, err := f.call(ctx, of, limits, granted)
		n += called
		if err != nil || granted < want {
			return n, wait, err // those of less priority wait as well
		}
	}
	return n, wait, nil
}

// call calls n of the orders, the first ones that the limits allow and that nobody else has called.
func (f *feeder) call(ctx context.Context, orders []topup.Waiting, limits resumption, n int) (called int, err error) {
	for err == nil {
		var batch []topup.Waiting
		if batch, orders = limits.take(orders, n-called); len(batch) == 0 {
			break
		}
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
			case errors.Is(e, topup.ErrLost):
				limits.untake(batch[i])
			default:
				err = e
			}
		}
	}
	return called, err
}

func (f *feeder) callOne(ctx context.Context, in topup.Waiting) error {
	o, err := f.Journal.Release(ctx, in.ID, time.Now())
	if err != nil {
		return err
	}
	if o.AttemptCount == 0 {
		f.gate.budget.first()
	} else {
		f.gate.budget.retry()
	}
	wake.Waker{Queue: f.Waker, Log: f.Log}.Order(ctx, o.Request(), time.Time{})
	return nil
}

// forget ends the outages that nobody waits for any more: what began them is past, no probe is under way, and there
// is no order to find out with. Whoever comes next finds out.
func (f *feeder) forget(ctx context.Context, all []topup.Waiting) {
	outages := f.gate.outages()
	maps.DeleteFunc(f.waited, func(operator string, _ time.Time) bool { return outages[operator].Since.IsZero() })
	for operator, outage := range outages {
		wait := slices.ContainsFunc(all, func(o topup.Waiting) bool { return topup.OperatorOf(o.Product) == operator })
		last, known := f.waited[operator]
		switch {
		case wait || !known || outage.Since.After(last):
			f.waited[operator] = time.Now()
		case !outage.Recovering() && time.Since(last) > max(breakerWindow, f.Timeout+f.Slack):
			f.gate.endOutage(ctx, operator, outage)
			delete(f.waited, operator)
		}
	}
}

// probe tries operators that are out, beside the line, with the orders that wait for them.
func (f *feeder) probe(ctx context.Context, all []topup.Waiting) {
	for operator, outage := range f.gate.outages() {
		if outage.Recovering() || f.gate.pausedFor() > 0 {
			continue
		}
		waiting := slices.DeleteFunc(slices.Clone(all), func(o topup.Waiting) bool {
			return topup.OperatorOf(o.Product) != operator || f.gate.barred(o, false) != topup.WaitOutage
		})
		if len(waiting) == 0 {
			continue
		}
		if _, busy := f.probing.LoadOrStore(operator, true); busy {
			continue
		}
		f.probes.Go(func() {
			defer f.probing.Delete(operator)
			if err := f.probeWith(ctx, operator, waiting); err != nil && ctx.Err() == nil {
				f.Log.WarnContext(ctx, "probe not made", "operator", operator, "error", err)
			}
		})
	}
}

// probeWith buys one of the orders, if no other worker has just done so. They take turns: first those with the
// fewest attempts, of these the oldest; so one that is never answered well cannot be all that is tried.
func (f *feeder) probeWith(ctx context.Context, operator string, waiting []topup.Waiting) error {
	if claimed, err := f.SharedState.ClaimProbe(ctx, operator, f.Breaker.Probe); err != nil || !claimed {
		return err
	}
	if f.RateLimiter != nil {
		if granted, _, err := f.RateLimiter.Take(ctx, topup.PriorityHigh, 1); err != nil || granted == 0 {
			return err
		}
	}
	slices.SortFunc(waiting, func(a, b topup.Waiting) int {
		return cmp.Or(cmp.Compare(a.AttemptCount, b.AttemptCount), cmp.Compare(a.Place, b.Place))
	})
	for _, in := range waiting {
		o, err := f.Journal.Order(ctx, in.ID)
		if err != nil {
			return err
		}
		if _, wait := f.notDue(ctx, o); wait || f.gate.take(o) != "" {
			continue
		}
		if err := f.probeWithOrder(ctx, operator, o); !errors.Is(err, topup.ErrLost) {
			return err
		}
	}
	return nil
}

func (f *feeder) probeWithOrder(ctx context.Context, operator string, o topup.Order) error {
	result, again, err := f.tryUntilSettled(ctx, o)
	if err != nil {
		return err
	}
	if answers(result) {
		f.gate.recovers(ctx, operator)
	} else {
		f.Log.WarnContext(ctx, "probe failed", "operator", operator, "order", o.ID, "outcome", result.Outcome,
			"http_status", result.HTTPStatus, "response_code", string(result.Code), "error", cmp.Or(result.Error, result.Message))
	}
	if !again.IsZero() {
		return f.Waker.EnqueueOrder(ctx, o.Request(), again)
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
