package journal_test

import (
	"errors"
	"testing"
	"time"

	"recarga/topup"
)

// testHeldBack: nobody begins, defers or releases an order that an operator holds back, until LetGo; it ends and is
// canceled as any other.
func testHeldBack(t *testing.T, s store) {
	ctx := t.Context()
	later := noon.Add(time.Hour)
	for _, state := range []topup.State{topup.StateQueued, topup.StateRetrying} {
		o := s.inState(t, "BACK-"+string(state), state)
		for range 2 { // twice is no error
			held, err := s.HoldBack(ctx, o.ID, noon)
			must(t, err)
			if held.State != state || held.WaitsFor != topup.NullString(topup.WaitOperator) {
				t.Errorf("held back as %+v", held)
			}
		}
		if _, err := s.Begin(ctx, o.ID, o.AttemptCount, workerName, later.Add(time.Minute), later); !errors.Is(err, topup.ErrLost) {
			t.Errorf("%s: begin: %v", state, err)
		}
		if _, err := s.BeginFirst(ctx, o.ID, workerName, later.Add(time.Minute), later); !errors.Is(err, topup.ErrLost) {
			t.Errorf("%s: begin first: %v", state, err)
		}
		if err := s.Defer(ctx, o.ID, o.AttemptCount, topup.WaitRate, noon); !errors.Is(err, topup.ErrLost) {
			t.Errorf("%s: defer: %v", state, err)
		}
		if _, err := s.Release(ctx, o.ID, noon); !errors.Is(err, topup.ErrLost) {
			t.Errorf("%s: release: %v", state, err)
		}
		due, err := s.Due(ctx, noon.Add(time.Minute), topup.Due{}, 10)
		must(t, err)
		if len(due) != 0 {
			t.Errorf("%s: due are %+v", state, due)
		}
		for range 2 {
			gone, err := s.LetGo(ctx, o.ID, noon)
			must(t, err)
			if gone.State != state || gone.WaitsFor != "" {
				t.Errorf("let go as %+v", gone)
			}
		}
		begun, err := s.Begin(ctx, o.ID, o.AttemptCount, workerName, noon.Add(2*time.Minute), noon.Add(time.Minute))
		must(t, err)
		if begun.AttemptCount != o.AttemptCount+1 {
			t.Errorf("begun %+v", begun)
		}
		var refused *topup.TransitionError
		if _, err := s.HoldBack(ctx, o.ID, noon); !errors.As(err, &refused) {
			t.Errorf("an order under way: %v", err)
		}
	}
	o := s.accept(t, "BACK-CANCELED")
	_, err := s.HoldBack(ctx, o.ID, noon)
	must(t, err)
	if o, _, err = s.Cancel(ctx, o.ID, "", noon); err != nil || o.State != topup.StateCanceled || o.WaitsFor != "" {
		t.Errorf("canceled: %+v, %v", o, err)
	}
	if _, err := s.HoldBack(ctx, "NONE", noon); !errors.Is(err, topup.ErrNotFound) {
		t.Error(err)
	}
}
