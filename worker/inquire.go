package worker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"recarga/distributor"
	"recarga/topup"
)

// mostInquiries bounds the unknown attempts that wait for an inquiry. Beyond it they keep the evidence
// of their answers alone: in such an outage one balance says little of one order.
const mostInquiries = 256

// inquiry is an unknown attempt about which evidence is to be gathered.
type inquiry struct {
	id     topup.ID
	number int
}

// askAbout puts an unknown attempt on the list.
func (w *Worker) askAbout(id topup.ID, number int) {
	if w.Balances == nil {
		return
	}
	select {
	case w.inquiries <- inquiry{id, number}:
	default:
		w.Log.Warn("no inquiry into an unknown attempt; too many at once", "order", id, "attempt", number)
	}
}

// inquire adds to unknown attempts how the distributor's balance changed meanwhile, until ctx ends. It helps whoever
// must decide, and never decides: a balance may be stale, in another currency, and changed by others.
func (w *Worker) inquire(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-w.inquiries:
			balance, err := w.Balances.Balance(ctx)
			for _, q := range append([]inquiry{first}, w.listed()...) {
				w.note(ctx, q, balance, err)
			}
		}
	}
}

// listed is what has been put on the list meanwhile: one balance serves them all.
func (w *Worker) listed() (all []inquiry) {
	for {
		select {
		case q := <-w.inquiries:
			all = append(all, q)
		default:
			return all
		}
	}
}

func (w *Worker) note(ctx context.Context, q inquiry, after distributor.Balance, failed error) {
	around, err := w.Journal.Around(ctx, q.id, q.number, time.Now())
	if err == nil {
		err = w.Journal.AddEvidence(ctx, q.id, q.number, describe(around, after, failed))
	}
	if err != nil && ctx.Err() == nil {
		w.Log.WarnContext(ctx, "evidence not kept", "order", q.id, "attempt", q.number, "error", err)
	}
}

// describe describes what is known about the money around an attempt.
func describe(a topup.Surroundings, after distributor.Balance, failed error) string {
	var b strings.Builder
	if a.Before == nil {
		b.WriteString("balance before: not known")
	} else {
		fmt.Fprintf(&b, "balance before: %s (order %s, %s)", a.Before, a.BeforeOrder, a.BeforeAt.Format(time.RFC3339))
	}
	if failed != nil {
		fmt.Fprintf(&b, "; after: not known: %v", failed)
	} else {
		of := "unknown time"
		if !after.LastUpdated.IsZero() {
			of = after.LastUpdated.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(&b, "; after: %s %s (asked %s, the distributor's figure of %s)", after.Amount, after.Currency,
			after.FetchedAt.UTC().Format(time.RFC3339), of)
	}
	fmt.Fprintf(&b, "; in between %d other orders succeeded, for %s MXN, and %d others are unknown",
		a.Succeeded, a.Amount, a.Unknown)
	return b.String()
}
