package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"recarga/internal/testkit"
	"recarga/topup"
)

// TestHostileRedis: somebody writes whatever he likes into every key of Redis while orders flow. All are bought, once,
// and notified, soon after he has been stopped; and no token is sent to the vendor but those of our own logins.
//
// He leaves the queues unpaused: a pause is a person's, and stays (docs/trust.md).
func TestHostileRedis(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	guard := &tokenGuard{next: w.vendor, ours: map[string]bool{}}
	server := testkit.Redis(t)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DISTRIBUTOR_URL"] = server.URL(), serve(t, guard)+"/api/distributor"
	w.env["RECARGA_DISTRIBUTOR_RATE"], w.env["RECARGA_TASK_KEY"] = "6000/m", "a-key-that-he-does-not-have"
	p := w.start(t, "serve")
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })

	ctx, stop := context.WithCancel(t.Context())
	var vandals sync.WaitGroup
	for range 2 {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		vandals.Go(func() { vandalize(ctx, rdb, rand.New(rand.NewPCG(seed, 0))) })
	}
	want := map[topup.ID]int{}
	often := time.NewTicker(100 * time.Millisecond) // he has time for all keys
	defer often.Stop()
	for i := range 60 {
		phone := topup.Phone("5537686660")
		if i%6 == 0 {
			phone = "5500001091" // twice unavailable, then approved
		}
		want[place(t, p.client(), order(fmt.Sprint("HOSTILE-", i), phone)).ID] = 1
		<-often.C
	}
	stop()
	vandals.Wait()
	for id := range want {
		testkit.Eventually(t, patience, func() bool {
			d, err := p.client().Get(t.Context(), id)
			_, notified := w.hooks.last(id)
			return err == nil && d.State == topup.StateSucceeded && notified
		}, "%s is bought and notified", id)
	}
	if diff := cmp.Diff(want, w.charges()); diff != "" {
		t.Error(diff)
	}
	guard.mu.Lock()
	defer guard.mu.Unlock()
	if len(guard.theirs) > 0 {
		t.Errorf("sent to the vendor: %q", guard.theirs)
	}
}

// tokenGuard is the vendor, which notes every token that it did not give.
type tokenGuard struct {
	next   http.Handler
	mu     sync.Mutex
	ours   map[string]bool
	theirs []string
}

func (g *tokenGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	if sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); sent != "" && !g.ours[sent] {
		g.theirs = append(g.theirs, sent)
	}
	g.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/login") {
		g.next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	g.next.ServeHTTP(answer, r)
	var body struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal(answer.Body.Bytes(), &body) == nil {
		g.mu.Lock()
		g.ours[body.Token] = true
		g.mu.Unlock()
	}
	w.WriteHeader(answer.Code)
	_, _ = io.Copy(w, bytes.NewReader(answer.Body.Bytes()))
}

// vandalize writes into a key after another, until ctx ends.
func vandalize(ctx context.Context, rdb *redis.Client, r *rand.Rand) {
	known := []string{
		"recarga:distributor:notices", "recarga:distributor:probe:MOVISTAR", "recarga:rate:distributor", "asynq:queues",
		"asynq:servers", "asynq:workers",
		"recarga:{topups}:strays", "recarga:{topups}:quarantine", "recarga:asked",
	}
	for _, queue := range []string{"topups", "webhooks"} {
		for _, name := range []string{"pending", "active", "scheduled", "retry", "archived", "completed", "lease",
			"processed", "failed"} {
			known = append(known, "asynq:{"+queue+"}:"+name)
		}
	}
	often := time.NewTicker(time.Millisecond) // now and then something of ours gets through
	defer often.Stop()
	for ctx.Err() == nil {
		<-often.C
		keys := append(rdb.Keys(ctx, "*").Val(), known...)
		key := keys[r.IntN(len(keys))]
		if strings.Contains(key, "token") && r.IntN(2) == 0 {
			key += ":login"
		}
		text := hostileTexts(r)
		switch r.IntN(9) {
		case 0, 1:
			rdb.Set(ctx, key, text, 0)
		case 2:
			rdb.Del(ctx, key)
		case 3:
			rdb.LPush(ctx, key, text)
		case 4:
			rdb.HSet(ctx, key, "msg", text, "state", "pending", "paused_until", text, "outage:MOVISTAR", text)
		case 5:
			rdb.ZAdd(ctx, key, redis.Z{Score: float64(r.Int64()) * []float64{1, -1, 0, 1e300}[r.IntN(4)], Member: text})
		case 6: // of whatever type, it becomes another
			rdb.Del(ctx, key)
			rdb.SAdd(ctx, key, text)
		case 7:
			rdb.Persist(ctx, key)
			rdb.Append(ctx, key, text)
		case 8:
			rdb.Rename(ctx, key, keys[r.IntN(len(keys))])
		}
	}
}

func hostileTexts(r *rand.Rand) string {
	garbage := make([]byte, r.IntN(64))
	for i := range garbage {
		garbage[i] = byte(r.UintN(256))
	}
	return []string{
		"", "0", "-1", "1e18", "inf", "nan", "9223372036854775807", "x", string(garbage), strings.Repeat("x", 100_000),
		"HOSTILE-1", "HOSTILE-2~1",
		fmt.Sprint(time.Now().AddDate(10, 0, 0).UnixMilli()), `{"since":"2020-01-01T00:00:00Z","why":"forged"}`,
		`{"token":"a-token-of-theirs","expires":"2099-01-01T00:00:00Z"}`,
		`{"distributor_transaction_id":"STOLEN","phone_number":"5511111111","product_id":"MOVISTAR_TAE","amount":500}`,
	}[r.IntN(16)]
}
