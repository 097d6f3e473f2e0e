package reference

import (
	"context"
	"strings"
	"time"

	"recarga/topup"
)

// Restore records an order that a statement charges and that the book does not know. Nobody is notified.
func (j *Journal) Restore(_ context.Context, c topup.LostCharge, now time.Time) (topup.Order, error) {
	defer j.alone()()
	c.From, c.Until, now = whole(c.From), whole(c.Until), whole(now)
	c.TransactionID, c.Reference, c.AuthCode = text(c.TransactionID), text(c.Reference), text(c.AuthCode)
	if err := c.Check(); err != nil {
		return topup.Order{}, err
	}
	word := c.Resolution()
	if was := j.orders[c.ID]; was != nil {
		if was.resolvedSo(word) {
			return was.Order, nil
		}
		return topup.Order{}, topup.ErrConflict
	}
	o := &order{Order: c.Order(now), notified: topup.LostEvents}
	for _, owner := range j.callers {
		if owner.IDPrefix != "" && strings.HasPrefix(string(c.ID), owner.IDPrefix) {
			o.Caller = owner.Name
		}
	}
	o.attempts = []attempt{{deadline: c.Until, Attempt: topup.Attempt{
		Number: 1, StartedAt: c.From, FinishedAt: &c.Until, Outcome: topup.OutcomeUnknown, Error: topup.LostRecord,
		Evidence: text(c.Evidence),
	}}}
	o.resolutions = []topup.Resolution{decision(word, o, now)}
	j.place(o)
	return o.Order, nil
}

// claim completes an order that is Unclaimed, and notifies its caller.
func (j *Journal) claim(o *order, r topup.Request, now time.Time) {
	asked := r.Order(now)
	o.Caller, o.Product, o.Operator, o.Metadata = asked.Caller, asked.Product, asked.Operator, asked.Metadata
	o.CallbackURL, o.ProcessAt, o.ExpiresAt, o.Priority = asked.CallbackURL, asked.ProcessAt, asked.ExpiresAt,
		asked.Priority
	o.fingerprint, o.Unclaimed, o.UpdatedAt = r.Fingerprint(), false, now
	for _, ev := range j.events { // of a correction that came before
		if ev.OrderID == o.ID {
			ev.Caller, ev.CallbackURL = o.Caller, o.CallbackURL
		}
	}
	j.notify(o, topup.ClaimEventOf(o.State, o.notified), now)
	j.events[len(j.events)-1].DueAt = now
}
