package search

import (
	"context"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Overview is what the orders of the last hour, and those that wait, look like.
type Overview struct {
	// ByState counts all orders there are.
	ByState map[topup.State]int64
	// Minutes are the orders placed in each of the last 60 minutes, the oldest first, by their state now.
	Minutes [60]map[topup.State]int64
	// Latencies are the times from acceptance to the final state of the newest orders of that hour that have one,
	// 1000 at most.
	Latencies []time.Duration
	// OldestWaiting is when the order was placed that has waited for longest to be bought; zero: none waits.
	// One that is scheduled for later does not wait.
	OldestWaiting time.Time
	// UnknownByAge counts the held orders by how long ago they were placed: under an hour, a day, a week, longer.
	UnknownByAge [4]int64
	// ExhaustedEvents counts the exhausted events, up to 1000.
	ExhaustedEvents int64
}

// Overview reads what an operator wants to see at a glance. It reads the orders that are open and those of the
// last hour, and nothing of the others.
func (r *Reader) Overview(ctx context.Context, now time.Time) (o Overview, err error) {
	if o.ByState, err = r.CountByState(ctx); err != nil {
		return o, err
	}
	end := now.Truncate(time.Minute).Add(time.Minute)
	start := end.Add(-time.Hour)
	for i := range o.Minutes {
		o.Minutes[i] = map[topup.State]int64{}
	}
	_, err = tables.List(ctx, r.db, func(row tables.Scanner) (struct{}, error) {
		var minute, n int64
		var state topup.State
		err := row.Scan(&minute, &state, &n)
		if err == nil && minute >= 0 && minute < int64(len(o.Minutes)) {
			o.Minutes[minute][state] = n
		}
		return struct{}{}, err
	}, sqls.Get("minutes"), start.UnixMicro(), end.UnixMicro())
	if err != nil {
		return o, err
	}
	o.Latencies, err = tables.List(ctx, r.db, func(row tables.Scanner) (d time.Duration, err error) {
		var micros int64
		err = row.Scan(&micros)
		return time.Duration(micros) * time.Microsecond, err
	}, sqls.Get("latencies"), start.UnixMicro(), end.UnixMicro())
	if err != nil {
		return o, err
	}
	return o, r.waiting(ctx, now, &o)
}

func (r *Reader) waiting(ctx context.Context, now time.Time, o *Overview) error {
	var err error
	if o.OldestWaiting, err = r.db.Time(ctx, sqls.Get("oldest_waiting"), now.UnixMicro()); err != nil {
		return err
	}
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMicro() }
	byAge, err := tables.Counted[int, int64](ctx, r.db, sqls.Get("unknown_ages"),
		ago(time.Hour), ago(24*time.Hour), ago(7*24*time.Hour))
	if err != nil {
		return err
	}
	for age, n := range byAge {
		o.UnknownByAge[age] = n
	}
	o.ExhaustedEvents, err = r.db.Number(ctx, sqls.Get("exhausted"))
	return err
}
