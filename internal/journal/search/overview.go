package search

import (
	"context"
	"slices"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Range is what an overview looks back on: so many bars of a chart, of which the last one is under way.
type Range struct {
	// Name is the operator's word for it.
	Name string
	// Bar is what one bar stands for: whole minutes, or whole hours.
	Bar time.Duration
	// Bars is how many there are.
	Bars int
}

// Ranges are those that there are, the shortest first.
func Ranges() []Range {
	return []Range{{"hour", time.Minute, 60}, {"day", time.Hour, 24}, {"week", 6 * time.Hour, 28}}
}

// Since is when the range begins that ends now.
func (r Range) Since(now time.Time) time.Time {
	return now.Truncate(r.Bar).Add(r.Bar).Add(-time.Duration(r.Bars) * r.Bar)
}

// Overview is what the orders of a range, and those that wait, look like.
type Overview struct {
	// Since is when the range begins.
	Since time.Time
	// ByState counts all orders there are.
	ByState map[topup.State]int64
	// Bars are the orders that ended in each bar of the range, the oldest first, by how they ended; and those that are
	// unknown, by when they were placed.
	Bars []map[topup.State]int64
	// Ended are the times from when an order could have been bought to its end, Purchases those of the calls to the
	// distributor, and Tries those of the tries to deliver an event: of the newest of the range, SampleSize of each.
	Ended, Purchases, Tries Times
	// OldestWaiting is since when the order could have been bought that has waited for longest, whatever it waits for;
	// zero: none waits. One that is scheduled for later does not wait.
	OldestWaiting time.Time
	// Waiting counts the orders that were deferred and wait, by priority and product.
	Waiting map[topup.Priority]map[string]int64
	// UnknownByAge counts the held orders by how long ago they were placed: under an hour, a day, a week, longer.
	UnknownByAge [4]int64
	// Disputed are the orders whose final state is contradicted, the first since DisputedSince.
	Disputed      int64
	DisputedSince time.Time
	// ExhaustedEvents counts the exhausted events, up to 1000.
	ExhaustedEvents int64
}

// SampleSize is how many of the newest orders and events the times of an overview are of, as its statements say.
const SampleSize = 1000

// Times are durations, the shortest first.
type Times []time.Duration

// At is the time that a share of them do not exceed; 0 when there are none.
func (t Times) At(share float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	return t[int(share*float64(len(t)-1))]
}

// Overview reads what an operator wants to see at a glance. It reads the orders that are open, what was counted of
// those that have ended, and the newest SampleSize of them.
func (r *Reader) Overview(ctx context.Context, now time.Time, over Range) (o Overview, err error) {
	o.Since = over.Since(now)
	for _, read := range []func(context.Context, time.Time, *Overview) error{
		func(ctx context.Context, _ time.Time, o *Overview) error { return r.bars(ctx, over, o) },
		r.times, r.waiting, r.doubts,
	} {
		if err := read(ctx, now, &o); err != nil {
			return Overview{}, err
		}
	}
	return o, nil
}

// bars counts what ended, and what is unknown.
func (r *Reader) bars(ctx context.Context, over Range, o *Overview) (err error) {
	if o.ByState, err = r.CountByState(ctx); err != nil {
		return err
	}
	o.Bars = make([]map[topup.State]int64, over.Bars)
	for i := range o.Bars {
		o.Bars[i] = map[topup.State]int64{}
	}
	span := time.Hour
	if over.Bar < time.Hour {
		span = time.Minute
	}
	until := o.Since.Add(time.Duration(over.Bars) * over.Bar)
	_, err = tables.List(ctx, r.db, func(row tables.Scanner) (struct{}, error) {
		var bar, n int64
		var state topup.State
		err := row.Scan(&bar, &state, &n)
		if err == nil {
			o.Bars[bar][state] = n
		}
		return struct{}{}, err
	}, sqls.Get("ended"), o.Since.Unix(), until.Unix(), int64(over.Bar.Seconds()), int64(span.Seconds()))
	if err != nil {
		return err
	}
	unknown, err := tables.Counted[int64, int64](ctx, r.db, sqls.Get("unknown_bars"), o.Since.UnixMicro(),
		until.UnixMicro(), over.Bar.Microseconds())
	for bar, n := range unknown {
		o.Bars[bar][topup.StateUnknown] = n
	}
	return err
}

// times reads how long the newest orders, purchases and tries took.
func (r *Reader) times(ctx context.Context, _ time.Time, o *Overview) (err error) {
	micros := func(row tables.Scanner) (d time.Duration, err error) {
		var n int64
		err = row.Scan(&n)
		return time.Duration(n) * time.Microsecond, err
	}
	if o.Ended, err = tables.List(ctx, r.db, micros, sqls.Get("latencies"), o.Since.UnixMicro()); err != nil {
		return err
	}
	if o.Purchases, err = tables.List(ctx, r.db, micros, sqls.Get("purchase_times"), o.Since.UnixMicro()); err != nil {
		return err
	}
	first := earliest(o.Since)
	tries, err := tables.List(ctx, r.db, tables.ScanTries, sqls.Get("newest_tries"), first[:])
	for _, try := range slices.Concat(tries...) {
		o.Tries = append(o.Tries, time.Duration(try.DurationMS)*time.Millisecond)
	}
	for _, times := range []Times{o.Ended, o.Purchases, o.Tries} {
		slices.Sort(times)
	}
	return err
}

// waiting reads which orders wait.
func (r *Reader) waiting(ctx context.Context, now time.Time, o *Overview) error {
	since, err := tables.One(ctx, r.db, func(row tables.Scanner) (micros [3]int64, err error) {
		err = row.Scan(&micros[0], &micros[1], &micros[2])
		return micros, err
	}, sqls.Get("oldest_waiting"), now.UnixMicro())
	if err != nil {
		return err
	}
	for _, at := range since {
		if at > 0 && (o.OldestWaiting.IsZero() || at < o.OldestWaiting.UnixMicro()) {
			o.OldestWaiting = time.UnixMicro(at).UTC()
		}
	}
	o.Waiting = map[topup.Priority]map[string]int64{}
	for _, p := range topup.Priorities() {
		o.Waiting[p] = map[string]int64{}
	}
	_, err = tables.List(ctx, r.db, func(row tables.Scanner) (struct{}, error) {
		var rank int
		var product string
		var n int64
		err := row.Scan(&rank, &product, &n)
		if err == nil {
			o.Waiting[topup.PriorityOfRank(rank)][product] = n
		}
		return struct{}{}, err
	}, sqls.Get("waiting_products"))
	return err
}

// doubts reads what needs a person.
func (r *Reader) doubts(ctx context.Context, now time.Time, o *Overview) (err error) {
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMicro() }
	byAge, err := tables.Counted[int, int64](ctx, r.db, sqls.Get("unknown_ages"),
		ago(time.Hour), ago(24*time.Hour), ago(7*24*time.Hour))
	if err != nil {
		return err
	}
	for age, n := range byAge {
		o.UnknownByAge[age] = n
	}
	if o.Disputed, o.DisputedSince, err = r.Disputed(ctx); err != nil {
		return err
	}
	o.ExhaustedEvents, err = r.db.Number(ctx, sqls.Get("exhausted"))
	return err
}
