package queue_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

// counted counts what a queue rejects.
type counted struct {
	mu    sync.Mutex
	kinds map[queue.Rejected]int
}

func countRejected(q *queue.Queue) *counted {
	c := &counted{kinds: map[queue.Rejected]int{}}
	q.OnRejected(func(kind queue.Rejected) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.kinds[kind]++
	})
	return c
}

// take is what was counted since the last call.
func (c *counted) take() map[queue.Rejected]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.kinds
	c.kinds = map[queue.Rejected]int{}
	return taken
}

func (c *counted) are(t *testing.T, want map[queue.Rejected]int) {
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
	q := open(t, testkit.Redis(t).URL())
	rdb, rejected := q.Redis(), countRejected(q)
	store := q.TokenStore("me", "secret", "http://vendor")
	save := func(s *queue.TokenStore, token string) string {
		t.Helper()
		must(t, s.Save(t.Context(), token, time.Now().Add(time.Hour)))
		key := onlyKey(t, rdb, "recarga:distributor:token:*")
		value := rdb.Get(t.Context(), key).Val()
		must(t, rdb.Del(t.Context(), key).Err())
		return value
	}
	theirs := save(q.TokenStore("me", "their secret", "http://vendor"), "token-of-theirs")
	other := save(q.TokenStore("me", "secret", "http://their-vendor"), "token-of-theirs")
	somebody := save(q.TokenStore("somebody else", "secret", "http://vendor"), "token-of-theirs")
	must(t, store.Save(t.Context(), "token-of-ours", time.Now().Add(time.Hour)))
	key := onlyKey(t, rdb, "recarga:distributor:token:*")
	ours := rdb.Get(t.Context(), key).Val()
	if strings.Contains(ours, "token-of-ours") {
		t.Error("the token is readable")
	}
	if got, _, err := store.Load(t.Context()); got != "token-of-ours" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	rejected.are(t, map[queue.Rejected]int{})
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
		rejected.are(t, map[queue.Rejected]int{queue.RejectedToken: 1})
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
	onBoth(t, func(t *testing.T, q *queue.Queue) {
		rdb, rejected := q.Redis(), countRejected(q)
		store := q.TokenStore("me", "secret", "http://vendor")
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
			if err != nil || time.Since(began) > 10*time.Second {
				t.Fatalf("%s: after %s, %v", name, time.Since(began), err)
			}
			unlock()
			rejected.are(t, map[queue.Rejected]int{queue.RejectedLock: 1})
		}
	})
}

// TestPacePoison: whatever stands where the limit is counted, the next purchase waits no longer than the limit says;
// and a limit that is drawn down by ours is never taken for poison.
func TestPacePoison(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	rdb, rejected := q.Redis(), countRejected(q)
	pacer := q.NewRateLimiter("distributor", 3600, time.Hour)
	for range 3 {
		for _, p := range topup.Priorities() {
			for granted := 1; granted > 0; {
				var err error
				if granted, _, err = pacer.Take(t.Context(), p, 100); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	rejected.are(t, map[queue.Rejected]int{})
	key := onlyKey(t, rdb, "rate:*")
	now := time.Since(time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)).Seconds()
	for _, value := range []string{"", "x", "1e18", "inf", "-nan", "99999999999999999999999999", "0x7fffffffffffffff",
		fmt.Sprint(now + 3600), "{}"} {
		must(t, rdb.Set(t.Context(), key, value, 0).Err())
		if granted, wait, err := pacer.Take(t.Context(), topup.PriorityBulk, 1); granted != 1 || err != nil {
			t.Errorf("%q: %d granted, wait %s, %v", value, granted, wait, err)
		}
		rejected.are(t, map[queue.Rejected]int{queue.RejectedRate: 1})
	}
	for _, value := range []string{"-1e18", "-inf", "0", "nan"} { // as if nothing had been bought for long
		must(t, rdb.Set(t.Context(), key, value, 0).Err())
		if granted, _, err := pacer.Take(t.Context(), topup.PriorityHigh, 1000); granted < 1 || granted > 6 || err != nil {
			t.Errorf("%q: %d granted, %v", value, granted, err)
		}
	}
	rejected.take()
	must(t, rdb.Del(t.Context(), key).Err())
	must(t, rdb.SAdd(t.Context(), key, "x").Err())
	if granted, _, err := pacer.Take(t.Context(), topup.PriorityHigh, 1); granted != 1 || err != nil {
		t.Errorf("a set: %d granted, %v", granted, err)
	}
}

const notices = "recarga:distributor:notices"

// TestForgedNotices: nobody without the secret key declares a pause or an outage, moves one to another operator, or
// prolongs one.
func TestForgedNotices(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	rdb, rejected := q.Redis(), countRejected(q)
	board, theirs := q.SharedState("secret"), q.SharedState("their secret")
	until, since := time.Now().Add(time.Minute).Truncate(time.Millisecond), time.Now().Add(-time.Minute).UTC()
	put := func() {
		must(t, rdb.Del(t.Context(), notices).Err())
		must(t, board.Pause(t.Context(), until))
		must(t, board.SetOutage(t.Context(), "TELCEL", topup.Outage{Since: since, Why: "tests"}))
	}
	truth := func(name string) {
		t.Helper()
		n, err := board.Restrictions(t.Context())
		if err != nil || !n.PausedUntil.Equal(until) || len(n.Outages) != 1 || !n.Outages["TELCEL"].Since.Equal(since) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	put()
	truth("at first")
	rejected.are(t, map[queue.Rejected]int{})
	ours := rdb.HGetAll(t.Context(), notices).Val()
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
			must(t, rdb.HDel(t.Context(), notices, "paused_until").Err())
		}
		must(t, rdb.HSet(t.Context(), notices, c.field, c.value).Err())
		for range 2 { // the second look finds it gone
			n, err := board.Restrictions(t.Context())
			if err != nil || len(n.Outages) != 1 || c.field == "paused_until" && !n.PausedUntil.IsZero() {
				t.Errorf("%s: %+v, %v", name, n, err)
			}
		}
		rejected.are(t, map[queue.Rejected]int{queue.RejectedState: 1})
	}
	put()
	must(t, theirs.SetOutage(t.Context(), "MOVISTAR", topup.Outage{Since: since}))
	must(t, rdb.HSet(t.Context(), notices, "outage:BIG", strings.Repeat("x", 1<<20), strings.Repeat("y", 1<<20),
		"z").Err())
	truth("with their key, and large ones")
	must(t, board.Pause(t.Context(), time.Now().AddDate(100, 0, 0)))
	if n, err := board.Restrictions(t.Context()); err != nil || time.Until(n.PausedUntil) > time.Hour {
		t.Errorf("a pause of 100 years: %s, %v", n.PausedUntil, err)
	}
	must(t, board.SetOutage(t.Context(), "TELCEL", topup.Outage{Since: time.Now().Add(time.Hour)}))
	if n, err := board.Restrictions(t.Context()); err != nil || len(n.Outages) != 0 {
		t.Errorf("an outage of the future: %v, %v", n.Outages, err)
	}
	for name, poison := range map[string]func() error{
		"a list": func() error { return rdb.LPush(t.Context(), notices, "x").Err() },
		"too many": func() error {
			many := map[string]string{}
			for i := range 1000 {
				many[fmt.Sprint("outage:", i)] = "x"
			}
			return rdb.HSet(t.Context(), notices, many).Err()
		},
	} {
		must(t, rdb.Del(t.Context(), notices).Err())
		must(t, poison())
		if n, err := board.Restrictions(t.Context()); err != nil || len(n.Outages) != 0 || !n.PausedUntil.IsZero() {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
		put()
		truth("after " + name)
	}
}

// TestProbePoison: a claim that does not end keeps nobody from trying an operator that is out.
func TestProbePoison(t *testing.T) {
	onBoth(t, func(t *testing.T, q *queue.Queue) {
		rdb, rejected, board := q.Redis(), countRejected(q), q.SharedState("secret")
		const key = "recarga:distributor:probe:TELCEL"
		for name, poison := range map[string]func() error{
			"without an end": func() error { return rdb.Set(t.Context(), key, "", 0).Err() },
			"for a year":     func() error { return rdb.Set(t.Context(), key, "", 365*24*time.Hour).Err() },
			"a list":         func() error { return rdb.LPush(t.Context(), key, "").Err() },
		} {
			must(t, rdb.Del(t.Context(), key).Err())
			must(t, poison())
			if claimed, err := board.ClaimProbe(t.Context(), "TELCEL", time.Minute); !claimed || err != nil {
				t.Errorf("%s: claimed %t, %v", name, claimed, err)
			}
			rejected.are(t, map[queue.Rejected]int{queue.RejectedProbe: 1})
			if claimed, err := board.ClaimProbe(t.Context(), "TELCEL", time.Minute); claimed || err != nil {
				t.Errorf("%s: claimed twice: %t, %v", name, claimed, err)
			}
		}
		since := time.Now()
		for _, value := range []string{"x", "-1000000", "1e300", "nan", ""} {
			must(t, rdb.Set(t.Context(), fmt.Sprintf("recarga:distributor:resume:TELCEL:%d", since.UnixMilli()), value,
				0).Err())
			if n, err := board.Resume(t.Context(), "TELCEL", since, 10, 5); n < 0 || n > 5 {
				t.Errorf("%q: %d of 5 resumed, %v", value, n, err)
			}
		}
	})
}

// TestWrongTypes: a key of another type than it must be makes all scripts on it fail. A look of the watchdog removes
// it, and the queue goes on.
func TestWrongTypes(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	rdb, rejected := q.Redis(), countRejected(q)
	calls, handler := looks(done)
	serve(t, q, handler)
	must(t, q.EnqueueOrder(t.Context(), request("FIRST"), time.Time{}))
	next(t, calls)
	today := time.Now().UTC().Format(time.DateOnly)
	keys := []string{"asynq:queues", "asynq:servers", "asynq:workers"}
	for _, name := range []string{"pending", "active", "scheduled", "retry", "archived", "completed", "lease",
		"processed", "failed", "processed:" + today, "failed:" + today} {
		keys = append(keys, "asynq:{topups}:"+name)
	}
	keys = append(keys, "recarga:{topups}:strays", "recarga:{topups}:quarantine")
	for i, key := range keys {
		_, err := rdb.TxPipelined(t.Context(), func(tx redis.Pipeliner) error { // nobody writes in between
			tx.Del(t.Context(), key)
			if i%2 == 0 {
				return tx.XAdd(t.Context(), &redis.XAddArgs{Stream: key, Values: []string{"a", "b"}}).Err()
			}
			return tx.Set(t.Context(), key, "no number, no list", 0).Err()
		})
		must(t, err)
		watch(t, q)
		if n := rejected.take()[queue.RejectedKey]; n != 1 {
			t.Errorf("%s: %d keys removed", key, n)
		}
		id := fmt.Sprint("ORD-", i)
		must(t, q.ForceEnqueueOrder(t.Context(), request(topup.ID(id))))
		if got := next(t, calls).id; got != id {
			t.Errorf("after %s: %s instead of %s", key, got, id)
		}
	}
	// Tasks of another type stand before all others, in every list.
	for _, list := range []string{"scheduled", "retry", "lease"} {
		must(t, rdb.ZAdd(t.Context(), "asynq:{topups}:"+list, redis.Z{Score: 1, Member: "POISON-" + list}).Err())
		must(t, rdb.LPush(t.Context(), "asynq:{topups}:t:POISON-"+list, "x").Err())
	}
	must(t, rdb.RPush(t.Context(), "asynq:{topups}:pending", "POISON-pending").Err())
	must(t, rdb.Set(t.Context(), "asynq:{topups}:t:POISON-pending", "x", 0).Err())
	must(t, q.EnqueueOrder(t.Context(), request("BEHIND"), time.Now().Add(time.Second)))
	testkit.Eventually(t, time.Minute, func() bool {
		watch(t, q)
		return len(calls) > 0
	}, "the task behind the poison is run")
	if id := next(t, calls).id; id != "BEHIND" {
		t.Errorf("%s instead of BEHIND", id)
	}
}

// TestStuckIDs: an order is looked at although everything that could stand for its task is occupied by what nobody
// runs.
func TestStuckIDs(t *testing.T) {
	ids := func(id string) (all []string) {
		for n := range 17 {
			name := id
			if n > 0 {
				name = fmt.Sprint(id, "~", n)
			}
			all = append(all, name)
		}
		return all
	}
	for name, occupy := range map[string]func(t *testing.T, q *queue.Queue, id string){
		"archived": func(t *testing.T, q *queue.Queue, id string) {
			must(t, q.Redis().HSet(t.Context(), "asynq:{topups}:t:"+id, "msg", message(t, id), "state", "archived").Err())
			must(t, q.Redis().ZAdd(t.Context(), "asynq:{topups}:archived", redis.Z{Score: ago(0), Member: id}).Err())
		},
		"pending, in no list": func(t *testing.T, q *queue.Queue, id string) {
			must(t, q.Redis().HSet(t.Context(), "asynq:{topups}:t:"+id, "msg", message(t, id), "state", "pending").Err())
		},
		"scheduled, and never moved": func(t *testing.T, q *queue.Queue, id string) {
			must(t, q.Redis().HSet(t.Context(), "asynq:{topups}:t:"+id, "msg", message(t, id), "state", "retry").Err())
			must(t, q.Redis().ZAdd(t.Context(), "asynq:{topups}:retry", redis.Z{Score: ago(time.Hour), Member: id}).Err())
		},
		"in no state": func(t *testing.T, q *queue.Queue, id string) {
			must(t, q.Redis().HSet(t.Context(), "asynq:{topups}:t:"+id, "msg", "\xff", "state", "x").Err())
		},
		"of another type": func(t *testing.T, q *queue.Queue, id string) {
			must(t, q.Redis().Set(t.Context(), "asynq:{topups}:t:"+id, "x", 0).Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := open(t, testkit.Redis(t).URL())
			must(t, q.Announce(t.Context()))
			for _, id := range ids("ORD-1") {
				occupy(t, q, id)
			}
			for range 3 { // a sweep that comes again makes no more of them
				must(t, q.ForceEnqueueOrder(t.Context(), request("ORD-1")))
			}
			pending := q.Redis().LRange(t.Context(), "asynq:{topups}:pending", 0, -1).Val()
			// Two where a minute ends meanwhile.
			if len(pending) < 1 || len(pending) > 2 || !strings.HasPrefix(pending[0], "ORD-1~") {
				t.Errorf("waiting: %q", pending)
			}
		})
	}
}

// message is what asynq stores of a task.
func message(t *testing.T, id string) string {
	t.Helper()
	q := open(t, queue.Embedded)
	task, err := tasks.NewPurchase(request(topup.ID("OTHER")))
	must(t, err)
	client := asynq.NewClientFromRedisClient(q.Redis())
	_, err = client.Enqueue(task, asynq.TaskID(id))
	must(t, err)
	return q.Redis().HGet(t.Context(), "asynq:{topups}:t:"+id, "msg").Val()
}

// TestMessagesOfOthers: an active task whose message says that it is another one can be taken back by nobody. It is
// kept for a person to look at, and no task that is really that one is touched.
func TestMessagesOfOthers(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	must(t, q.EnqueueOrder(t.Context(), request("REAL"), time.Time{}))
	active(t, q, 2*time.Minute)
	must(t, q.Redis().HSet(t.Context(), "asynq:{topups}:t:ORD-1", "msg", message(t, "REAL")).Err())
	if h := watch(t, q); h.Repaired.Quarantined != 1 || h.Depth["pending"] != 1 {
		t.Errorf("%+v", h)
	}
	if kept := q.Redis().HKeys(t.Context(), "recarga:{topups}:quarantine").Val(); !slices.Equal(kept, []string{"ORD-1"}) {
		t.Errorf("kept %q", kept)
	}
}

// TestServersPoison: what calls itself a server is nobody's, and stops no look.
func TestServersPoison(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	must(t, q.Redis().ZAdd(t.Context(), "asynq:servers", redis.Z{Score: 1e18, Member: "a-list"},
		redis.Z{Score: 1e18, Member: "garbage"}, redis.Z{Score: 1e18, Member: ""}).Err())
	must(t, q.Redis().LPush(t.Context(), "a-list", "x").Err())
	must(t, q.Redis().Set(t.Context(), "garbage", "\xff\xff", 0).Err())
	if h := watch(t, q); h.Servers != 0 {
		t.Errorf("%d servers", h.Servers)
	}
}
