package producer_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"recarga/producer"
	"recarga/topup"
)

// canceled places an order and cancels it, and returns its event.
func canceled(t *testing.T, lost bool) (*producer.Producer, *waker, topup.Event) {
	t.Helper()
	b := &waker{lost: lost}
	p, j := newProducer(t, b)
	_, _, err := p.Place(t.Context(), topUp)
	if err == nil {
		_, err = p.Cancel(t.Context(), topUp.ID, producer.Actor{By: "ana", Reason: "asked by phone"})
	}
	d, err2 := j.Details(t.Context(), topUp.ID)
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	b.events = nil
	if err := j.RecordTry(t.Context(), d.Events[0], topup.Try{At: time.Now()}, topup.EventDelivered,
		time.Time{}); err != nil {
		t.Fatal(err)
	}
	return p, b, d.Events[0]
}

func TestRedeliver(t *testing.T) {
	for _, lost := range []bool{false, true} {
		p, b, ev := canceled(t, lost)
		for _, who := range []producer.Actor{{Caller: topup.DefaultCaller}, {By: "ana", Reason: "the shop lost it"}} {
			if got, err := p.Redeliver(t.Context(), ev.ID, who); err != nil || got.State != topup.EventPending ||
				got.ID != ev.ID {
				t.Errorf("queue lost %v, %+v: %+v, %v", lost, who, got, err)
			}
		}
		if _, err := p.Redeliver(t.Context(), ev.ID, producer.Actor{Caller: "another"}); !errors.Is(err, topup.ErrNotFound) {
			t.Errorf("another caller's event: %v", err)
		}
		if _, err := p.Redeliver(t.Context(), "evt_none", producer.Actor{}); !errors.Is(err, topup.ErrNotFound) {
			t.Errorf("no event: %v", err)
		}
		if want := []string{ev.ID, ev.ID}; !slices.Equal(b.events, want) {
			t.Errorf("enqueued %v, want %v", b.events, want)
		}
	}
}

// TestRedeliverAll: a caller's filter chooses its own events alone, and a queue that is lost is not asked for each.
func TestRedeliverAll(t *testing.T) {
	for _, c := range []struct {
		who      producer.Actor
		caller   string
		lost     bool
		count    int
		enqueued int
	}{
		{who: producer.Actor{By: "ana"}, count: 2, enqueued: 2},
		{who: producer.Actor{By: "ana"}, lost: true, count: 2, enqueued: 1},
		{who: producer.Actor{Caller: topup.DefaultCaller}, count: 1, enqueued: 1},
		{who: producer.Actor{Caller: topup.DefaultCaller}, caller: "another", count: 1, enqueued: 1},
		{who: producer.Actor{Caller: "a third"}, caller: topup.DefaultCaller},
	} {
		p, b, _ := canceled(t, c.lost)
		other := topUp
		other.ID, other.Caller = "ORD-2", "another"
		_, _, err := p.Place(t.Context(), other)
		if err == nil {
			_, err = p.Cancel(t.Context(), other.ID, producer.Actor{Caller: "another"})
		}
		if err != nil {
			t.Fatal(err)
		}
		b.events = nil
		count, next, err := p.RedeliverAll(t.Context(), topup.EventFilter{Caller: c.caller}, c.who)
		if err != nil || count != c.count || next != "" || len(b.events) != c.enqueued {
			t.Errorf("%+v: %d, %q, %v; enqueued %v", c, count, next, err, b.events)
		}
	}
}

// TestRedeliverQuota: a caller redelivers an event so many times a day, and its filter leaves it out then; an operator
// goes on.
func TestRedeliverQuota(t *testing.T) {
	p, _, ev := canceled(t, false)
	who := producer.Actor{Caller: topup.DefaultCaller}
	for range producer.MaxRedeliveries {
		if _, err := p.Redeliver(t.Context(), ev.ID, who); err != nil {
			t.Fatal(err)
		}
	}
	var over *topup.QuotaError
	if _, err := p.Redeliver(t.Context(), ev.ID, who); !errors.As(err, &over) || over.After <= 0 {
		t.Errorf("one more: %v", err)
	}
	if count, _, err := p.RedeliverAll(t.Context(), topup.EventFilter{}, who); count != 0 || err != nil {
		t.Errorf("by a filter: %d, %v", count, err)
	}
	if count, _, err := p.RedeliverAll(t.Context(), topup.EventFilter{}, producer.Actor{By: "ana"}); count != 1 ||
		err != nil {
		t.Errorf("by an operator: %d, %v", count, err)
	}
}
