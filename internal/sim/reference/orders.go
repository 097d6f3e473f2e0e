package reference

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"recarga/topup"
)

// Accept records a new order, or returns the one of the same id and content.
func (j *Journal) Accept(
	_ context.Context, r topup.Request, now time.Time,
) (o topup.Order, replayed bool, err error) {
	defer j.alone()()
	now, r.ProcessAt, r.ExpiresAt = whole(now), wholeOrNil(r.ProcessAt), wholeOrNil(r.ExpiresAt)
	if was := j.orders[r.ID]; was != nil {
		if was.ClaimableBy(r) {
			j.claim(was, r, now)
			return was.Order, true, nil
		}
		if was.Caller != r.Caller || was.fingerprint != r.Fingerprint() {
			return o, false, topup.ErrConflict
		}
		return was.Order, true, nil
	}
	err = errors.Join(j.cfg.Catalog.Check(r), r.CheckTimes(now))
	if err = cmp.Or(err, j.idOf(r.Caller, r.ID, true)); err != nil {
		return o, false, err
	}
	fresh := &order{Order: r.Order(now), fingerprint: r.Fingerprint()}
	fresh.EndsAt = r.ExpiresAt
	if r.ExpiresAt == nil {
		from := now
		if r.ProcessAt != nil && r.ProcessAt.After(now) {
			from = *r.ProcessAt
		}
		fresh.EndsAt = after(from, j.cfg.Untried)
	}
	switch {
	case r.ProcessAt != nil:
		fresh.dueAt(*r.ProcessAt)
	case r.Priority == topup.PriorityBulk:
		fresh.WaitsFor = topup.NullString(topup.WaitFairShare)
		fresh.dueAt(now.Add(waitGrace))
	default:
		fresh.dueAt(now)
	}
	j.place(fresh)
	return fresh.Order, false, nil
}

func (j *Journal) place(o *order) {
	o.place = len(j.placed)
	j.orders[o.ID] = o
	j.placed = append(j.placed, o)
}

// AcceptInvalid records an order that came through Redis alone and cannot be bought.
func (j *Journal) AcceptInvalid(
	_ context.Context, o topup.Order, why string, now time.Time,
) (*topup.Event, error) {
	defer j.alone()()
	now, o.ProcessAt, o.ExpiresAt = whole(now), wholeOrNil(o.ProcessAt), wholeOrNil(o.ExpiresAt)
	switch {
	case j.orders[o.ID] != nil:
		return nil, topup.ErrConflict
	case j.idOf(o.Caller, o.ID, false) != nil:
		return nil, j.idOf(o.Caller, o.ID, false)
	}
	fresh := &order{Order: o, fingerprint: o.Request().Fingerprint()}
	fresh.State, fresh.Reason = topup.StateFailed, cmp.Or(o.Reason, topup.ReasonInvalid)
	fresh.Priority, fresh.Currency = cmp.Or(o.Priority, topup.PriorityNormal), topup.Currency
	fresh.ResponseMessage = topup.NullString(text(why))
	fresh.CreatedAt, fresh.UpdatedAt, fresh.FinishedAt, fresh.NextAttemptAt = now, now, &now, nil
	if fresh.Metadata == nil {
		fresh.Metadata = map[string]string{}
	}
	j.place(fresh)
	return j.notify(fresh, topup.EventTypeOf(fresh.State), now), nil
}

// Order is an order as it now is, or topup.ErrNotFound.
func (j *Journal) Order(_ context.Context, id topup.ID) (topup.Order, error) {
	defer j.alone()()
	o, err := j.known(id)
	if err != nil {
		return topup.Order{}, err
	}
	return o.Order, nil
}

// Details is an order with all that is known of it, or topup.ErrNotFound.
func (j *Journal) Details(_ context.Context, id topup.ID) (topup.Details, error) {
	defer j.alone()()
	o, err := j.known(id)
	if err != nil {
		return topup.Details{}, err
	}
	d := topup.Details{
		Order: o.Order, Attempts: []topup.Attempt{}, Events: []topup.Event{},
		Resolutions: append([]topup.Resolution{}, o.resolutions...),
		Corrections: append([]topup.Correction{}, o.corrections...),
		Disputes:    append([]topup.Dispute{}, o.disputes...),
	}
	for _, a := range o.attempts {
		d.Attempts = append(d.Attempts, a.Attempt)
	}
	for _, ev := range j.events {
		if ev.OrderID == id {
			d.Events = append(d.Events, ev.copied())
		}
	}
	slices.SortFunc(d.Events, func(a, b topup.Event) int {
		return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return d, nil
}

// End ends an order that waits and whose time is over; topup.ErrLost for any other.
func (j *Journal) End(_ context.Context, id topup.ID, now time.Time) (topup.Order, *topup.Event, error) {
	defer j.alone()()
	o := j.orders[id]
	now = whole(now)
	switch {
	case o == nil || !o.waits() || o.EndsAt == nil || now.Before(*o.EndsAt):
		return topup.Order{}, nil, topup.ErrLost
	case o.inDoubt():
		ev := j.move(o, topup.StateUnknown, topup.OpEnd, now)
		return o.Order, ev, nil
	}
	o.Reason = topup.ReasonRetriesExhausted
	if o.expired(now) || len(o.attempts) == 0 {
		o.Reason = topup.ReasonExpired
	}
	ev := j.move(o, topup.StateFailed, topup.OpEnd, now)
	return o.Order, ev, nil
}

func (o *order) expired(now time.Time) bool { return o.ExpiresAt != nil && !now.Before(*o.ExpiresAt) }

// Cancel withdraws an order that waits and is not in doubt, for its caller or, with an empty one, for the operator.
func (j *Journal) Cancel(
	_ context.Context, id topup.ID, caller string, now time.Time,
) (topup.Order, *topup.Event, error) {
	defer j.alone()()
	o, err := j.known(id)
	switch {
	case err != nil:
		return topup.Order{}, nil, err
	case caller != "" && caller != o.Caller:
		return topup.Order{}, nil, topup.ErrNotFound
	case o.State == topup.StateCanceled:
		return o.Order, nil, nil
	case !o.waits() || o.inDoubt():
		return topup.Order{}, nil, o.refused(topup.OpCancel)
	}
	ev := j.move(o, topup.StateCanceled, topup.OpCancel, whole(now))
	return o.Order, ev, nil
}

// Due lists orders that somebody should process, in the order of (due, id), from after on.
func (j *Journal) Due(_ context.Context, now time.Time, after topup.Due, limit int) ([]topup.Due, error) {
	return j.backlog(limit, func(o *order) bool {
		later := cmp.Or(o.due.Compare(whole(after.DueAt)), cmp.Compare(o.ID, after.ID)) > 0
		return !o.due.After(now) && later
	}), nil
}

// Overdue lists attempts past their deadline.
func (j *Journal) Overdue(_ context.Context, now time.Time, limit int) ([]topup.Due, error) {
	return j.backlog(limit, func(o *order) bool { return o.State == topup.StateSubmitting && !o.due.After(now) }), nil
}

func (j *Journal) backlog(limit int, chosen func(*order) bool) []topup.Due {
	defer j.alone()()
	list := []topup.Due{}
	for _, o := range j.placed {
		if o.due != nil && chosen(o) {
			list = append(list, topup.Due{ID: o.ID, State: o.State, AttemptCount: o.AttemptCount, DueAt: *o.due})
		}
	}
	slices.SortFunc(list, func(a, b topup.Due) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	return list[:min(limit, len(list))]
}

// Defer puts an order into the wait queue.
func (j *Journal) Defer(_ context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error {
	defer j.alone()()
	o := j.orders[id]
	if o == nil || !o.waits() || o.heldBack() || len(o.attempts) != attempts {
		return topup.ErrLost
	}
	o.WaitsFor, o.Released = topup.NullString(why), false
	o.dueAt(whole(now).Add(waitGrace))
	return nil
}

// Release takes an order out of the wait queue: it is due.
func (j *Journal) Release(_ context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	defer j.alone()()
	o := j.orders[id]
	if o == nil || o.WaitsFor == "" || o.heldBack() {
		return topup.Order{}, topup.ErrLost
	}
	o.WaitsFor, o.Released = "", true
	o.dueAt(whole(now))
	return o.Order, nil
}

// Released counts the released orders whose next attempt has not begun yet.
func (j *Journal) Released(context.Context) (n int, err error) {
	defer j.alone()()
	for _, o := range j.placed {
		if o.Released {
			n++
		}
	}
	return n, nil
}

// Waiting lists the foremost of the orders that wait: of each priority, caller and product as many as each.
func (j *Journal) Waiting(_ context.Context, each int) ([]topup.Waiting, error) {
	defer j.alone()()
	var all []*order
	for _, o := range j.placed {
		if o.WaitsFor != "" && !o.heldBack() {
			all = append(all, o)
		}
	}
	group := func(a, b *order) int {
		return cmp.Or(cmp.Compare(a.Priority.Rank(), b.Priority.Rank()), strings.Compare(a.Caller, b.Caller),
			strings.Compare(a.Product, b.Product))
	}
	slices.SortStableFunc(all, group)
	list := []topup.Waiting{}
	taken := 0 // of the group of the order before
	for i, o := range all {
		if i == 0 || group(all[i-1], o) != 0 {
			taken = 0
		}
		if taken++; taken <= each {
			list = append(list, topup.Waiting{
				ID: o.ID, Caller: o.Caller, Product: o.Product, Amount: o.Amount, Priority: o.Priority,
				AttemptCount: o.AttemptCount, Place: int64(o.place),
			})
		}
	}
	return list, nil
}
