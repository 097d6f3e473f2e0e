package producer

import (
	"context"
	"log/slog"
	"time"

	"recarga/internal/audit"
	"recarga/topup"
)

// MaxRedeliveries is how often a caller may redeliver one event on a day (of UTC): whoever redelivers in a loop sends
// its own endpoint more than it takes, and keeps the workers busy. An operator may do so any number of times.
const MaxRedeliveries = 100

func mostRedeliveries(who Actor) int {
	if who.Caller == "" {
		return 0
	}
	return MaxRedeliveries
}

// Redeliver makes an event due again, from the start of its schedule, whatever became of it before, and returns it as
// it then is. Errors: topup.ErrNotFound, also for another caller's event; *topup.QuotaError.
func (p *Producer) Redeliver(ctx context.Context, id string, who Actor) (topup.Event, error) {
	ctx = audit.Because(ctx, who.Reason)
	ev, err := p.journal.Event(ctx, id)
	if err == nil && who.Caller != "" && ev.Caller != who.Caller {
		err = topup.ErrNotFound
	}
	if err == nil {
		err = p.journal.RedeliverWithin(ctx, ev, mostRedeliveries(who), time.Now())
	}
	if err != nil {
		return topup.Event{}, err
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "event redelivered", append(who.attrs(),
		slog.String("event", ev.ID), slog.String("order", string(ev.OrderID)), slog.String("caller", ev.Caller))...)
	p.waker.Event(ctx, ev.ID, time.Time{})
	return p.journal.Event(ctx, id)
}

// RedeliverAll does so to all events that a filter chooses, or with a Limit to a page of them, of which next is the
// cursor of the rest. Of a caller they are its own, without those that it has redelivered MaxRedeliveries times today.
// The count is right also with an error: what was done stays. A bad cursor is a *topup.FieldError.
func (p *Producer) RedeliverAll(
	ctx context.Context, f topup.EventFilter, who Actor,
) (count int, next string, err error) {
	ctx = audit.Because(ctx, who.Reason)
	if f.MostRedeliveries = mostRedeliveries(who); who.Caller != "" {
		f.Caller = who.Caller
	}
	reached := true
	count, next, err = p.journal.RedeliverAll(ctx, f, time.Now(), func(ev topup.Event) {
		reached = reached && p.waker.Event(ctx, ev.ID, time.Time{}) // the sweep enqueues the rest
	})
	p.log.LogAttrs(ctx, slog.LevelInfo, "events redelivered", append(who.attrs(), slog.Int("count", count),
		slog.String("state", string(f.State)), slog.String("caller", f.Caller), slog.String("type", string(f.Type)))...)
	return count, next, err
}
