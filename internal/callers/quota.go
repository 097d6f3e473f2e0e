package callers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"recarga/topup"
)

// Book counts the open orders of every caller: the journal.
type Book interface {
	OpenByCaller(ctx context.Context) (map[string]int, error)
}

const (
	// countEvery is how old a count of open orders may be, and countShare how much of the time counting may take at
	// most: of very many open orders it takes long, and is done less often.
	countEvery = time.Second
	countShare = 10
)

// Quotas keep callers within what they may have under way. It is safe for concurrent use.
//
// Each process counts the open orders in the book about once a second, and adds what it accepts itself. So several
// processes together exceed max_open by what the others accept in that time. A rate is kept by each process for
// itself.
type Quotas struct {
	registry *Registry // what each caller may have
	book     Book      // what it has

	counting sync.Mutex // held by the one that asks the book

	mu       sync.Mutex         // guards what follows
	limiters map[string]limiter // by caller
	// open are the open orders by caller, as they were counted, and what was accepted here since. taken is what was
	// accepted here since the count under way began.
	open, taken map[string]int
	countAt     time.Time // when to count next
}

// limiter keeps a caller's rate in this process.
type limiter struct {
	rate topup.Rate // that it was made for
	*rate.Limiter
}

// NewQuotas builds the quotas of the registry's callers.
func NewQuotas(registry *Registry, book Book) *Quotas {
	return &Quotas{
		registry: registry, book: book, limiters: map[string]limiter{}, open: map[string]int{}, taken: map[string]int{},
	}
}

// Quota is a caller's, as it was at most two seconds ago; that of the caller named default too.
func (r *Registry) Quota(ctx context.Context, name string) (topup.Quota, error) {
	c, err := r.quotas.Recall(name, func() (topup.Caller, error) {
		c, err := r.store.Caller(ctx, name)
		if errors.Is(err, topup.ErrNotFound) { // of the settings: it is remembered that it has none
			err = nil
		}
		return c, err
	})
	return c.Quota, err
}

// Take makes room for one more order of a caller, or returns a *topup.QuotaError. With room, settle must be called:
// with whether an order was placed. Without it, what is no new order may be placed all the same.
func (q *Quotas) Take(ctx context.Context, caller string) (settle func(placed bool), err error) {
	quota, err := q.registry.Quota(ctx, caller)
	if err != nil || quota == (topup.Quota{}) {
		return func(bool) {}, err
	}
	if quota.MaxOpen > 0 {
		q.count(ctx)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := q.open[caller]; quota.MaxOpen > 0 && n >= quota.MaxOpen {
		return nil, &topup.QuotaError{
			Reason: fmt.Sprintf("quota max_open: %d orders of caller %s are open (accepted, and not final), and it may have %d",
				n, caller, quota.MaxOpen),
			After: countEvery,
		}
	}
	if wait := q.wait(caller, quota.MaxRate, time.Now()); wait > 0 {
		reason := fmt.Sprintf("quota max_rate: caller %s may place %s", caller, quota.MaxRate)
		return nil, &topup.QuotaError{Reason: reason, After: wait}
	}
	q.add(caller, 1)
	return func(placed bool) {
		if !placed {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.add(caller, -1)
		}
	}, nil
}

func (q *Quotas) add(caller string, n int) {
	q.open[caller] = max(0, q.open[caller]+n)
	q.taken[caller] = max(0, q.taken[caller]+n)
}

// wait is how long a caller's rate makes an order wait; 0: it is taken. A second's worth may come at once.
func (q *Quotas) wait(caller string, r topup.Rate, now time.Time) time.Duration {
	if r == (topup.Rate{}) {
		return 0
	}
	l := q.limiters[caller]
	if l.rate != r {
		second := float64(r.Count) / r.Per.Seconds()
		l = limiter{r, rate.NewLimiter(rate.Limit(second), int(math.Ceil(second)))}
		q.limiters[caller] = l
	}
	reserved := l.ReserveN(now, 1)
	wait := reserved.DelayFrom(now)
	if wait > 0 {
		reserved.CancelAt(now)
	}
	return wait
}

// count asks the book, if the last count is old. Who comes meanwhile goes by that one; the first waits. A book that
// does not answer counts nothing: it takes no order either.
func (q *Quotas) count(ctx context.Context) {
	q.mu.Lock()
	due, first := !time.Now().Before(q.countAt), q.countAt.IsZero()
	q.mu.Unlock()
	if !due {
		return
	}
	if !first && !q.counting.TryLock() {
		return
	} else if first {
		q.counting.Lock()
	}
	defer q.counting.Unlock()
	began := time.Now()
	q.mu.Lock()
	if began.Before(q.countAt) { // somebody has counted meanwhile
		q.mu.Unlock()
		return
	}
	clear(q.taken)
	q.mu.Unlock()
	open, err := q.book.OpenByCaller(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		return
	}
	q.open = maps.Clone(open)
	for caller, n := range q.taken { // perhaps counted already: rather too many for a second than too few
		q.open[caller] += n
	}
	q.countAt = time.Now().Add(max(countEvery, countShare*time.Since(began)))
}
