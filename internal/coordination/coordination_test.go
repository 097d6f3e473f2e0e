package coordination_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"recarga/internal/coordination"
	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/topup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func opened(t testing.TB, url string) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), url, quiet)
	must(t, err)
	t.Cleanup(func() { must(t, q.Close()) })
	return q
}

func client(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	return opened(t, url).Redis()
}

// shared is what a process on a Redis shares, and what it rejects.
func shared(t testing.TB, url string) (coordination.Redis, *counted) {
	t.Helper()
	q, rejected := opened(t, url), &counted{kinds: map[string]int{}}
	return coordination.Redis{Client: q.Redis(), Embedded: q.IsEmbedded(), Reject: rejected.reject}, rejected
}

func onBoth(t *testing.T, test func(t *testing.T, redis coordination.Redis, rejected *counted)) {
	for name, url := range map[string]string{"embedded": queue.Embedded, "redis": testkit.Redis(t).URL()} {
		t.Run(name, func(t *testing.T) {
			redis, rejected := shared(t, url)
			test(t, redis, rejected)
		})
	}
}

// counted counts what is rejected.
type counted struct {
	mu    sync.Mutex
	kinds map[string]int
}

func (c *counted) reject(_ context.Context, kind, _, _ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kinds[kind]++
}

// take is what was counted since the last call.
func (c *counted) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.kinds
	c.kinds = map[string]int{}
	return taken
}

func (c *counted) are(t *testing.T, want map[string]int) {
	t.Helper()
	if got := c.take(); !maps.Equal(got, want) {
		t.Errorf("rejected %v, want %v", got, want)
	}
}

// onlyKey is the one key of a pattern.
func onlyKey(t *testing.T, rdb redis.UniversalClient, pattern string) string {
	t.Helper()
	keys := rdb.Keys(t.Context(), pattern).Val()
	if len(keys) != 1 {
		t.Fatalf("keys like %s: %q", pattern, keys)
	}
	return keys[0]
}

// TestSealedToken: nobody reads the token in Redis, and nothing that another one has put there is sent to the vendor.
func TestSealedToken(t *testing.T) {
	redis, rejected := shared(t, testkit.Redis(t).URL())
	rdb := redis.Client
	store := redis.TokenStore("me", "secret", "http://vendor")
	save := func(s *coordination.TokenStore, token string) string {
		t.Helper()
		must(t, s.Save(t.Context(), token, time.Now().Add(time.Hour)))
		key := onlyKey(t, rdb, "recarga:distributor:token:*")
		value := rdb.Get(t.Context(), key).Val()
		must(t, rdb.Del(t.Context(), key).Err())
		return value
	}
	theirs := save(redis.TokenStore("me", "their secret", "http://vendor"), "token-of-theirs")
	other := save(redis.TokenStore("me", "secret", "http://their-vendor"), "token-of-theirs")
	somebody := save(redis.TokenStore("somebody else", "secret", "http://vendor"), "token-of-theirs")
	must(t, store.Save(t.Context(), "token-of-ours", time.Now().Add(time.Hour)))
	key := onlyKey(t, rdb, "recarga:distributor:token:*")
	ours := rdb.Get(t.Context(), key).Val()
	if strings.Contains(ours, "token-of-ours") {
		t.Error("the token is readable")
	}
	if got, _, err := store.Load(t.Context()); got != "token-of-ours" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	rejected.are(t, map[string]int{})
	for name, value := range map[string]string{
		"in plain": `{"token":"token-of-theirs","expires":"2099-01-01T00:00:00Z"}`, "with their key": theirs,
		"of another URL":      other,
		"of another customer": somebody, "a letter": "x", "cut short": ours[:len(ours)-1], "longer": ours + "x",
		"huge": strings.Repeat("x", 1<<20),
	} {
		must(t, rdb.Set(t.Context(), key, value, 0).Err())
		if got, _, err := store.Load(t.Context()); got != "" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		rejected.are(t, map[string]int{coordination.KindToken: 1})
	}
	must(t, rdb.Del(t.Context(), key).Err())
	must(t, rdb.LPush(t.Context(), key, "x").Err())
	if got, _, err := store.Load(t.Context()); got != "" || err == nil {
		t.Errorf("a list: %q, %v", got, err)
	}
	must(t, store.Save(t.Context(), "token-of-ours", time.Now().Add(time.Hour)))
	if got, _, err := store.Load(t.Context()); got != "token-of-ours" || err != nil {
		t.Errorf("after it all: %q, %v", got, err)
	}
}

// TestLockWithoutEnd: a lock that no process of ours would hold stops no login.
func TestLockWithoutEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, redis coordination.Redis, rejected *counted) {
		rdb := redis.Client
		store := redis.TokenStore("me", "secret", "http://vendor")
		unlock, err := store.Lock(t.Context())
		must(t, err)
		key := onlyKey(t, rdb, "*:login")
		unlock()
		for name, poison := range map[string]func() error{
			"without an end": func() error { return rdb.Set(t.Context(), key, "x", 0).Err() },
			"for a year":     func() error { return rdb.Set(t.Context(), key, "x", 365*24*time.Hour).Err() },
			"a hash":         func() error { return rdb.HSet(t.Context(), key, "x", "y").Err() },
		} {
			must(t, rdb.Del(t.Context(), key).Err())
			must(t, poison())
			began := time.Now()
			unlock, err := store.Lock(t.Context())
			if err != nil || time.Since(began) > testkit.Patience {
				t.Fatalf("%s: after %s, %v", name, time.Since(began), err)
			}
			unlock()
			rejected.are(t, map[string]int{coordination.KindLock: 1})
		}
	})
}

// TestRateLimitPoison: whatever stands where the limit is counted, the next purchase waits no longer than the limit
// says; and a limit that is drawn down by ours is never taken for poison.
func TestRateLimitPoison(t *testing.T) {
	redis, rejected := shared(t, testkit.Redis(t).URL())
	rdb := redis.Client
	limiter := redis.RateLimiter("distributor", 3600, time.Hour)
	for range 3 {
		for _, p := range topup.Priorities() {
			for granted := 1; granted > 0; {
				var err error
				if granted, _, err = limiter.Take(t.Context(), p, 100); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	rejected.are(t, map[string]int{})
	key := onlyKey(t, rdb, "recarga:rate:*")
	now := time.Since(time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)).Seconds()
	for _, value := range []string{"", "x", "1e18", "inf", "-nan", "99999999999999999999999999", "0x7fffffffffffffff",
		fmt.Sprint(now + 3600), "{}"} {
		must(t, rdb.Set(t.Context(), key, value, 0).Err())
		if granted, wait, err := limiter.Take(t.Context(), topup.PriorityBulk, 1); granted != 1 || err != nil {
			t.Errorf("%q: %d granted, wait %s, %v", value, granted, wait, err)
		}
		rejected.are(t, map[string]int{coordination.KindRate: 1})
	}
	for _, value := range []string{"-1e18", "-inf", "0", "nan"} { // as if nothing had been bought for long
		must(t, rdb.Set(t.Context(), key, value, 0).Err())
		if granted, _, err := limiter.Take(t.Context(), topup.PriorityHigh, 1000); granted < 1 || granted > 6 || err != nil {
			t.Errorf("%q: %d granted, %v", value, granted, err)
		}
	}
	rejected.take()
	must(t, rdb.Del(t.Context(), key).Err())
	must(t, rdb.SAdd(t.Context(), key, "x").Err())
	if granted, _, err := limiter.Take(t.Context(), topup.PriorityHigh, 1); granted != 1 || err != nil {
		t.Errorf("a set: %d granted, %v", granted, err)
	}
}

const stateKey = "recarga:distributor:notices"

// TestForgedState: nobody without the secret key declares a pause or an outage, moves one to another operator, or
// prolongs one.
func TestForgedState(t *testing.T) {
	redis, rejected := shared(t, testkit.Redis(t).URL())
	rdb := redis.Client
	state, theirs := redis.SharedState("secret"), redis.SharedState("their secret")
	until, since := time.Now().Add(time.Minute).Truncate(time.Millisecond), time.Now().Add(-time.Minute).UTC()
	put := func() {
		must(t, rdb.Del(t.Context(), stateKey).Err())
		must(t, state.Pause(t.Context(), until))
		must(t, state.SetOutage(t.Context(), "TELCEL", topup.Outage{Since: since, Why: "tests"}))
	}
	truth := func(name string) {
		t.Helper()
		n, err := state.Restrictions(t.Context())
		if err != nil || !n.PausedUntil.Equal(until) || len(n.Outages) != 1 || !n.Outages["TELCEL"].Since.Equal(since) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	put()
	truth("at first")
	rejected.are(t, map[string]int{})
	ours := rdb.HGetAll(t.Context(), stateKey).Val()
	for name, c := range map[string]struct{ field, value string }{
		"a plain pause":              {"paused_until", fmt.Sprint(time.Now().Add(time.Hour).UnixMilli())},
		"a plain outage":             {"outage:MOVISTAR", `{"since":"2020-01-01T00:00:00Z","why":"forged"}`},
		"an outage of another":       {"outage:MOVISTAR", ours["outage:TELCEL"]},
		"an outage as a pause":       {"paused_until", ours["outage:TELCEL"]},
		"garbage":                    {"outage:MOVISTAR", "\x00\xff"},
		"nothing":                    {"outage:MOVISTAR", ""},
		"a field that is none":       {"x", "y"},
		"a pause as another's field": {"outage:", ours["paused_until"]},
	} {
		put()
		if c.field == "paused_until" { // ours is lost then, not changed
			must(t, rdb.HDel(t.Context(), stateKey, "paused_until").Err())
		}
		must(t, rdb.HSet(t.Context(), stateKey, c.field, c.value).Err())
		for range 2 { // the second read finds it gone
			n, err := state.Restrictions(t.Context())
			if err != nil || len(n.Outages) != 1 || c.field == "paused_until" && !n.PausedUntil.IsZero() {
				t.Errorf("%s: %+v, %v", name, n, err)
			}
		}
		rejected.are(t, map[string]int{coordination.KindState: 1})
	}
	put()
	must(t, theirs.SetOutage(t.Context(), "MOVISTAR", topup.Outage{Since: since}))
	must(t, rdb.HSet(t.Context(), stateKey, "outage:BIG", strings.Repeat("x", 1<<20), strings.Repeat("y", 1<<20),
		"z").Err())
	truth("with their key, and large ones")
	rejected.are(t, map[string]int{coordination.KindState: 1}) // theirs: the large ones are not even read
	must(t, state.Pause(t.Context(), time.Now().AddDate(100, 0, 0)))
	if n, err := state.Restrictions(t.Context()); err != nil || time.Until(n.PausedUntil) > time.Hour {
		t.Errorf("a pause of 100 years: %s, %v", n.PausedUntil, err)
	}
	must(t, state.SetOutage(t.Context(), "TELCEL", topup.Outage{Since: time.Now().Add(time.Hour)}))
	if n, err := state.Restrictions(t.Context()); err != nil || len(n.Outages) != 0 {
		t.Errorf("an outage of the future: %v, %v", n.Outages, err)
	}
	for name, poison := range map[string]func() error{
		"a list": func() error { return rdb.LPush(t.Context(), stateKey, "x").Err() },
		"too many": func() error {
			many := map[string]string{}
			for i := range 1000 {
				many[fmt.Sprint("outage:", i)] = "x"
			}
			return rdb.HSet(t.Context(), stateKey, many).Err()
		},
	} {
		must(t, rdb.Del(t.Context(), stateKey).Err())
		must(t, poison())
		if n, err := state.Restrictions(t.Context()); err != nil || len(n.Outages) != 0 || !n.PausedUntil.IsZero() {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
		put()
		truth("after " + name)
	}
}

// TestProbePoison: a claim that does not end keeps nobody from trying an operator that is out.
func TestProbePoison(t *testing.T) {
	onBoth(t, func(t *testing.T, redis coordination.Redis, rejected *counted) {
		rdb, state := redis.Client, redis.SharedState("secret")
		const key = "recarga:distributor:probe:TELCEL"
		for name, poison := range map[string]func() error{
			"without an end": func() error { return rdb.Set(t.Context(), key, "", 0).Err() },
			"for a year":     func() error { return rdb.Set(t.Context(), key, "", 365*24*time.Hour).Err() },
			"a list":         func() error { return rdb.LPush(t.Context(), key, "").Err() },
		} {
			must(t, rdb.Del(t.Context(), key).Err())
			must(t, poison())
			if claimed, err := state.ClaimProbe(t.Context(), "TELCEL", time.Minute); !claimed || err != nil {
				t.Errorf("%s: claimed %t, %v", name, claimed, err)
			}
			rejected.are(t, map[string]int{coordination.KindProbe: 1})
			if claimed, err := state.ClaimProbe(t.Context(), "TELCEL", time.Minute); claimed || err != nil {
				t.Errorf("%s: claimed twice: %t, %v", name, claimed, err)
			}
		}
		since := time.Now()
		for _, value := range []string{"x", "-1000000", "1e300", "nan", ""} {
			must(t, rdb.Set(t.Context(), fmt.Sprintf("recarga:distributor:resume:TELCEL:%d", since.UnixMilli()), value,
				0).Err())
			if n, err := state.Resume(t.Context(), "TELCEL", since, 10, 5); n < 0 || n > 5 {
				t.Errorf("%q: %d of 5 resumed, %v", value, n, err)
			}
		}
	})
}

// TestResume: all workers together get no more than the total, and all of it, whatever is given back meanwhile.
func TestResume(t *testing.T) {
	for name, url := range map[string]string{"embedded": queue.Embedded, "redis": testkit.Redis(t).URL()} {
		t.Run(name, func(t *testing.T) {
			redis, _ := shared(t, url)
			since := time.Now()
			taken := 0
			for _, total := range []int{1, 3, 7, 127} {
				if taken += resumeByMany(t, redis, since, total); taken != total {
					t.Errorf("of a total of %d, %d are granted", total, taken)
				}
			}
			n, err := redis.SharedState("secret").Resume(t.Context(), "TELCEL", since.Add(time.Second), 1, 5)
			if n != 1 || err != nil {
				t.Errorf("another recovery gets %d, %v", n, err)
			}
		})
	}
}

// resumeByMany is how many purchases workers side by side, and then one that comes last, get of the total.
func resumeByMany(t *testing.T, redis coordination.Redis, since time.Time, total int) (taken int) {
	t.Helper()
	var workers sync.WaitGroup
	granted := make([]int, 8)
	for i := range granted {
		workers.Go(func() {
			for range 30 {
				n, err := redis.SharedState("secret").Resume(t.Context(), "TELCEL", since, total, 2+i)
				if err == nil && n > 1 {
					n--
					err = redis.SharedState("secret").GiveBack(t.Context(), "TELCEL", since, 1)
				}
				if err != nil {
					t.Error(err)
					return
				}
				granted[i] += n
			}
		})
	}
	workers.Wait()
	left, err := redis.SharedState("secret").Resume(t.Context(), "TELCEL", since, total, 1000)
	if err != nil {
		t.Error(err)
	}
	for _, n := range append(granted, left) {
		taken += n
	}
	return taken
}

func TestRateLimiter(t *testing.T) {
	for name, url := range map[string]string{
		"embedded": queue.Embedded, "redis": testkit.Redis(t).URL(),
		"redis without TIME": testkit.Redis(t).User(t, "~recarga:*", "+@all", "-time"),
	} {
		t.Run(name, func(t *testing.T) { redis, _ := shared(t, url); testRateLimiter(t, redis) })
	}
}

// TestRateLimiterChanges: another rate holds at once, none limits nothing, and what was counted at one says nothing of
// another.
func TestRateLimiterChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, redis coordination.Redis, rejected *counted) {
		limiter := redis.RateLimiter("distributor", 0, 0)
		take := func(limited bool, want int) {
			t.Helper()
			granted, _, err := limiter.Take(t.Context(), topup.PriorityHigh, 100)
			if granted != want || err != nil || limiter.Limited() != limited {
				t.Errorf("%d granted, limited %v, %v; want %d, %v", granted, limiter.Limited(), err, want, limited)
			}
		}
		take(false, 100)
		limiter.Use("distributor:1/h", topup.Rate{Count: 1, Per: time.Hour})
		take(true, 6)
		take(true, 0)
		limiter.Use("distributor:3600/s", topup.Rate{Count: 3600, Per: time.Second})
		take(true, 100)
		limiter.Use("distributor", topup.Rate{})
		take(false, 100)
		rejected.are(t, map[string]int{})
	})
}

func testRateLimiter(t *testing.T, redis coordination.Redis) {
	limiter := redis.RateLimiter("distributor", 36, time.Hour)
	// Each priority may go further than the one below it, and none further than the limit's burst.
	for _, c := range []struct {
		p          topup.Priority
		n, granted int
	}{
		{topup.PriorityBulk, 9, 2}, {topup.PriorityBulk, 1, 0}, {topup.PriorityNormal, 1, 1}, {topup.PriorityNormal, 9, 1},
		{topup.PriorityNormal, 1, 0}, {topup.PriorityHigh, 2, 2}, {topup.PriorityHigh, 1, 0}, {topup.PriorityBulk, 1, 0},
	} {
		granted, wait, err := limiter.Take(t.Context(), c.p, c.n)
		if granted != c.granted || err != nil || (wait > 0) != (granted < c.n) {
			t.Errorf("%s asks for %d, gets %d, waits %s, %v; want %d", c.p, c.n, granted, wait, err, c.granted)
		}
	}
}
