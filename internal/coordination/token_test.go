package coordination_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/distributor"
	"recarga/internal/coordination"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/topup"
)

func TestTokenStore(t *testing.T) {
	redis := testkit.Redis(t)
	rdb := client(t, redis.URL())
	store := coordination.Redis{Client: rdb}.TokenStore("me", "secret", "http://vendor")
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
	other := coordination.Redis{Client: rdb}.TokenStore("somebody else", "secret", "http://vendor")
	if got, _, err := other.Load(t.Context()); got != "" || err != nil {
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

// TestOneSession: the vendor allows one session at a time, and a login says nothing of how long its token
// lives. Clients, as processes have them, share a token: never a login a purchase, and none ends another's.
func TestOneSession(t *testing.T) {
	for _, processes := range []int{1, 2} {
		for name, odd := range map[string]sandbox.OddAnswer{
			"as documented": {}, "no expires_in": {Omit: []string{"expires_in"}},
			"expires_in 0": {Set: map[string]json.RawMessage{"expires_in": json.RawMessage("0")}},
			"a text":       {Set: map[string]json.RawMessage{"expires_in": json.RawMessage(`"soon"`)}},
		} {
			t.Run(fmt.Sprintf("%d, %s", processes, name), func(t *testing.T) { oneSession(t, processes, odd) })
		}
	}
}

func oneSession(t *testing.T, processes int, odd sandbox.OddAnswer) {
	cfg := sandbox.DefaultConfig()
	cfg.OneSession, cfg.OddAnswers = true, map[string]sandbox.OddAnswer{"login": odd}
	vendor := sandbox.New(cfg, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(vendor)
	t.Cleanup(func() { vendor.Close(); server.Close() })
	url := testkit.Redis(t).URL()
	var logins, refused atomic.Int64
	var clients []*distributor.Client
	for range processes {
		c, err := distributor.New(distributor.Config{
			URL: server.URL + "/api/distributor", CustomerID: "demo", SecretKey: "demo", Log: quiet,
			Tokens: coordination.Redis{Client: client(t, url)}.TokenStore("demo", "demo", server.URL),
			Observe: func(r distributor.Request) {
				if r.Call == "login" {
					logins.Add(1)
				}
				if r.Status == http.StatusUnauthorized {
					refused.Add(1)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		clients = append(clients, c)
	}
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			o := topup.Order{ID: topup.ID(fmt.Sprint("ONE-", i)), Phone: "5537686660", Product: "MOVISTAR_TAE",
				Amount: topup.Pesos(10)}
			got := clients[i%processes].Purchase(t.Context(), o, time.Now().Add(time.Minute))
			if got.Outcome != topup.OutcomeApproved {
				t.Errorf("purchase %d: %+v", i, got)
			}
		})
		if i%10 == 9 { // some at once, some after the others
			all.Wait()
		}
	}
	if l, r := logins.Load(), refused.Load(); l > 2 || r != 0 {
		t.Errorf("%d logins and %d refusals for 100 purchases, want at most two and none", l, r)
	}
	if n := len(vendor.Purchases()); n != 100 {
		t.Errorf("%d purchases", n)
	}
}

// TestSlowLogin: a login that takes longer than its lock was made for is not overtaken by another, whose
// session would end its own.
func TestSlowLogin(t *testing.T) {
	rdb := client(t, testkit.Redis(t).URL())
	store := coordination.Redis{Client: rdb}.TokenStore("me", "secret", "http://vendor")
	unlock, err := store.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys := rdb.Keys(t.Context(), "*:login").Val()
	if len(keys) != 1 || !rdb.PExpire(t.Context(), keys[0], 7*time.Second).Val() {
		t.Fatalf("locks: %q", keys)
	}
	prolonged := func() bool { return rdb.PTTL(t.Context(), keys[0]).Val() > 8*time.Second }
	testkit.Eventually(t, time.Minute, prolonged, "the lock is not prolonged")
	unlock()
	if left := rdb.Keys(t.Context(), "*:login").Val(); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}
