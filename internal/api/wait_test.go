package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/api"
	"recarga/internal/api/keys"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/longpoll"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// patience is ten times as long as any test here needs.
const patience = 20 * time.Second

// waiting is a server whose requests can wait. Its announcements are the journal's, unless deaf.
type waiting struct {
	*server
	hub *longpoll.Hub
}

func serveWaiting(tb testing.TB, deaf bool, change ...func(*longpoll.Config)) waiting {
	tb.Helper()
	var hub atomic.Pointer[longpoll.Hub]
	changed := func(c journal.Change) {
		if h := hub.Load(); h != nil && !deaf {
			h.Changed(c.Order)
			h.Notified(c.Caller)
		}
	}
	database := journaltest.SQLite(tb)
	j, err := journal.Open(tb.Context(), database, journal.WithChanges(changed))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = j.Close() })
	cfg := longpoll.Config{Book: j, Most: 100, Share: 100, Heard: func() bool { return !deaf }}
	for _, c := range change {
		c(&cfg)
	}
	h := longpoll.New(cfg)
	hub.Store(h)
	ctx, end := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()
	tb.Cleanup(func() { end(); <-ended })
	s := serveOn(tb, database, func(c *api.Config) {
		c.Book, c.Orders, c.Waits = j, producer.New(j, noWaker{}, c.Log), h
	})
	s.journal = j
	return waiting{s, h}
}

// started sends a request beside the test, and returns once so many wait.
func (w waiting) started(n int, key, path string, header ...string) chan answer {
	w.tb.Helper()
	answers := make(chan answer, 1)
	r := w.make(http.MethodGet, path, "")
	r.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	go func() { answers <- w.request(r) }()
	w.waits(n)
	return answers
}

func (w waiting) waits(n int) {
	w.tb.Helper()
	testkit.Eventually(w.tb, patience, func() bool { return w.hub.Waiting() == n }, "%d requests wait", n)
}

func received(tb testing.TB, answers <-chan answer) answer {
	tb.Helper()
	select {
	case a := <-answers:
		return a
	case <-time.After(patience):
		tb.Fatal("no answer")
		panic("unreachable")
	}
}

func stateOf(tb testing.TB, a answer) topup.State {
	tb.Helper()
	var d topup.Details
	decode(tb, a.want(http.StatusOK).body, &d)
	return d.State
}

// begun begins an order's attempt.
func (w waiting) begun(id topup.ID) {
	w.tb.Helper()
	now := time.Now()
	if _, err := w.journal.BeginFirst(w.tb.Context(), id, "worker", now.Add(time.Minute), now); err != nil {
		w.tb.Fatal(err)
	}
}

// TestWaitEndsWithAChange: a request that waits is answered with the order's next state, whether the change is
// announced or found by a poll; one that waits no longer is answered with the present one.
func TestWaitEndsWithAChange(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprintf("deaf %t", deaf), func(t *testing.T) {
			t.Parallel()
			w := serveWaiting(t, deaf)
			w.place("A").want(http.StatusAccepted)
			answers := w.started(1, shopKey, "/v1/topups/A?wait=60s")
			w.begun("A")
			if got := stateOf(t, received(t, answers)); got != topup.StateSubmitting {
				t.Errorf("the state is %s", got)
			}
			w.waits(0)
			if got := stateOf(t, w.get(shopKey, "/v1/topups/A?wait=1ms")); got != topup.StateSubmitting {
				t.Errorf("at the end of the wait the state is %s", got)
			}
		})
	}
}

// TestWaitAfterWhatIsKnown: with an entity tag a change counts from what it stands for.
func TestWaitAfterWhatIsKnown(t *testing.T) {
	t.Parallel()
	w := serveWaiting(t, false)
	w.place("A").want(http.StatusAccepted)
	tag := w.get(shopKey, "/v1/topups/A").want(http.StatusOK).header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) {
		t.Fatalf("the entity tag is %q", tag)
	}
	same := w.send(http.MethodGet, "/v1/topups/A?wait=1ms", "", "Authorization", "Bearer "+shopKey, "If-None-Match", tag)
	if same.want(http.StatusNotModified); len(same.body) > 0 || same.header.Get("ETag") != tag {
		t.Errorf("unchanged: %q, %q", same.body, same.header)
	}
	waits := w.started(1, shopKey, "/v1/topups/A?wait=60s", "If-None-Match", `W/"other", `+tag)
	w.begun("A")
	if got := stateOf(t, received(t, waits)); got != topup.StateSubmitting {
		t.Errorf("the state is %s", got)
	}
	// What changed between two requests is answered at once.
	at := w.send(http.MethodGet, "/v1/topups/A?wait=60s", "", "Authorization", "Bearer "+shopKey, "If-None-Match", tag)
	if got := stateOf(t, at); got != topup.StateSubmitting {
		t.Errorf("the state is %s", got)
	}
}

// TestWaitIsAnsweredAtOnce: where there is nothing to wait for, or nothing may be seen.
func TestWaitIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	w := serveWaiting(t, false)
	w.place("A").want(http.StatusAccepted)
	w.post(shopKey, "/v1/topups/A/cancel", "").want(http.StatusOK)
	if got := stateOf(t, w.get(shopKey, "/v1/topups/A?wait=60s")); got != topup.StateCanceled {
		t.Errorf("the state is %s", got)
	}
	w.get(otherKey, "/v1/topups/A?wait=60s").want(http.StatusNotFound)
	w.get(shopKey, "/v1/topups/B?wait=60s").want(http.StatusNotFound)
	for _, wrong := range []string{"30", "61s", "-1s", "soon"} {
		a := w.get(shopKey, "/v1/topups/A?wait="+wrong).want(http.StatusUnprocessableEntity)
		for _, said := range []string{`"query.wait"`, `"` + wrong + `"`, "0s to 60s"} {
			if !strings.Contains(string(a.body), said) {
				t.Errorf("%s: %s is not in %s", wrong, said, a.body)
			}
		}
	}
}

// TestWaitHasBounds: of one caller, and of all together; and a client that hangs up gives its place back.
func TestWaitHasBounds(t *testing.T) {
	t.Parallel()
	w := serveWaiting(t, false, func(c *longpoll.Config) { c.Most, c.Share = 3, 2 })
	w.place("A").want(http.StatusAccepted)
	w.post(otherKey, "/v1/topups", order("B")).want(http.StatusAccepted)
	ctx, hangUp := context.WithCancel(t.Context())
	r := w.make(http.MethodGet, "/v1/topups/A?wait=60s", "").WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+shopKey)
	hung := make(chan error, 1)
	go func() {
		response, err := w.client.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		hung <- err
	}()
	w.waits(1)
	waits := []chan answer{w.started(2, shopKey, "/v1/topups/A?wait=60s")}
	refused := w.get(shopKey, "/v1/topups/A?wait=60s").want(http.StatusTooManyRequests)
	waits = append(waits, w.started(3, otherKey, "/v1/topups/B?wait=60s"))
	full := w.get(otherKey, "/v1/topups/B?wait=60s").want(http.StatusServiceUnavailable)
	for _, a := range []answer{refused, full} {
		if a.header.Get("Retry-After") == "" {
			t.Errorf("no Retry-After in %v", a.header)
		}
	}
	hangUp()
	if err := <-hung; err == nil {
		t.Error("a client that hung up was answered")
	}
	w.waits(2)
	w.hub.End()
	for _, one := range waits {
		if got := stateOf(t, received(t, one)); got != topup.StateQueued {
			t.Errorf("at the end the state is %s", got)
		}
	}
	if got := stateOf(t, w.get(shopKey, "/v1/topups/A?wait=60s")); got != topup.StateQueued {
		t.Errorf("after the end the state is %s", got)
	}
}

// TestWaitEndsWithTheKey: whoever's key ends while it waits sees nothing more.
func TestWaitEndsWithTheKey(t *testing.T) {
	t.Parallel()
	w := serveWaiting(t, false)
	known := &fleeting{callers: twoShops()}
	s := serveOn(t, journaltest.SQLite(t), func(c *api.Config) {
		c.Book, c.Orders, c.Waits, c.Callers = w.journal, producer.New(w.journal, noWaker{}, c.Log), w.hub, known
	})
	w.place("A").want(http.StatusAccepted)
	answers := (waiting{s, w.hub}).started(1, shopKey, "/v1/topups/A?wait=60s")
	known.ended.Store(true)
	w.begun("A")
	received(t, answers).want(http.StatusUnauthorized)
}

// fleeting are keys that end.
type fleeting struct {
	callers
	ended atomic.Bool
}

func (f *fleeting) Authenticate(ctx context.Context, key string) (keys.Identity, error) {
	if f.ended.Load() {
		return keys.Identity{}, keys.ErrUnknown
	}
	return f.callers.Authenticate(ctx, key)
}
