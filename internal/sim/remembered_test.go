package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"recarga/internal/boundary"
	"recarga/topup"
	"recarga/topup/desk"
)

// remembered answers polls from memory while nothing has been written: they are repeated for ever, and cost most of a
// life's time otherwise. What is due is asked for once, whenever it is, and compared with the time here.
type remembered struct {
	boundary.Journal
	w *world

	mu       sync.Mutex
	waiting  memory[[]topup.Waiting]
	released memory[int]
	due      memory[[]topup.Due]
	overdue  memory[[]topup.Due]
	events   memory[[]topup.DueEvent]
	controls memory[desk.Controls]
}

// memory is an answer, and the version of the journal that it is of.
type memory[T any] struct {
	version int
	value   T
}

// ever is later than anything is due.
var ever = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

func recall[T any](r *remembered, m *memory[T], ask func() (T, error)) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.w.mu.Lock()
	version := r.w.version
	r.w.mu.Unlock()
	if m.version == version {
		return m.value, nil
	}
	value, err := ask()
	if err == nil {
		m.version, m.value = version, value
	}
	return value, err
}

// until are those that are due by now.
func until[T any](all []T, now time.Time, due func(T) time.Time) (some []T) {
	for _, one := range all {
		if !due(one).After(now) {
			some = append(some, one)
		}
	}
	return some
}

// Waiting implements boundary.Journal.
func (r *remembered) Waiting(ctx context.Context, each int) ([]topup.Waiting, error) {
	all, err := recall(r, &r.waiting, func() ([]topup.Waiting, error) { return r.Journal.Waiting(ctx, each) })
	return slices.Clone(all), err
}

// Released implements boundary.Journal.
func (r *remembered) Released(ctx context.Context) (int, error) {
	return recall(r, &r.released, func() (int, error) { return r.Journal.Released(ctx) })
}

// Controls implements boundary.Journal.
func (r *remembered) Controls(ctx context.Context) (desk.Controls, error) {
	return recall(r, &r.controls, func() (desk.Controls, error) { return r.Journal.Controls(ctx) })
}

// Due implements boundary.Journal.
func (r *remembered) Due(ctx context.Context, now time.Time, _ topup.Due, limit int) ([]topup.Due, error) {
	all, err := recall(r, &r.due, func() ([]topup.Due, error) { return r.Journal.Due(ctx, ever, topup.Due{}, limit) })
	return until(all, now, func(d topup.Due) time.Time { return d.DueAt }), err
}

// Overdue implements boundary.Journal.
func (r *remembered) Overdue(ctx context.Context, now time.Time, limit int) ([]topup.Due, error) {
	all, err := recall(r, &r.overdue, func() ([]topup.Due, error) { return r.Journal.Overdue(ctx, ever, limit) })
	return until(all, now, func(d topup.Due) time.Time { return d.DueAt }), err
}

// DueEvents implements boundary.Journal.
func (r *remembered) DueEvents(ctx context.Context, now time.Time, _ topup.DueEvent, limit int) (
	[]topup.DueEvent, error,
) {
	all, err := recall(r, &r.events, func() ([]topup.DueEvent, error) {
		return r.Journal.DueEvents(ctx, ever, topup.DueEvent{}, limit)
	})
	return until(all, now, func(d topup.DueEvent) time.Time { return d.DueAt }), err
}
