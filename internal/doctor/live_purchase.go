package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"recarga/topup"
)

// Orders is a running Recarga: the purchase goes through its book of record like any other.
type Orders interface {
	// Place places an order; the same again is the same order.
	Place(ctx context.Context, r topup.Request) (o topup.Order, replayed bool, err error)
	Get(ctx context.Context, id topup.ID) (topup.Details, error)
}

const (
	// pollEvery is the time between two requests for the order.
	pollEvery = 250 * time.Millisecond
	// deliveredWithin is what the first try of a webhook gets.
	deliveredWithin = 10 * time.Second
)

// buying is one purchase.
type buying struct {
	live    *Live
	orders  Orders
	request topup.Request
	wait    time.Duration
	before  decimal.Decimal
	details topup.Details
}

// SmallPurchase is an order of some fields with an id of its own: of the product that is named, or else of the
// cheapest, and at the least price, where no amount is given.
func SmallPurchase(catalog topup.Catalog, f topup.Fields, now time.Time) (topup.Request, error) {
	least := slices.MinFunc(catalog.Products(), func(a, b topup.Product) int { return cmp.Compare(a.Min, b.Min) })
	if p, ok := catalog.Product(f.Product); ok {
		least = p
	}
	f.ID = fmt.Sprintf("doctor-%s-%s", now.UTC().Format("20060102T150405Z"), rand.Text()[:6])
	f.Product, f.Amount = cmp.Or(f.Product, least.ID), cmp.Or(f.Amount, least.Min.String())
	f.Metadata = map[string]string{"placed_by": "recarga doctor"}
	return catalog.Request(f)
}

// Purchase places the order, waits for its end for so long, and judges the result. It is called
// after Examine found no failure. The details are the order's as it was last seen; its id is empty where
// it was not placed.
func (l *Live) Purchase(
	ctx context.Context, orders Orders, r topup.Request, wait time.Duration,
) ([]Finding, topup.Details) {
	b := &buying{live: l, orders: orders, request: r, wait: wait}
	timeout := max(wait, l.cfg.Timeout) + deliveredWithin
	found := l.walk(ctx, b.checks()[:1], timeout)
	if b.details.ID != "" {
		for _, c := range b.checks()[1:] { // however the purchase ended, the rest is worth knowing
			found = append(found, l.walk(ctx, []Check{c}, timeout)...)
		}
	}
	return found, b.details
}

func (b *buying) checks() []Check {
	return []Check{
		check("live order", b.place),
		check("live purchase", b.outcome),
		check("live purchase answer", b.answer),
		check("live webhook", b.delivered),
		check("live balance change", b.change),
	}
}

func (b *buying) place(ctx context.Context) Finding {
	balance, err := b.live.client.Balance(ctx)
	if err == nil {
		b.before, err = decimal.NewFromString(balance.Amount.String())
	}
	if err != nil {
		return refused(b.live.answers.since(0), err)
	}
	ctx, cancel := context.WithTimeout(ctx, b.live.cfg.Timeout)
	defer cancel()
	o, _, err := b.orders.Place(ctx, b.request)
	var temporary interface{ Temporary() bool }
	switch {
	case err == nil:
		b.details.Order = o
		return ok("%s placed: %s MXN of %s", o.ID, o.Amount, o.Product)
	case errors.As(err, &temporary) && !temporary.Temporary():
		return fail("refused: %v", err)
	default:
		return fail("%v", err).with("see with recarga get %s whether it was placed after all: until then, buy no other; "+
			"check RECARGA_API_URL and that recarga serve runs", b.request.ID)
	}
}

// outcome waits until the order is final or held.
func (b *buying) outcome(ctx context.Context) Finding {
	b.until(ctx, b.wait, func(d topup.Details) bool { return d.State.Final() || d.State == topup.StateUnknown })
	f := b.ended(b.details)
	f.Order = &b.details
	return f
}

func (b *buying) ended(d topup.Details) Finding {
	said := fmt.Sprintf("%s after %s, attempts: %d", stateAndCode(d),
		d.UpdatedAt.Sub(d.CreatedAt).Round(time.Millisecond), d.AttemptCount)
	switch {
	case d.State == topup.StateSucceeded:
		return ok("%s", said)
	case d.State == topup.StateUnknown:
		return fail("%s: it may have been charged",
			said).with("find out at the distributor, then: recarga resolve %s --as succeeded or failed --reason …; it is "+
			"not sent again by itself", d.ID)
	case d.State.Final():
		return fail("%s", said).with("%s", declineFix(d.Order))
	default:
		return fail("still %s after %s", stateAndCode(d),
			b.wait).with("recarga watch %s; a worker must run on the API's database, and its queue must not be paused", d.ID)
	}
}

func stateAndCode(d topup.Details) string {
	said := string(d.State)
	if d.Reason != "" {
		said += "/" + string(d.Reason)
	}
	if d.ResponseCode != "" {
		said += fmt.Sprintf(" with code %s (%s)", d.ResponseCode, d.ResponseMessage)
	}
	return said
}

// declineFix says what to do about an order that failed. Nothing was charged.
func declineFix(o topup.Order) string {
	switch o.ResponseCode {
	case "51":
		return "pay into the account at the distributor"
	case "83":
		return "take a number of the product's operator"
	case "12", "13", "14":
		return "take a product and an amount that the distributor sells to you (--product, --amount)"
	case "05":
		return "ask the distributor to authorize this customer for the product"
	case "91", "96":
		return "try later: the operator is not available; nothing was charged"
	default:
		return "see why with: recarga get " + string(o.ID)
	}
}

func (b *buying) answer(context.Context) Finding {
	d := b.details
	if d.State != topup.StateSucceeded {
		return nothing()
	}
	var missing []string
	for _, f := range []struct {
		name  string
		value topup.NullString
	}{{"transaction_id", d.TransactionID}, {"response_message", d.ResponseMessage}, {"reference", d.Reference},
		{"auth_code", d.AuthCode}} {
		if f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if d.BalanceAfter == nil {
		missing = append(missing, "balance_after")
	}
	if len(missing) > 0 {
		return warn("not as documented: no %s", strings.Join(missing, ", "))
	}
	return ok("transaction %s, reference %s, authorization %s", d.TransactionID, d.Reference, d.AuthCode)
}

func (b *buying) delivered(ctx context.Context) Finding {
	tried := func(e topup.Event) bool { return e.DeliveredAt != nil || len(e.Tries) > 0 }
	b.until(ctx, deliveredWithin, func(d topup.Details) bool { return slices.ContainsFunc(d.Events, tried) })
	i := slices.IndexFunc(b.details.Events, tried)
	if i < 0 {
		return warn("caller %s was not notified yet", b.details.Caller)
	}
	e := b.details.Events[i]
	if e.DeliveredAt != nil {
		return ok("%s delivered to caller %s", e.Type, b.details.Caller)
	}
	try := e.Tries[len(e.Tries)-1]
	why := string(try.Error)
	if try.Status != nil {
		why = strings.TrimSuffix(fmt.Sprintf("it answered HTTP %d, %s", *try.Status, why), ", ")
	}
	return warn("%s not delivered to caller %s: %s", e.Type, b.details.Caller, why)
}

func (b *buying) change(ctx context.Context) Finding {
	if after := b.details.BalanceAfter; after != nil {
		return b.fell(*after, "by the purchase's answer")
	}
	balance, err := b.live.client.Balance(ctx)
	if err != nil {
		return warn("%v", err)
	}
	return b.fell(balance.Amount, "by get_balance")
}

// fell judges the balance after the purchase: it must have fallen if that succeeded, and must not if it failed.
func (b *buying) fell(amount json.Number, by string) Finding {
	after, err := decimal.NewFromString(amount.String())
	if err != nil {
		return warn("%q is not a number", amount)
	}
	cost := b.before.Sub(after)
	f := ok("from %s to %s %s: %s for %s MXN", b.before.StringFixed(2), after.StringFixed(2), by, cost, b.request.Amount)
	switch {
	case b.details.State == topup.StateSucceeded && !cost.IsPositive():
		f.Status = Warn
	case b.details.State == topup.StateFailed && cost.IsPositive():
		return warn("%s, though the purchase failed",
			f.Found).with("see whether other orders were bought meanwhile; if not, ask the distributor about %s", b.request.ID)
	}
	return f
}

// until asks for the order until it is as wanted, the time has passed or ctx ends. An API that does not
// answer for a moment is asked again.
func (b *buying) until(ctx context.Context, wait time.Duration, done func(topup.Details) bool) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if d, err := b.orders.Get(ctx, b.request.ID); err == nil {
			b.details = d
			if done(d) {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
