package admission

import (
	"context"
	"maps"
	"slices"
	"time"

	"recarga/topup"
)

// fairOrder sorts orders by their priority. Within a priority the callers alternate, beginning after the latest one,
// and the orders of one caller are sorted by their age.
func fairOrder(orders []topup.Waiting, latest map[topup.Priority]string) (sorted []topup.Waiting) {
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
				if orders := of[c]; round < len(orders) {
					sorted = append(sorted, orders[round])
				} else {
					delete(of, c)
				}
			}
		}
	}
	return sorted
}

// limits is how many orders of each operator that recovers may be released here. Other operators have no limit.
type limits map[string]*limit

type limit struct {
	recoveringSince time.Time
	n               int
}

// resumable is how many purchases an operator may have had so long after it began to recover: one in the first
// second, two more in the next, then four, and so on.
func resumable(after time.Duration) int {
	return 1<<(1+min(max(int(after.Seconds()), 0), 16)) - 1
}

// resume takes the limits of this process for the operators that recover, from what all workers have together.
func (r *releaser) resume(ctx context.Context, ready []topup.Waiting) limits {
	want := map[string]int{}
	for _, o := range ready {
		want[topup.OperatorOf(o.Product)]++
	}
	taken := limits{}
	for operator, outage := range r.currentRestrictions().Outages {
		if want[operator] == 0 {
			continue
		}
		since := outage.RecoveringSince
		n, err := r.SharedState.Resume(ctx, operator, since, resumable(time.Since(since)), want[operator])
		if err != nil {
			r.Log.WarnContext(ctx, "recovery delayed", "operator", operator, "error", err)
		}
		taken[operator] = &limit{since, n}
	}
	return taken
}

// giveBack returns to all workers what was not released here.
func (r *releaser) giveBack(ctx context.Context, taken limits) {
	for operator, limit := range taken {
		if limit.n == 0 {
			continue
		}
		if err := r.SharedState.GiveBack(ctx, operator, limit.recoveringSince, limit.n); err != nil {
			r.Log.WarnContext(ctx, "recovery is slower than it could be", "operator", operator, "error", err)
		}
	}
}

// take takes the first n of the orders that may be released, and returns the others too.
func (l limits) take(orders []topup.Waiting, n int) (taken, left []topup.Waiting) {
	for _, o := range orders {
		limit := l[topup.OperatorOf(o.Product)]
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

// undo undoes take for orders that are not released here.
func (l limits) undo(orders ...topup.Waiting) {
	for _, o := range orders {
		if limit := l[topup.OperatorOf(o.Product)]; limit != nil {
			limit.n++
		}
	}
}
