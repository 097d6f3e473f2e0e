package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// TestWaitersSeeTheTruth: two api processes, and a worker that changes the orders; Redis stops for a while or, of a
// group, the master through which changes are announced dies, and a replica takes over. Whoever
// waits for an order, now at one process and now at the other, never sees it go back, and sees its end, which is what
// the vendor's ledger says. Whoever reads the feed meanwhile gets each end once, and another caller nothing.
func TestWaitersSeeTheTruth(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	for name, redis := range map[string]func(*testing.T) breakable{
		"sqlite": oneRedis, "postgres": oneRedis, "Sentinel": redisGroup(testkit.Sentinel),
		"Redis Cluster": redisGroup(testkit.Cluster),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waitersSeeTheTruth(t, name == "postgres", redis(t))
		})
	}
}

// breakable is a Redis that fails, and is restored.
type breakable struct {
	url           string
	fail, restore func()
}

func oneRedis(t *testing.T) breakable {
	r := testkit.Redis(t)
	return breakable{r.URL(), r.Kill, r.Start}
}

// redisGroup restores itself.
func redisGroup(start func(testing.TB) *testkit.RedisGroup) func(*testing.T) breakable {
	return func(t *testing.T) breakable {
		g := start(t)
		return breakable{g.URL, func() { g.Servers[masterOf(t, g, "recarga:changes")].Kill() }, func() {}}
	}
}

func waitersSeeTheTruth(t *testing.T, postgres bool, redis breakable) {
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"] = redis.url
	if postgres {
		w.env["RECARGA_DATABASE_URL"] = journaltest.Postgres(t).URL()
	}
	w.start(t, "worker")
	apis := []*process{w.start(t, "api"), w.start(t, "api")}
	bystander := w.bystander(t, apis[0])
	clients := []*producer.Client{apis[0].client(), apis[1].client()}
	reading, end := context.WithCancel(t.Context())
	feed := make(chan map[topup.ID]topup.State, 1)
	go func() { feed <- readFeed(reading, t, clients) }()

	// Few are unavailable first: for many, the operator would count as out.
	phones := []topup.Phone{"5537686660", "5537686661", "5500000051", "5500000502", "5537686662", "5537686663",
		"5537686664", "5537686665", "5537686666", "5500001091"}
	seen := make(map[topup.ID]topup.Details)
	var mu sync.Mutex
	var waiting sync.WaitGroup
	for i := range testkit.Times(60, 200) {
		id := topup.ID(fmt.Sprint("ORD-", i))
		place(t, clients[i%2], order(string(id), phones[i%len(phones)]))
		waiting.Go(func() {
			d := followOne(t, apis, id, i)
			mu.Lock()
			defer mu.Unlock()
			seen[id] = d
		})
		if i == 20 {
			redis.fail()
		}
		if i == 30 {
			redis.restore()
		}
	}
	waiting.Wait()
	for id, d := range seen {
		judge(t, d, w.charges()[id])
	}
	testkit.Eventually(t, patience, func() bool {
		ends, _, err := clients[0].EventsAfter(t.Context(), "", 0)
		return err == nil && len(ends) > 0
	}, "the feed has events")
	w.feedEnds(t, clients[0], len(seen))
	end()
	got := <-feed
	for id, d := range seen {
		if got[id] != d.State {
			t.Errorf("the feed says that %s is %s; it is %s", id, got[id], d.State)
		}
	}
	if events, _, err := bystander.EventsAfter(t.Context(), "", 0); err != nil || len(events) > 0 {
		t.Errorf("a bystander gets %d events: %v", len(events), err)
	}
}

// bystander is another caller, which places nothing.
func (w *world) bystander(t *testing.T, p *process) *producer.Client {
	t.Helper()
	added, err := clientOf(p.apiURL, adminKey).AddCaller(t.Context(), producer.NewCaller{Name: "bystander"})
	if err != nil {
		t.Fatal(err)
	}
	return clientOf(p.apiURL, added.APIKey)
}

// feedEnds waits until the feed has an event of so many orders.
func (w *world) feedEnds(t *testing.T, c *producer.Client, orders int) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool {
		found := map[topup.ID]bool{}
		for after := ""; ; {
			events, next, err := c.EventsAfter(t.Context(), after, 0)
			if err != nil || len(events) == 0 {
				return err == nil && len(found) == orders
			}
			for _, ev := range events {
				found[ev.OrderID] = true
			}
			after = next
		}
	}, "the feed has %d orders", orders)
}

// readFeed reads the feed until ctx ends, at one process and then at the other, and returns what it said last of each
// order.
func readFeed(ctx context.Context, t *testing.T, clients []*producer.Client) map[topup.ID]topup.State {
	states, read := map[topup.ID]topup.State{}, map[string]bool{}
	after := ""
	for i := 0; ; i++ {
		events, next, err := clients[i%2].EventsAfter(ctx, after, 200*time.Millisecond)
		if ctx.Err() != nil {
			return states
		}
		if err != nil {
			t.Errorf("read the feed: %v", err)
			return states
		}
		for _, ev := range events {
			if read[ev.ID] {
				t.Errorf("%s comes twice", ev.ID)
			}
			read[ev.ID] = true
			states[ev.OrderID] = topup.State(strings.TrimPrefix(string(ev.Type), "topup."))
		}
		after = next
	}
}

// followOne waits for an order's changes until it ends, and checks that nothing goes back.
func followOne(t *testing.T, apis []*process, id topup.ID, first int) (last topup.Details) {
	tag := ""
	for i := first; ; i++ {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			apis[i%2].apiURL+"/v1/topups/"+string(id)+"?wait=20s", nil)
		if err != nil {
			t.Error(err)
			return last
		}
		req.Header.Set("Authorization", "Bearer "+apiKey)
		if tag != "" {
			req.Header.Set("If-None-Match", tag)
		}
		var now topup.Details
		now, tag, err = orderOr(req, last, tag)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			return last
		}
		if now.UpdatedAt.Before(last.UpdatedAt) || now.AttemptCount < last.AttemptCount ||
			last.State.Final() && now.State != last.State {
			t.Errorf("%s goes back from %+v to %+v", id, last.Order, now.Order)
		}
		if last = now; topup.EventTypeOf(now.State) != "" {
			return last
		}
	}
}

// orderOr is the order that is answered, or the one before where it has not changed.
func orderOr(req *http.Request, before topup.Details, tag string) (now topup.Details, next string, err error) {
	res, err := pool.Do(req)
	if err != nil {
		return before, tag, err
	}
	defer func() { _ = res.Body.Close() }()
	switch res.StatusCode {
	case http.StatusNotModified:
		return before, tag, nil
	case http.StatusOK:
		return now, res.Header.Get("ETag"), json.NewDecoder(res.Body).Decode(&now)
	}
	return before, tag, errors.New(res.Status)
}

// TestStopAnswersWhoWaits: an api process that stops answers those who wait with the present state, and cuts nobody
// off.
func TestStopAnswersWhoWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.start(t, "api")
	place(t, p.client(), order("ORD-1", "5537686660"))
	type answer struct {
		d   topup.Details
		err error
	}
	answers := make(chan answer, 2)
	for _, wait := range []string{"60s", "59s"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.apiURL+"/v1/topups/ORD-1?wait="+wait, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+apiKey)
		go func() {
			d, _, err := orderOr(req, topup.Details{}, "")
			answers <- answer{d, err}
		}()
	}
	testkit.Eventually(t, patience, func() bool {
		_, body, err := try(t.Context(), pool, http.MethodGet, p.metricsURL+"/metrics", "")
		return err == nil && strings.Contains(body, "recarga_http_waiting_requests 2")
	}, "two requests wait")
	if status := p.terminate(); status != 0 {
		t.Errorf("it exits with %d", status)
	}
	for range 2 {
		if a := <-answers; a.err != nil || a.d.State != topup.StateQueued {
			t.Errorf("answered with %s, %v", a.d.State, a.err)
		}
	}
}
