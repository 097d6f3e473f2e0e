package app

import (
	"log/slog"
	"testing"
	"time"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
	"recarga/topup/desk"
)

// TestPlacesChange: another concurrency is that of servers which begin beside those before; the one that was wanted
// before the start holds from the start.
func TestPlacesChange(t *testing.T) {
	t.Parallel()
	quiet := slog.New(slog.DiscardHandler)
	q, err := queue.Open(t.Context(), queue.Embedded, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	var started []int
	s := servers{log: quiet}
	s.use(7)
	err = s.begin(64, func(places int) (*queue.Servers, error) {
		started = append(started, places)
		return q.Serve(queue.ServeConfig{Queue: tasks.QueueTopups, Servers: 1, Concurrency: places,
			ShutdownTimeout: time.Second}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.use(7)
	s.use(3)
	testkit.Eventually(t, testkit.Patience, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.places == 3
	}, "three places")
	s.shutdown()
	s.use(9)
	if len(started) != 2 || started[0] != 7 || started[1] != 3 {
		t.Errorf("started with %v", started)
	}
}

// TestControlledRate: the rate of the settings holds unless a person has set another, or none.
func TestControlledRate(t *testing.T) {
	t.Parallel()
	own := topup.Rate{Count: 200, Per: time.Minute}
	for value, want := range map[topup.NullString]topup.Rate{
		"": own, "5/s": {Count: 5, Per: time.Second}, desk.NoLimit: {},
	} {
		var set desk.Controls
		if value != "" {
			set = desk.Controls{{Kind: desk.LimitRate, Value: value}}
		}
		if got := set.Rate(own); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	if got := (desk.Controls{{Kind: desk.LimitConcurrency, Value: "3"}}).Concurrency(64); got != 3 {
		t.Errorf("a concurrency of %d", got)
	}
}
