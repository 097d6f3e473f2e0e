package callers_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/callers"
	"recarga/internal/testkit"
	"recarga/topup"
)

// shelf is a book that counts open orders.
type shelf struct {
	mu    sync.Mutex
	open  map[string]int
	asked int
	err   error
}

func (s *shelf) OpenByCaller(context.Context) (map[string]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	open := map[string]int{}
	for caller, n := range s.open {
		open[caller] = n
	}
	return open, s.err
}

func (s *shelf) accept(caller string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[caller] += n
}

// limited is a registry whose caller shop has a quota.
func limited(t *testing.T, q topup.Quota) *callers.Registry {
	t.Helper()
	r := callers.New(open(t), "key", false)
	if _, err := r.Add(t.Context(), callers.NewCaller{Name: "shop", Quota: q}); err != nil {
		t.Fatal(err)
	}
	add(t, r, "free")
	return r
}

// TestOpenOrders: two processes share a quota, and exceed it by no more than what the other accepts within a second; a
// caller without one is not counted.
func TestOpenOrders(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		book := &shelf{open: map[string]int{"free": 100}}
		r := limited(t, topup.Quota{MaxOpen: 10})
		a, b := callers.NewQuotas(r, book), callers.NewQuotas(r, book)
		place := func(q *callers.Quotas, caller string) bool {
			t.Helper()
			settle, err := q.Take(t.Context(), caller)
			var over *topup.QuotaError
			if errors.As(err, &over) {
				if !strings.Contains(over.Reason, "max_open") || over.After <= 0 {
					t.Errorf("%+v", over)
				}
				return false
			}
			if err != nil {
				t.Fatal(err)
			}
			book.accept(caller, 1)
			settle(true)
			return true
		}
		for range 50 {
			if !place(a, "free") || !place(b, "nobody") {
				t.Fatal("who has no quota is refused")
			}
		}
		if book.asked != 0 {
			t.Errorf("the book was asked %d times for nothing", book.asked)
		}
		var placed atomic.Int64
		var many sync.WaitGroup
		for range 200 {
			many.Go(func() {
				if place(a, "shop") {
					placed.Add(1)
				}
			})
		}
		many.Wait()
		if placed.Load() != 10 {
			t.Errorf("%d were placed at once", placed.Load())
		}
		if place(b, "shop") {
			t.Error("the other process does not see them")
		}
		book.accept("shop", -4) // which are final
		if place(a, "shop") {
			t.Error("the count is not remembered")
		}
		time.Sleep(time.Second)
		more := 0
		for range 20 {
			if place(a, "shop") {
				more++
			}
			if place(b, "shop") {
				more++
			}
		}
		if more < 4 || more > 8 {
			t.Errorf("%d were placed by both, want 4, and 4 more at most", more)
		}
		time.Sleep(time.Second)
		if place(a, "shop") || place(b, "shop") {
			t.Error("beyond the quota")
		}
		book.accept("shop", -book.open["shop"])
		time.Sleep(time.Second)
		settle, err := a.Take(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		settle(false) // a repeat, or not recorded
		for range 10 {
			if !place(a, "shop") {
				t.Error("what was not placed counts")
			}
		}
		if book.asked > 12 {
			t.Errorf("the book was asked %d times", book.asked)
		}
	})
}

// TestRate: a second's worth comes at once, and then as much as the rate allows.
func TestRate(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		r := limited(t, topup.Quota{MaxRate: topup.Rate{Count: 5, Per: time.Second}})
		q := callers.NewQuotas(r, &shelf{})
		placed := func(tries int) (n int) {
			for range tries {
				settle, err := q.Take(t.Context(), "shop")
				var over *topup.QuotaError
				switch {
				case errors.As(err, &over):
					if !strings.Contains(over.Reason, "max_rate: caller shop may place 5/s") || over.After > time.Second {
						t.Errorf("%+v", over)
					}
				case err != nil:
					t.Fatal(err)
				default:
					settle(true)
					n++
				}
			}
			return n
		}
		if n := placed(50); n != 5 {
			t.Errorf("%d at once", n)
		}
		total := 0
		for range 100 { // ten seconds
			time.Sleep(100 * time.Millisecond)
			total += placed(3)
		}
		if total < 49 || total > 51 {
			t.Errorf("%d in ten seconds", total)
		}
		slower := topup.Rate{Count: 60, Per: time.Minute}
		if _, err := r.Update(t.Context(), "shop", 0, callers.Change{MaxRate: &slower}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		settle, err := q.Take(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		settle(true)
		if _, err := q.Take(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), "60/m") {
			t.Errorf("the changed rate: %v", err)
		}
	})
}
