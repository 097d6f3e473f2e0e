package producer_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/producer"
	"recarga/topup"
)

// waker remembers what was enqueued, or fails as a lost Redis does.
type waker struct {
	lost   bool
	orders []topup.ID
	events []string
	at     time.Time
}

func (b *waker) EnqueueOrder(_ context.Context, r topup.Request, at time.Time) error {
	b.orders, b.at = append(b.orders, r.ID), at
	return b.err()
}

func (b *waker) EnqueueEvent(_ context.Context, id string, _ time.Time) error {
	b.events = append(b.events, id)
	return b.err()
}

func (b *waker) err() error {
	if b.lost {
		return errors.New("no Redis")
	}
	return nil
}

func newProducer(t *testing.T, b *waker) (*producer.Producer, *journal.Journal) {
	t.Helper()
	j, err := journal.Open(t.Context(), journaltest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return producer.New(j, b, slog.New(slog.DiscardHandler)), j
}

var topUp = topup.Request{ID: "ORD-1", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}

func TestPlace(t *testing.T) {
	for _, lost := range []bool{false, true} {
		b := &waker{lost: lost}
		p, j := newProducer(t, b)
		o, replayed, err := p.Place(t.Context(), topUp)
		if err != nil || replayed || o.State != topup.StateQueued || o.Caller != topup.DefaultCaller {
			t.Fatalf("Redis lost %v: %+v, %v, %v", lost, o, replayed, err)
		}
		if _, err := j.Order(t.Context(), topUp.ID); err != nil {
			t.Errorf("not in the journal: %v", err)
		}
		again, replayed, err := p.Place(t.Context(), topUp)
		if err != nil || !replayed || !again.CreatedAt.Equal(o.CreatedAt) {
			t.Errorf("the repeat: %+v, %v, %v", again, replayed, err)
		}
		if !slices.Equal(b.orders, []topup.ID{"ORD-1"}) {
			t.Errorf("enqueued %v, want once", b.orders)
		}
	}
}

func TestPlaceRefuses(t *testing.T) {
	b := &waker{}
	p, _ := newProducer(t, b)
	past := time.Now().Add(-time.Hour)
	expired := topUp
	expired.ExpiresAt = &past
	if _, _, err := p.Place(t.Context(), expired); len(topup.FieldErrors(err)) != 1 {
		t.Errorf("an expired order: %v", err)
	}
	if _, _, err := p.Place(t.Context(), topUp); err != nil {
		t.Fatal(err)
	}
	other := topUp
	other.Amount = topup.Pesos(20)
	if _, _, err := p.Place(t.Context(), other); !errors.Is(err, topup.ErrConflict) {
		t.Errorf("the same id with another amount: %v", err)
	}
	if len(b.orders) != 1 {
		t.Errorf("enqueued %v", b.orders)
	}
}

func TestScheduledOrderIsEnqueuedForItsTime(t *testing.T) {
	b := &waker{}
	p, _ := newProducer(t, b)
	at := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	r := topUp
	r.ProcessAt = &at
	if _, _, err := p.Place(t.Context(), r); err != nil || !b.at.Equal(at) {
		t.Errorf("is enqueued for %v, want %v; %v", b.at, at, err)
	}
}

func TestCancel(t *testing.T) {
	b := &waker{}
	p, j := newProducer(t, b)
	if _, _, err := p.Place(t.Context(), topUp); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Cancel(t.Context(), topUp.ID, producer.Actor{Caller: "somebody else"}); !errors.Is(err,
		topup.ErrNotFound) {
		t.Errorf("another caller cancels: %v", err)
	}
	for range 2 {
		if o, err := p.Cancel(t.Context(), topUp.ID, producer.Actor{Caller: topup.DefaultCaller}); err != nil ||
			o.State != topup.StateCanceled {
			t.Errorf("%s, %v", o.State, err)
		}
	}
	d, err := j.Details(t.Context(), topUp.ID)
	if err != nil || len(d.Events) != 1 || !slices.Equal(b.events, []string{d.Events[0].ID}) {
		t.Errorf("events %+v, enqueued %v, %v", d.Events, b.events, err)
	}
}
