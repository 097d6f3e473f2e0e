package admission

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
)

// world is all that a Control asks. It notes what was taken, in order.
type world struct {
	taken    []string
	deferred map[topup.ID]topup.Wait
	// deferErr, rateErr are what Defer and the rate limiter return; granted is what the limiter grants.
	deferErr, rateErr error
	granted           int
	// shared is what the other workers know, moneyFor how many purchases there is money for.
	shared   topup.Restrictions
	moneyFor int
	// waits are the orders in the wait queue; lost are those that another worker releases first; released counts the
	// orders that no worker has begun yet.
	waits    []topup.Waiting
	lost     []topup.ID
	released int

	mu       sync.Mutex
	enqueued []topup.ID
}

func (w *world) Defer(_ context.Context, id topup.ID, _ int, why topup.Wait, _ time.Time) error {
	if w.deferErr == nil {
		w.deferred[id] = why
	}
	return w.deferErr
}
func (w *world) Waiting(context.Context, int) ([]topup.Waiting, error) { return w.waits, nil }
func (w *world) Released(context.Context) (int, error)                 { return w.released, nil }
func (w *world) Release(_ context.Context, id topup.ID, _ time.Time) (topup.Order, error) {
	if slices.Contains(w.lost, id) {
		return topup.Order{}, topup.ErrLost
	}
	return topup.Order{ID: id}, nil
}

func (w *world) Order(_ context.Context, r topup.Request, _ time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enqueued = append(w.enqueued, r.ID)
	return true
}

// limiter is the world's rate limiter.
type limiter struct{ *world }

func (limiter) Limited() bool { return true }

func (l limiter) Take(_ context.Context, _ topup.Priority, n int) (int, time.Duration, error) {
	l.taken = append(l.taken, "rate")
	return min(n, l.granted), 0, l.rateErr
}

// money is the world's reserve.
type money struct{ *world }

func (money) Active() bool                   { return true }
func (money) Waits(topup.Waiting) topup.Wait { return "" }
func (m money) Take(topup.Waiting) topup.Wait {
	m.taken = append(m.taken, "money")
	if m.moneyFor--; m.moneyFor < 0 {
		return topup.WaitBalance
	}
	return ""
}

// state is the world's shared state.
type state struct {
	SharedState
	*world
}

func (s state) Restrictions(context.Context) (topup.Restrictions, error) { return s.shared, nil }

func (w *world) control() *Control {
	w.deferred = map[topup.ID]topup.Wait{}
	return New(Config{
		RateLimiter: limiter{w}, SharedState: state{world: w}, Reserves: []Reserve{money{w}}, Queue: w, Waker: w,
		Log: slog.New(slog.DiscardHandler),
	})
}

func order(priority topup.Priority, attempts int) topup.Order {
	return topup.Order{ID: "A", Priority: priority, Product: "MOVISTAR_TAE", Amount: topup.Pesos(10),
		AttemptCount: attempts}
}

// TestAdmit: an order that must wait is in the wait queue; and nothing is taken for an order that is not bought by
// what was known before.
func TestAdmit(t *testing.T) {
	isReleased := order(topup.PriorityBulk, 0)
	isReleased.Released = true
	for _, c := range []struct {
		name  string
		world *world
		order topup.Order
		want  Decision
		taken []string
		waits topup.Wait
	}{
		{"bought", &world{granted: 1, moneyFor: 1}, order(topup.PriorityHigh, 0), buy, []string{"rate", "money"}, ""},
		{"bulk", &world{granted: 1, moneyFor: 1}, order(topup.PriorityBulk, 0), waitFor(topup.WaitFairShare), nil,
			topup.WaitFairShare},
		{"released", &world{moneyFor: 1}, isReleased, buy, []string{"money"}, ""},
		{"no rate", &world{moneyFor: 1}, order(topup.PriorityHigh, 0), waitFor(topup.WaitRate), []string{"rate"},
			topup.WaitRate},
		{"no money", &world{granted: 1}, order(topup.PriorityHigh, 0), waitFor(topup.WaitBalance), []string{"rate", "money"},
			topup.WaitBalance},
		{"changed since", &world{deferErr: topup.ErrLost}, order(topup.PriorityHigh, 0), waitFor(topup.WaitRate),
			[]string{"rate"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.world
			if got := w.control().Admit(t.Context(), c.order); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if !slices.Equal(w.taken, c.taken) || w.deferred["A"] != c.waits {
				t.Errorf("took %v, and it waits for %q; want %v, and %q", w.taken, w.deferred["A"], c.taken, c.waits)
			}
		})
	}
}

// TestAdmitWithoutAnswer: without a word of the rate limiter, or of the wait queue, the order comes back in a second.
func TestAdmitWithoutAnswer(t *testing.T) {
	gone := errors.New("gone")
	for name, w := range map[string]*world{"the limiter": {rateErr: gone, granted: 1, moneyFor: 1},
		"the wait queue": {deferErr: gone}} {
		t.Run(name, func(t *testing.T) {
			testkit.Bubble(t, func(t *testing.T) {
				want := deferUntil(time.Now().Add(askAgain))
				if got := w.control().Admit(t.Context(), order(topup.PriorityNormal, 0)); got != want ||
					slices.Contains(w.taken, "money") {
					t.Errorf("%+v, want %+v; took %v", got, want, w.taken)
				}
			})
		})
	}
}

// TestReleasedByAnother: an order that another worker released, because its operator recovers, is bought by a worker
// that only knew of the outage.
func TestReleasedByAnother(t *testing.T) {
	w := &world{moneyFor: 1}
	c := w.control()
	c.restrictions.Outages = map[string]topup.Outage{"MOVISTAR": {Since: time.Now()}}
	o := order(topup.PriorityNormal, 0)
	o.Released = true
	w.shared.Outages = c.restrictions.Outages
	if got := c.Admit(t.Context(), o); got != waitFor(topup.WaitOutage) {
		t.Errorf("out: %+v", got)
	}
	w.shared.Outages = map[string]topup.Outage{"MOVISTAR": {Since: time.Now(), RecoveringSince: time.Now()}}
	if got := c.Admit(t.Context(), o); got != buy {
		t.Errorf("recovers: %+v", got)
	}
}

// TestRetriesWithoutRoom: retries for which the budget has no room come back later, and take nothing of the rate.
func TestRetriesWithoutRoom(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		w := &world{granted: 1, moneyFor: 2 * mostRetries}
		c := w.control()
		for n := range mostRetries {
			if d := c.Admit(t.Context(), order(topup.PriorityNormal, 1)); !d.Buy {
				t.Fatalf("retry %d: %+v", n, d)
			}
		}
		w.taken = nil
		d := c.Admit(t.Context(), order(topup.PriorityNormal, 1))
		if wait := time.Until(d.Until); d.Buy || wait < retryWait || wait > 2*retryWait || len(w.taken) > 0 {
			t.Errorf("%+v; took %v", d, w.taken)
		}
		if d := c.Admit(t.Context(), order(topup.PriorityNormal, 0)); !d.Buy {
			t.Errorf("a first attempt: %+v", d)
		}
		if d := c.Admit(t.Context(), order(topup.PriorityNormal, 1)); !d.Buy {
			t.Errorf("the retry that it made room for: %+v", d)
		}
	})
}

// TestRelease: as many orders are released as there is room for and as the rate grants, the oldest first; for one that
// another worker releases first, the next one is.
func TestRelease(t *testing.T) {
	for _, c := range []struct {
		name  string
		world *world
		want  []topup.ID
	}{
		{"the rate grants two", &world{granted: 2}, []topup.ID{"0", "1"}},
		{"two were released by others", &world{granted: 2, lost: []topup.ID{"0", "2"}}, []topup.ID{"1", "3"}},
		{"room for one", &world{granted: 1, released: mostReleased - 1}, []topup.ID{"0"}},
		{"no room", &world{granted: 4, released: mostReleased}, nil},
		{"more are released than there is room for", &world{granted: 4, released: mostReleased + 9}, nil},
		{"the rate grants none", &world{}, nil},
		{"the limiter does not answer", &world{granted: 4, rateErr: errors.New("gone")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.world
			for i := range 4 {
				w.waits = append(w.waits, topup.Waiting{ID: topup.ID(strconv.Itoa(i)), Priority: topup.PriorityBulk,
					Place: int64(i)})
			}
			r := &releaser{Control: w.control(), latest: map[topup.Priority]string{}, lastWaited: map[string]time.Time{}}
			if _, err := r.round(t.Context()); !errors.Is(err, w.rateErr) {
				t.Errorf("%v, want %v", err, w.rateErr)
			}
			if slices.Sort(w.enqueued); !slices.Equal(w.enqueued, c.want) {
				t.Errorf("released %v, want %v", w.enqueued, c.want)
			}
		})
	}
}

// TestRecoveryIsShared: of the orders of an operator that recovers, no more are released than all workers may have,
// and what was not released is given back.
func TestRecoveryIsShared(t *testing.T) {
	w := &world{granted: 1}
	c := w.control()
	shared := &recovering{grant: 3}
	c.SharedState = shared
	c.readAt, c.restrictions.Outages = time.Now(), map[string]topup.Outage{"MOVISTAR": {Since: time.Now(),
		RecoveringSince: time.Now()}}
	for i := range 5 {
		w.waits = append(w.waits, topup.Waiting{ID: topup.ID(strconv.Itoa(i)), Product: "MOVISTAR_TAE",
			Priority: topup.PriorityBulk, Place: int64(i)})
	}
	r := &releaser{Control: c, latest: map[topup.Priority]string{}, lastWaited: map[string]time.Time{}}
	if _, err := r.round(t.Context()); err != nil || len(w.enqueued) != 1 || shared.asked != 5 || shared.back != 2 {
		t.Errorf("%v: released %v; asked for %d, gave back %d", err, w.enqueued, shared.asked, shared.back)
	}
}

// recovering is a shared state whose operator recovers, and that grants so many purchases.
type recovering struct {
	SharedState
	grant, asked, back int
}

func (r *recovering) Resume(_ context.Context, _ string, _ time.Time, _, n int) (int, error) {
	r.asked = n
	return r.grant, nil
}

func (r *recovering) GiveBack(_ context.Context, _ string, _ time.Time, n int) error {
	r.back = n
	return nil
}

// TestFairOrder: the urgent come first, the callers alternate from the one after the latest, the oldest of each first.
func TestFairOrder(t *testing.T) {
	var orders []topup.Waiting
	for i, caller := range []string{"c", "a", "a", "b", "a"} {
		orders = append(orders, topup.Waiting{Caller: caller, Priority: topup.PriorityBulk, Place: int64(10 - i)})
	}
	orders = append(orders, topup.Waiting{Caller: "z", Priority: topup.PriorityHigh, Place: 99})
	var got []int64
	for _, o := range fairOrder(orders, map[topup.Priority]string{topup.PriorityBulk: "a"}) {
		got = append(got, o.Place)
	}
	if want := []int64{99, 7, 10, 6, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
