package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recarga/topup"
)

// findLimit bounds what Find returns: a phone number may have many orders.
const findLimit = 50

var (
	sqlFindTransaction = sqls.Get("find_transaction")
	sqlFindReference   = sqls.Get("find_reference")
)

// Find returns the orders that a text names: by their id, the distributor's transaction id, its reference, or
// the phone number; the newest first, 50 at most; an archived one only by its id. Each is looked up by an index.
// caller limits it to one caller's orders; empty: all.
func (j *Journal) Find(ctx context.Context, caller, name string) ([]topup.Order, error) {
	found := []topup.Order{}
	seen := map[topup.ID]bool{}
	add := func(o topup.Order) {
		if !seen[o.ID] && (caller == "" || o.Caller == caller) {
			seen[o.ID] = true
			found = append(found, o)
		}
	}
	for _, q := range []string{sqlOrder, sqlFindTransaction, sqlFindReference} {
		records, err := list(ctx, j, scanOrder, q, name)
		if err != nil {
			return nil, fmt.Errorf("find: %w", err)
		}
		for _, r := range records {
			add(r.Order)
		}
	}
	if len(found) == 0 {
		switch left, err := j.archived(ctx, topup.ID(name)); {
		case err == nil:
			add(left.Order)
		case !errors.Is(err, topup.ErrNotFound):
			return nil, fmt.Errorf("find: %w", err)
		}
	}
	if phone, err := topup.ParsePhone(name); err == nil {
		orders, _, err := j.List(ctx, Filter{Caller: caller, Phone: phone, Limit: findLimit})
		if err != nil {
			return nil, fmt.Errorf("find: %w", err)
		}
		for _, o := range orders {
			add(o)
		}
	}
	return found[:min(len(found), findLimit)], nil
}

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

var (
	sqlMinutes       = sqls.Get("minutes")
	sqlLatencies     = sqls.Get("latencies")
	sqlOldestWaiting = sqls.Get("oldest_waiting")
	sqlUnknownAges   = sqls.Get("unknown_ages")
	sqlExhausted     = sqls.Get("exhausted")
)

// Overview reads what an operator wants to see at a glance. It reads the orders that are open and those of the
// last hour, and nothing of the others.
func (j *Journal) Overview(ctx context.Context, now time.Time) (o Overview, err error) {
	if o.ByState, err = j.CountByState(ctx); err != nil {
		return o, err
	}
	end := now.Truncate(time.Minute).Add(time.Minute)
	start := end.Add(-time.Hour)
	for i := range o.Minutes {
		o.Minutes[i] = map[topup.State]int64{}
	}
	_, err = list(ctx, j, func(row scanner) (struct{}, error) {
		var minute, n int64
		var state topup.State
		err := row.Scan(&minute, &state, &n)
		if err == nil && minute >= 0 && minute < int64(len(o.Minutes)) {
			o.Minutes[minute][state] = n
		}
		return struct{}{}, err
	}, sqlMinutes, start.UnixMicro(), end.UnixMicro())
	if err != nil {
		return o, err
	}
	o.Latencies, err = list(ctx, j, func(row scanner) (d time.Duration, err error) {
		var micros int64
		err = row.Scan(&micros)
		return time.Duration(micros) * time.Microsecond, err
	}, sqlLatencies, start.UnixMicro(), end.UnixMicro())
	if err != nil {
		return o, err
	}
	return o, j.waiting(ctx, now, &o)
}

func (j *Journal) waiting(ctx context.Context, now time.Time, o *Overview) error {
	oldest, err := j.number(ctx, sqlOldestWaiting, now.UnixMicro())
	if err != nil {
		return err
	}
	if oldest > 0 {
		o.OldestWaiting = time.UnixMicro(oldest).UTC()
	}
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMicro() }
	byAge, err := counted[int, int64](ctx, j, sqlUnknownAges, ago(time.Hour), ago(24*time.Hour), ago(7*24*time.Hour))
	if err != nil {
		return err
	}
	for age, n := range byAge {
		o.UnknownByAge[age] = n
	}
	o.ExhaustedEvents, err = j.number(ctx, sqlExhausted)
	return err
}
