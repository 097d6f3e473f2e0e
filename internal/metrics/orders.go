package metrics

import (
	"context"
	"time"

	"recarga/internal/journal"
	"recarga/topup"
)

func (m *Metrics) defineOrders() {
	m.accepted = m.counters(alone(), "recarga_orders_accepted_total")
	m.finished = m.counters(m.ends(), "recarga_orders_finished_total")
	m.corrected = m.counters(alone(), "recarga_orders_corrected_total")
	m.disputed = m.desc(gauge, "recarga_orders_disputed")
	m.disputedAge = m.desc(gauge, "recarga_disputed_oldest_age_seconds")
	m.held = m.counters(alone(), "recarga_orders_held_total")
	m.attempts = m.counters(m.results(), "recarga_attempts_total")
	m.deferred = m.counters(each("turn", "pace", "outage", "balance", "login"), "recarga_orders_deferred_total")
	m.firstAttemptSeconds = m.histograms(wait, "recarga_order_first_attempt_seconds")
	m.orderSeconds = m.histograms(life, "recarga_order_seconds")
	m.orders = m.desc(gauge, "recarga_orders")
	m.waiting = m.desc(gauge, "recarga_orders_waiting")
	m.unknownAge = m.desc(gauge, "recarga_unknown_oldest_age_seconds")
	m.dueAge = m.desc(gauge, "recarga_order_due_oldest_age_seconds")
}

// results are the outcomes and codes that attempts have.
func (m *Metrics) results() [][]string {
	start := [][]string{{"declined", "none"}, {"not_sent", "none"}, {"unknown", "none"}, {"unknown", "other"}}
	for _, c := range m.codes {
		start = append(start, []string{string(c.Class(m.retry)), string(c)})
	}
	return start
}

// ends are the states, reasons and codes that orders end with.
func (m *Metrics) ends() [][]string {
	start := [][]string{
		{"succeeded", "none", "00"}, {"canceled", "none", "none"},
		{"failed", "declined", "none"}, {"failed", "retries_exhausted", "none"},
		{"failed", "expired", "none"}, {"failed", "invalid", "none"}, {"failed", "resolved", "none"},
	}
	for _, c := range m.codes {
		switch c.Class(m.retry) {
		case topup.OutcomeDeclined:
			start = append(start, []string{"failed", "declined", string(c)})
		case topup.OutcomeUnavailable:
			start = append(start, []string{"failed", "retries_exhausted", string(c)})
		}
	}
	return start
}

// Journal is a book of record whose changes are counted.
type Journal struct {
	*journal.Journal
	m *Metrics
}

// Journal counts what is recorded through it, and registers what is read from j at a scrape.
func (m *Metrics) Journal(j *journal.Journal) *Journal { return &Journal{Journal: j, m: m} }

// Accept counts a new order.
func (j *Journal) Accept(
	ctx context.Context, r topup.Request, now time.Time,
) (o topup.Order, replayed bool, err error) {
	o, replayed, err = j.Journal.Accept(ctx, r, now)
	if err == nil && !replayed {
		j.m.accepted.WithLabelValues().Inc()
	}
	return o, replayed, err
}

// AcceptInvalid counts an order that is accepted and failed at once.
func (j *Journal) AcceptInvalid(ctx context.Context, o topup.Order, why string, now time.Time) (*topup.Event, error) {
	ev, err := j.Journal.AcceptInvalid(ctx, o, why, now)
	if err == nil {
		j.m.accepted.WithLabelValues().Inc()
		o.State = topup.StateFailed
		if o.Reason == "" {
			o.Reason = topup.ReasonInvalid
		}
		j.m.changed(o, ev)
	}
	return ev, err
}

// Begin measures the wait for the first attempt.
func (j *Journal) Begin(
	ctx context.Context, id topup.ID, attempts int, worker string, deadline, now time.Time,
) (topup.Order, error) {
	o, err := j.Journal.Begin(ctx, id, attempts, worker, deadline, now)
	return o, j.m.began(o, err)
}

// BeginFirst measures the wait for the first attempt.
func (j *Journal) BeginFirst(
	ctx context.Context, id topup.ID, worker string, deadline, now time.Time,
) (topup.Order, error) {
	o, err := j.Journal.BeginFirst(ctx, id, worker, deadline, now)
	return o, j.m.began(o, err)
}

func (m *Metrics) began(o topup.Order, err error) error {
	if err == nil && o.AttemptCount == 1 {
		m.firstAttemptSeconds.WithLabelValues().Observe(seconds(o.UpdatedAt.Sub(wanted(o))))
	}
	return err
}

// wanted is since when an order could have been bought.
func wanted(o topup.Order) time.Time {
	if o.ProcessAt != nil && o.ProcessAt.After(o.CreatedAt) {
		return *o.ProcessAt
	}
	return o.CreatedAt
}

// Defer counts an order that could not be bought at once.
func (j *Journal) Defer(ctx context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error {
	err := j.Journal.Defer(ctx, id, attempts, why, now)
	if err == nil {
		j.m.deferred.WithLabelValues(string(why)).Inc()
	}
	return err
}

// Finish counts an attempt's result, and the order's end.
func (j *Journal) Finish(ctx context.Context, s topup.Settlement, now time.Time) (topup.Order, *topup.Event, error) {
	o, ev, err := j.Journal.Finish(ctx, s, now)
	if err == nil {
		j.m.attempts.WithLabelValues(string(s.Result.Outcome), j.m.code(s.Result.Code)).Inc()
		j.m.changed(o, ev)
	}
	return o, ev, err
}

// End counts the order's end.
func (j *Journal) End(ctx context.Context, id topup.ID, now time.Time) (topup.Order, *topup.Event, error) {
	return j.m.ended(j.Journal.End(ctx, id, now))
}

// Cancel counts the order's end.
func (j *Journal) Cancel(
	ctx context.Context, id topup.ID, caller string, now time.Time,
) (topup.Order, *topup.Event, error) {
	return j.m.ended(j.Journal.Cancel(ctx, id, caller, now))
}

// Resolve counts the order's end.
func (j *Journal) Resolve(
	ctx context.Context, id topup.ID, r topup.Resolution, now time.Time,
) (topup.Order, *topup.Event, error) {
	return j.m.ended(j.Journal.Resolve(ctx, id, r, now))
}

// Hold counts an order that is unknown from then on.
func (j *Journal) Hold(
	ctx context.Context, id topup.ID, h topup.Hold, now time.Time,
) (topup.Order, *topup.Event, error) {
	return j.m.ended(j.Journal.Hold(ctx, id, h, now))
}

// Correct counts no end: the order has had its own.
func (j *Journal) Correct(
	ctx context.Context, id topup.ID, c topup.Correction, now time.Time,
) (topup.Order, *topup.Event, error) {
	o, ev, err := j.Journal.Correct(ctx, id, c, now)
	if ev != nil {
		j.m.corrected.WithLabelValues().Inc()
	}
	return o, ev, err
}

func (m *Metrics) ended(o topup.Order, ev *topup.Event, err error) (topup.Order, *topup.Event, error) {
	if err == nil {
		m.changed(o, ev)
	}
	return o, ev, err
}

// changed counts an order whose change has an event; without one it was a repeat.
func (m *Metrics) changed(o topup.Order, ev *topup.Event) {
	switch {
	case ev == nil:
	case o.State == topup.StateUnknown:
		m.held.WithLabelValues().Inc()
	case o.State.Final():
		reason := "none"
		if o.Reason != "" {
			reason = string(o.Reason)
		}
		m.finished.WithLabelValues(string(o.State), reason, m.code(o.ResponseCode)).Inc()
		if o.FinishedAt != nil {
			m.orderSeconds.WithLabelValues(string(o.State)).Observe(seconds(o.FinishedAt.Sub(wanted(o))))
		}
	}
}

// DisableEndpoint counts the endpoints that this process disabled by itself.
func (j *Journal) DisableEndpoint(
	ctx context.Context, d topup.DisabledEndpoint, notify bool, now time.Time,
) (disabled bool, ev *topup.Event, err error) {
	disabled, ev, err = j.Journal.DisableEndpoint(ctx, d, notify, now)
	if disabled && d.Reason != topup.DisabledByOperator {
		j.m.disabled.WithLabelValues().Inc()
	}
	return disabled, ev, err
}
