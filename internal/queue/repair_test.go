package queue_test

import (
	"fmt"
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
	kinds map[string]int
}

func countRejected(q *queue.Queue) *counted {
	c := &counted{kinds: map[string]int{}}
	q.OnRejected(func(kind string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.kinds[kind]++
	})
	return c
}

// take is what was counted since the last call.
func (c *counted) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.kinds
	c.kinds = map[string]int{}
	return taken
}

// TestWrongTypes: a key of another type than it must be makes all scripts on it fail. A watch removes
// it, and the queue continues.
func TestWrongTypes(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	rdb, rejected := q.Redis(), countRejected(q)
	calls, handler := recorded(done)
	serve(t, q, handler)
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("FIRST"), time.Time{}) })
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
		if n := rejected.take()[queue.KindKey]; n != 1 {
			t.Errorf("%s: %d keys removed", key, n)
		}
		id := fmt.Sprint("ORD-", i)
		persist(t, func() error { return q.ForceEnqueueOrder(t.Context(), request(topup.ID(id))) })
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
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("BEHIND"), time.Now().Add(time.Second)) })
	testkit.Eventually(t, time.Minute, func() bool {
		watch(t, q)
		return len(calls) > 0
	}, "the task behind the poison is run")
	if id := next(t, calls).id; id != "BEHIND" {
		t.Errorf("%s instead of BEHIND", id)
	}
}

// TestStuckIDs: an order is processed although everything that could stand for its task is occupied by what nobody
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
				persist(t, func() error { return q.ForceEnqueueOrder(t.Context(), request("ORD-1")) })
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
// kept for a person to read, and no task that is really that one is touched.
func TestMessagesOfOthers(t *testing.T) {
	q := open(t, testkit.Redis(t).URL())
	persist(t, func() error { return q.EnqueueOrder(t.Context(), request("REAL"), time.Time{}) })
	active(t, q, 2*time.Minute)
	must(t, q.Redis().HSet(t.Context(), "asynq:{topups}:t:ORD-1", "msg", message(t, "REAL")).Err())
	if h := watch(t, q); h.Repaired.Quarantined != 1 || h.Depth["pending"] != 1 {
		t.Errorf("%+v", h)
	}
	if kept := q.Redis().HKeys(t.Context(), "recarga:{topups}:quarantine").Val(); !slices.Equal(kept, []string{"ORD-1"}) {
		t.Errorf("kept %q", kept)
	}
}

// TestServersPoison: what calls itself a server is nobody's, and stops no watch.
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
