package sim

import (
	"context"
	"time"

	"recarga/internal/boundary"
	"recarga/topup"
)

// skewed is the book of record as a process writes to it whose clock is wrong: by so much as raises no alarm yet, which
// must do no harm. It may jump at any time, forward and back.
type skewed struct {
	boundary.Journal
	p *process
}

// clocks are how wrong a process's clock may be.
var clocks = []time.Duration{0, 2 * time.Second, -2 * time.Second, 4 * time.Second, -4 * time.Second}

func (s skewed) by(t time.Time) time.Time { return t.Add(time.Duration(s.p.skew.Load())) }

// jump has the process's clock be wrong by so much from now on.
func (p *process) jump(by time.Duration) { p.skew.Store(int64(by)) }

// Accept implements boundary.Journal.
func (s skewed) Accept(ctx context.Context, r topup.Request, now time.Time) (topup.Order, bool, error) {
	return s.Journal.Accept(ctx, r, s.by(now))
}

// BeginFirst implements boundary.Journal.
func (s skewed) BeginFirst(
	ctx context.Context, id topup.ID, worker string, deadline, now time.Time,
) (topup.Order, error) {
	return s.Journal.BeginFirst(ctx, id, worker, s.by(deadline), s.by(now))
}

// Begin implements boundary.Journal.
func (s skewed) Begin(
	ctx context.Context, id topup.ID, attempts int, worker string, deadline, now time.Time,
) (topup.Order, error) {
	return s.Journal.Begin(ctx, id, attempts, worker, s.by(deadline), s.by(now))
}

// Finish implements boundary.Journal.
func (s skewed) Finish(ctx context.Context, r topup.Settlement, now time.Time) (topup.Order, *topup.Event, error) {
	if r.NextAttemptAt != nil {
		r.NextAttemptAt = new(s.by(*r.NextAttemptAt))
	}
	return s.Journal.Finish(ctx, r, s.by(now))
}

// End implements boundary.Journal.
func (s skewed) End(ctx context.Context, id topup.ID, now time.Time) (topup.Order, *topup.Event, error) {
	return s.Journal.End(ctx, id, s.by(now))
}

// Cancel implements boundary.Journal.
func (s skewed) Cancel(
	ctx context.Context, id topup.ID, caller string, now time.Time,
) (topup.Order, *topup.Event, error) {
	return s.Journal.Cancel(ctx, id, caller, s.by(now))
}

// Resolve implements boundary.Journal.
func (s skewed) Resolve(
	ctx context.Context, id topup.ID, r topup.Resolution, now time.Time,
) (topup.Order, *topup.Event, error) {
	return s.Journal.Resolve(ctx, id, r, s.by(now))
}

// HoldBack implements boundary.Journal.
func (s skewed) HoldBack(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return s.Journal.HoldBack(ctx, id, s.by(now))
}

// LetGo implements boundary.Journal.
func (s skewed) LetGo(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return s.Journal.LetGo(ctx, id, s.by(now))
}

// Overdue implements boundary.Journal.
func (s skewed) Overdue(ctx context.Context, now time.Time, limit int) ([]topup.Due, error) {
	return s.Journal.Overdue(ctx, s.by(now), limit)
}

// Due implements boundary.Journal.
func (s skewed) Due(ctx context.Context, now time.Time, after topup.Due, limit int) ([]topup.Due, error) {
	return s.Journal.Due(ctx, s.by(now), after, limit)
}

// Defer implements boundary.Journal.
func (s skewed) Defer(ctx context.Context, id topup.ID, attempts int, why topup.Wait, now time.Time) error {
	return s.Journal.Defer(ctx, id, attempts, why, s.by(now))
}

// Release implements boundary.Journal.
func (s skewed) Release(ctx context.Context, id topup.ID, now time.Time) (topup.Order, error) {
	return s.Journal.Release(ctx, id, s.by(now))
}
