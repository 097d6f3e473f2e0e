package queue_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"recarga/distributor"
	"recarga/internal/queue"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/topup"
)

func TestTokenStore(t *testing.T) {
	redis := testkit.Redis(t)
	rdb := open(t, redis.URL()).Redis()
	store := queue.NewTokenStore(rdb, "me", "http://vendor")
	if got, _, err := store.Load(t.Context()); got != "" || err != nil {
		t.Fatalf("an empty store has %q, %v", got, err)
	}
	expires := time.Now().Add(time.Hour).Round(0)
	if err := store.Save(t.Context(), "abc", expires); err != nil {
		t.Fatal(err)
	}
	if got, until, err := store.Load(t.Context()); got != "abc" || !until.Equal(expires) || err != nil {
		t.Errorf("%q until %v, %v", got, until, err)
	}
	if got, _, err := queue.NewTokenStore(rdb, "somebody else", "http://vendor").Load(t.Context()); got != "" || err != nil {
		t.Errorf("another customer's token is %q, %v", got, err)
	}
	unlock, err := store.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		release, err := store.Lock(t.Context())
		if err == nil {
			release()
		}
		second <- err
	}()
	unlock()
	if err := <-second; err != nil {
		t.Errorf("the second lock: %v", err)
	}
	redis.Kill()
	if _, _, err := store.Load(t.Context()); err == nil {
		t.Error("a store without Redis loads a token")
	}
}

// TestOneSession: the vendor allows one session at a time. Two clients, as two processes have them,
// share a token, so neither ends the other's.
func TestOneSession(t *testing.T) {
	cfg := sandbox.DefaultConfig()
	cfg.OneSession = true
	vendor := sandbox.New(cfg, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(vendor)
	t.Cleanup(func() { vendor.Close(); server.Close() })
	q := open(t, queue.Embedded)
	var clients []*distributor.Client
	for range 2 {
		c, err := distributor.New(distributor.Config{
			URL: server.URL + "/api/distributor", CustomerID: "demo", SecretKey: "demo",
			Tokens: queue.NewTokenStore(q.Redis(), "demo", server.URL), Log: quiet,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		clients = append(clients, c)
	}
	for i := range 10 {
		o := topup.Order{ID: topup.ID("ONE-" + strings.Repeat("x", i)), Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
		got := clients[i%2].Purchase(t.Context(), o, time.Now().Add(time.Minute))
		if got.Outcome != topup.OutcomeApproved {
			t.Errorf("purchase %d: %+v", i, got)
		}
	}
}
