package search

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"recarga/internal/conclusion"
	"recarga/internal/journal/tables"
	"recarga/topup"
)

const (
	// nearby is how far from an attempt a reading of the balance may be.
	nearby = 6 * time.Hour
	// readingAge is how old a reading that was kept may be: as old as the distributor's figure, or as a purchase is long.
	readingAge = 2 * time.Minute
	// answered is when an attempt has ended, however long it takes.
	answered = 5 * time.Minute
	// archivedAfter is shorter than any order stays in the tables.
	archivedAfter = 24 * time.Hour
)

// The places of readings, as sql/evidence.sql has them.
const (
	saleBefore = iota
	saleAfter
	saleLate
	keptBefore
	keptAfter
	keptLate
)

// Conclude adds to each of the orders that is unknown what the evidence says of it. It is for what people are shown.
func (r *Reader) Conclude(ctx context.Context, orders []topup.Order) error {
	var ids []topup.ID
	for _, o := range orders {
		if o.State == topup.StateUnknown {
			ids = append(ids, o.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	all, err := r.Present(ctx, ids)
	if err != nil {
		return err
	}
	found := map[topup.ID]*topup.Conclusion{}
	for _, d := range all {
		if found[d.ID], err = r.Conclusion(ctx, d); err != nil {
			return err
		}
	}
	for i, o := range orders {
		orders[i].Conclusion = found[o.ID]
	}
	return nil
}

// concludeAll is Conclude of orders with their parts.
func (r *Reader) concludeAll(ctx context.Context, all []topup.Details) error {
	orders := make([]topup.Order, len(all))
	for i, d := range all {
		orders[i] = d.Order
	}
	err := r.Conclude(ctx, orders)
	for i, o := range orders {
		all[i].Order = o
	}
	return err
}

// Conclusion is what the evidence says of an order; nil unless it is unknown.
func (r *Reader) Conclusion(ctx context.Context, d topup.Details) (*topup.Conclusion, error) {
	if d.State != topup.StateUnknown {
		return nil, nil //nolint:nilnil // there is none
	}
	var all []conclusion.Evidence
	for _, a := range d.Attempts {
		if a.Outcome != topup.OutcomeUnknown {
			continue
		}
		e, err := r.evidence(ctx, d.ID, a)
		if err != nil {
			return nil, fmt.Errorf("evidence of %s attempt %d: %w", d.ID, a.Number, err)
		}
		all = append(all, e)
	}
	return conclusion.Of(d, all), nil
}

// reading is a figure of the balance around an attempt, and the sale that gave it.
type reading struct {
	place int
	sale  conclusion.Sale
}

func (r reading) figure() *conclusion.Reading {
	return &conclusion.Reading{Order: r.sale.Order, BalanceReading: topup.BalanceReading{
		Amount: r.sale.Balance, From: r.sale.From, At: r.sale.Until,
	}}
}

func scanReading(row tables.Scanner) (one reading, err error) {
	s := &one.sale
	var balance string
	err = row.Scan(&one.place, &s.Order, &s.Amount, tables.Time(&s.From), tables.Time(&s.Until), &balance)
	switch {
	case err != nil:
	case one.place >= keptBefore:
		s.Balance = s.Amount
	default:
		s.Approved = true
		if s.Balance, err = topup.ParseBalance(json.Number(balance)); err != nil {
			one.place, err = -1, nil // a figure that is none says nothing
		}
	}
	return one, err
}

// evidence is what the book knows of an attempt in doubt.
func (r *Reader) evidence(ctx context.Context, id topup.ID, a topup.Attempt) (e conclusion.Evidence, err error) {
	e.Attempt = a
	ended := a.StartedAt
	if a.FinishedAt != nil {
		ended = *a.FinishedAt
	}
	late := ended.Add(conclusion.LateCharge)
	readings, err := tables.List(ctx, r.db, scanReading, sqls.Get("readings"), a.StartedAt.UnixMicro(), ended.UnixMicro(),
		late.UnixMicro(), a.StartedAt.Add(-nearby).UnixMicro(), late.Add(nearby).UnixMicro(), readingAge.Microseconds())
	if err != nil {
		return e, err
	}
	at := map[int]*conclusion.Reading{}
	for _, one := range readings {
		if one.place == saleBefore {
			e.Sales = append(e.Sales, one.sale)
		}
		if at[one.place] == nil {
			at[one.place] = one.figure()
		}
	}
	slices.Reverse(e.Sales)
	e.Before = at[saleBefore]
	if kept := at[keptBefore]; e.Before == nil || kept != nil && kept.From.After(e.Before.At) {
		e.Before = kept
	}
	if e.Before == nil {
		return e, nil
	}
	soon, last := earlier(at[saleAfter], at[keptAfter]), earlier(at[saleLate], at[keptLate])
	for _, end := range []*conclusion.Reading{soon, last} {
		if end == nil || end == soon && last != nil && !soon.From.Before(late) {
			continue // there is none, or it is the other
		}
		w, err := r.window(ctx, id, a, *e.Before, *end)
		if err != nil {
			return e, err
		}
		w.Late = !end.From.Before(late)
		e.Windows = append(e.Windows, w)
	}
	return e, nil
}

// earlier is the reading that was there first, or the one that there is.
func earlier(a, b *conclusion.Reading) *conclusion.Reading {
	if a == nil || b != nil && b.At.Before(a.At) {
		return b
	}
	return a
}

// window is what else moved the balance between two readings.
func (r *Reader) window(
	ctx context.Context, id topup.ID, a topup.Attempt, before, after conclusion.Reading,
) (w conclusion.Window, err error) {
	w.After = after
	w.Others, err = tables.List(ctx, r.db, func(row tables.Scanner) (m conclusion.Movement, err error) {
		var until *time.Time
		err = row.Scan(&m.Order, &m.Amount, &m.Approved, tables.Time(&m.From), tables.TimeOrNil(&until))
		if until != nil {
			m.Until = *until
		}
		return m, err
	}, sqls.Get("movements"), before.From.UnixMicro(), after.At.UnixMicro(), string(id), a.Number,
		conclusion.MostOthers+1, conclusion.LateCharge.Microseconds(), answered.Microseconds())
	if err != nil || time.Since(before.From) < archivedAfter {
		return w, err
	}
	left, err := r.db.Number(ctx, sqls.Get("archived_since"), before.From.Add(-nearby).UnixMicro())
	w.Archived = left > 0
	return w, err
}
