package admission

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"recarga/topup"
)

// Probe buys an order to find out whether its operator works again. made: an attempt was made, whose result it
// returns. topup.ErrLost: another worker began an attempt for the order.
type Probe func(ctx context.Context, id topup.ID) (result topup.Result, made bool, err error)

// probeOutages probes operators that are out, with the orders that wait for them. It does not wait for the results.
func (r *releaser) probeOutages(ctx context.Context, all []topup.Waiting) {
	for operator, outage := range r.Outages() {
		if outage.Recovering() {
			continue
		}
		candidates := slices.DeleteFunc(slices.Clone(all), func(o topup.Waiting) bool {
			k := r.known(o)
			k.Probe = true
			return topup.OperatorOf(o.Product) != operator || !Decide(k).Buy
		})
		if len(candidates) == 0 {
			continue
		}
		if _, busy := r.probing.LoadOrStore(operator, true); busy {
			continue
		}
		r.probes.Go(func() {
			defer r.probing.Delete(operator)
			if err := r.probeOperator(ctx, operator, candidates); err != nil && ctx.Err() == nil {
				r.Log.WarnContext(ctx, "probe not made", "operator", operator, "error", err)
			}
		})
	}
}

// probeOperator buys one of the orders, unless another worker has just probed the operator. The order with the fewest
// attempts comes first, and of these the oldest, so that one order that always fails cannot be all that is tried.
func (r *releaser) probeOperator(ctx context.Context, operator string, candidates []topup.Waiting) error {
	if claimed, err := r.SharedState.ClaimProbe(ctx, operator, r.Breaker.Probe); err != nil || !claimed {
		return err
	}
	if r.limited() {
		if granted, _, err := r.RateLimiter.Take(ctx, topup.PriorityHigh, 1); err != nil || granted == 0 {
			return err
		}
	}
	slices.SortFunc(candidates, func(a, b topup.Waiting) int {
		return cmp.Or(cmp.Compare(a.AttemptCount, b.AttemptCount), cmp.Compare(a.Place, b.Place))
	})
	for _, o := range candidates {
		result, made, err := r.probe(ctx, o.ID)
		switch {
		case made:
			r.learnFromProbe(ctx, operator, o.ID, result)
			return err
		case err != nil && !errors.Is(err, topup.ErrLost):
			return err
		}
	}
	return nil
}

func (r *releaser) learnFromProbe(ctx context.Context, operator string, id topup.ID, result topup.Result) {
	if answers(result) {
		r.beginRecovery(ctx, operator)
		return
	}
	r.Log.WarnContext(ctx, "probe failed", "operator", operator, "order", id, "outcome", result.Outcome,
		"http_status", result.HTTPStatus, "response_code", string(result.Code),
		"error", cmp.Or(result.Error, result.Message))
}
