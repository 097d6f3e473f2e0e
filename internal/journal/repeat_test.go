package journal

import (
	"path/filepath"
	"testing"
	"time"

	"recarga/topup"
)

// begun is a journal whose order A is being bought by worker, since now.
func begun(t *testing.T) (j *Journal, now time.Time) {
	t.Helper()
	j, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "recarga.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	now = time.Now()
	r := topup.Request{ID: "A", Caller: "shop", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
	if _, _, err = j.Accept(t.Context(), r, now); err == nil {
		_, err = j.Begin(t.Context(), "A", 0, "worker", now, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	return j, now
}

// TestAnotherResultIsNoRepeat: while a worker does not know whether its result was recorded, the sweep calls the attempt
// unknown. The worker's result is not the sweep's, though neither has a code or a receipt: it is recorded.
func TestAnotherResultIsNoRepeat(t *testing.T) {
	j, now := begun(t)
	swept := topup.Settlement{ID: "A", Number: 1, State: topup.StateUnknown,
		Result: topup.Result{Outcome: topup.OutcomeUnknown, Error: "no outcome was recorded"}}
	if _, _, err := j.Finish(t.Context(), swept, now); err != nil {
		t.Fatal(err)
	}
	j.doubtful.learn(attemptKey{"A", 1}, ErrInDoubt)
	notSent := topup.Settlement{ID: "A", Number: 1, State: topup.StateRetrying, NextAttemptAt: &now,
		Result: topup.Result{Outcome: topup.OutcomeNotSent, Error: "too late"}}
	o, ev, err := j.Finish(t.Context(), notSent, now)
	if err != nil || o.State != topup.StateRetrying || ev != nil {
		t.Errorf("the worker's result: %s, event %v, %v", o.State, ev, err)
	}
	d, err := j.Details(t.Context(), "A")
	if err != nil || d.Attempts[0].Outcome != topup.OutcomeNotSent {
		t.Errorf("the attempt: %+v, %v", d.Attempts, err)
	}
}

// TestAnothersAttemptIsNotOnesOwn: whoever does not know whether its Begin was committed finds its own attempt alone,
// not one that the same worker has begun by another call.
func TestAnothersAttemptIsNotOnesOwn(t *testing.T) {
	j, _ := begun(t)
	var nonce int64
	if err := j.db.Read.QueryRowContext(t.Context(), "SELECT nonce FROM attempts").Scan(&nonce); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[int64]bool{nonce: true, nonce + 1: false} {
		rows, err := j.db.Read.QueryContext(t.Context(), sqls.Get("own_attempt"), "A", 1, "worker", asked)
		if err != nil {
			t.Fatal(err)
		}
		if found := rows.Next(); found != want {
			t.Errorf("own: %v, want %v (%v)", found, want, rows.Err())
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
