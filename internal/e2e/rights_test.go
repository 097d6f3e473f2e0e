package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"recarga/internal/coordination"
	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

// TestLeastRights leads whole lives with a user of Redis that has the rights of docs/redis.md and no other: nothing is
// refused, no right is left over, and no key stands outside of asynq: and recarga:.
func TestLeastRights(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	redis := testkit.Redis(t)
	guest := redis.User(t, queue.RightsRules(false)...)
	redis.Admin(t, "CONFIG", "RESETSTAT")
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DISTRIBUTOR_RATE"] = guest, "100/s"
	w.env["RECARGA_QUEUES_READ_ONLY"] = "false"
	for _, found := range w.lead(t) {
		if strings.HasPrefix(found, "fail  redis") || strings.Contains(found, "not permitted") {
			t.Errorf("doctor: %s", found)
		}
	}
	seldom(t, redis, strings.TrimSuffix(guest, "/0")+"/1")
	pressed(t, guest, w)
	allUsed(t, redis)
	if refused := redis.Admin(t, "ACL", "LOG"); len(refused.([]any)) > 0 {
		t.Errorf("refused: %v", refused)
	}
	for _, key := range redis.Admin(t, "KEYS", "*").([]any) {
		if name := key.(string); !strings.HasPrefix(name, "asynq:") && !strings.HasPrefix(name, "recarga:") {
			t.Errorf("a key that is not ours: %s", name)
		}
	}
}

// TestLeastRightsCluster is TestLeastRights on a Redis Cluster, which is asked for its map.
func TestLeastRightsCluster(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	cluster := testkit.Cluster(t)
	guest := cluster.User(t, queue.RightsRules(true)...)
	for _, server := range cluster.Servers {
		server.Admin(t, "CONFIG", "RESETSTAT")
	}
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DISTRIBUTOR_RATE"] = guest, "100/s"
	for _, found := range w.lead(t) {
		if strings.HasPrefix(found, "fail  redis") {
			t.Errorf("doctor: %s", found)
		}
	}
	p := w.start(t, "api")
	m := &asynqmon{t, strings.Replace(p.apiURL, "://", "://operator:"+adminKey+"@", 1) + "/queues"}
	if status, answer := m.call(http.MethodGet, "/api/redis_info", nil); status != http.StatusOK {
		t.Errorf("asynq's page of the cluster: %d %s", status, answer)
	}
	ran := map[string]bool{}
	for _, server := range cluster.Servers[:len(cluster.Servers)/2] { // replicas run what their masters ran
		maps.Copy(ran, used(t, server))
		if refused := server.Admin(t, "ACL", "LOG"); len(refused.([]any)) > 0 {
			t.Errorf("refused: %v", refused)
		}
	}
	for _, r := range queue.Rights() {
		if r.Cluster && !ran[r.Command] {
			t.Errorf("%s is a right that was not used", r.Command)
		}
		delete(ran, r.Command)
	}
	if len(ran) > 0 {
		t.Errorf("Redis ran %v, which queue.Rights lacks", slices.Sorted(maps.Keys(ran)))
	}
}

// TestLeastRightsFlow: while orders flow by a user of Redis with the least rights, the worker is replaced, and Redis
// restarts: it reads its user from a file.
func TestLeastRightsFlow(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	users := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(users, []byte("user default on nopass ~* &* +@all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	redis := testkit.Redis(t, "--aclfile", users)
	guest := redis.User(t, queue.RightsRules(false)...)
	redis.Admin(t, "ACL", "SAVE")
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DISTRIBUTOR_RATE"] = guest, "100/s"
	api := w.start(t, "api")
	worker := w.start(t, "worker")
	trial := w.trial(t, api)
	if status := worker.terminate(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	w.start(t, "worker")
	trial.buysOn()
	redis.Stop()
	redis.Start()
	trial.report("Redis with the least rights, the worker and Redis restarted")
	if refused := redis.Admin(t, "ACL", "LOG"); len(refused.([]any)) > 0 {
		t.Errorf("refused: %v", refused)
	}
}

// lead leads a whole life in an api and a worker: orders of several fates, a pause on the console, asynq's page. It
// returns what the doctor found, a line each.
func (w *world) lead(t *testing.T) (found []string) {
	t.Helper()
	api := w.start(t, "api")
	worker := w.start(t, "worker")
	if status, answer := ask(t, http.MethodGet, worker.metricsURL+"/readyz", ""); status != http.StatusOK {
		t.Errorf("the worker: %d %s", status, answer)
	}
	c := api.client()
	for i, phone := range []topup.Phone{"5537686660", "5500000051", "5500001091", "5500000429", "5500000501"} {
		o := settled(t, c, place(t, c, order(fmt.Sprintf("LIFE-%d", i), phone)).ID)
		judge(t, o, w.charges()[o.ID])
		w.notified(t, o)
	}
	s := newSurfer(t, api)
	if status, page := s.login("ana", adminKey); status != http.StatusOK {
		t.Fatalf("login: %d %s", status, page)
	}
	says := func(page, text string) {
		if !strings.Contains(page, text) {
			t.Errorf("the console says nothing of %q:\n%s", text, page)
		}
	}
	_, page := s.post("/console/queues/topups/pause", url.Values{"reason": {"a trial"}})
	says(page, "All purchases paused")
	place(t, c, order("PAUSED", "5537686660"))
	if status, answer := s.get("/queues/api/queues"); status != http.StatusOK || !strings.Contains(answer, `"size":1`) {
		t.Errorf("asynq's page: %d %s", status, answer)
	}
	if n := w.charges()["PAUSED"]; n != 0 {
		t.Errorf("bought while purchases were paused")
	}
	_, page = s.post("/console/queues/topups/resume", url.Values{"reason": {"a trial"}})
	says(page, "Queue topups")
	w.notified(t, settled(t, c, "PAUSED"))
	out := w.run(t, "doctor")
	for _, p := range []*process{worker, api} {
		if status := p.terminate(); status != 0 {
			t.Errorf("exit status %d", status)
		}
	}
	return strings.Split(out.stdout, "\n")
}

// pressed presses every button of asynq's page.
func pressed(t *testing.T, redisURL string, w *world) {
	t.Helper()
	w.env["RECARGA_REDIS_URL"] = redisURL
	p := w.start(t, "serve")
	m := &asynqmon{t, strings.Replace(p.apiURL, "://", "://operator:"+adminKey+"@", 1) + "/queues"}
	m.press(http.MethodPost, ":pause", nil)
	c := p.client()
	for i := range 40 {
		place(t, c, order(fmt.Sprintf("TOOL-%02d", i), phoneOf(i)))
	}
	m.looks(40)
	m.pressWaiting()
	m.press(http.MethodPost, ":resume", nil)
	stop := m.pressOnAndOn()
	for i := range 40 {
		place(t, c, order(fmt.Sprintf("FLOW-%02d", i), "5500000000"))
	}
	testkit.Eventually(t, patience, func() bool { return len(w.vendor.Purchases()) >= 40 }, "some are bought")
	stop()
	if status := p.terminate(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// seldom does what an ordinary day has no need of, as the guest of a Redis.
func seldom(t *testing.T, server *testkit.RedisServer, guest string) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	q, err := queue.Open(t.Context(), guest, quiet)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	defer func() { _ = q.Close() }()
	// A handler that is under way when the process must end: its task is given back.
	begun, end := make(chan struct{}, 1), make(chan struct{})
	servers, err := q.Serve(queue.ServeConfig{
		Queue: tasks.QueueTopups, Servers: 1, Concurrency: 1, ShutdownTimeout: time.Millisecond,
	}, map[string]queue.Handler{tasks.TypePurchase: func(_ context.Context, task tasks.Task) (time.Time, error) {
		if task.ID == "SELDOM-ARCHIVED" {
			return time.Time{}, fmt.Errorf("never again: %w", asynq.SkipRetry)
		}
		begun <- struct{}{}
		<-end
		return time.Time{}, errors.New("too late")
	}})
	must(err)
	must(q.EnqueueOrder(t.Context(), order("SELDOM-ARCHIVED", "5537686660"), time.Time{}))
	must(q.EnqueueOrder(t.Context(), order("SELDOM-1", "5537686660"), time.Time{}))
	<-begun
	_, err = q.Watch(t.Context())
	must(err)
	servers.Shutdown()
	close(end)
	must(q.ForceEnqueueOrder(t.Context(), order("SELDOM-1", "5537686660")))
	shared := coordination.Redis{Client: q.Redis()}
	state := shared.SharedState("secret")
	since := time.Now()
	must(state.SetOutage(t.Context(), "MOVISTAR", topup.Outage{Since: since}))
	must(state.Pause(t.Context(), since))
	_, err = state.Restrictions(t.Context())
	must(err)
	for range 2 {
		_, err = state.ClaimProbe(t.Context(), "MOVISTAR", time.Minute)
		must(err)
	}
	_, err = state.Resume(t.Context(), "MOVISTAR", since, 2, 1)
	must(err)
	must(state.GiveBack(t.Context(), "MOVISTAR", since, 1))
	must(state.EndOutage(t.Context(), "MOVISTAR"))
	unlock, err := shared.TokenStore("me", "secret", "https://vendor").Lock(t.Context())
	must(err)
	testkit.Eventually(t, patience, func() bool { return used(t, server)["pexpire"] }, "a long login keeps its lock")
	unlock()
	must(asynq.NewInspectorFromRedisClient(q.Redis()).DeleteQueue(tasks.QueueTopups, true)) // as asynq's page does
}

// allUsed fails where a Redis has run a command that is no right, or where a right was not used.
func allUsed(t *testing.T, redis *testkit.RedisServer) {
	t.Helper()
	rights := map[string]bool{}
	for _, r := range queue.Rights() {
		rights[r.Command] = !r.Cluster
	}
	var left []string
	testkit.Eventually(t, patience, func() bool {
		ran := used(t, redis)
		left = slices.DeleteFunc(slices.Sorted(maps.Keys(rights)), func(name string) bool { return ran[name] || !rights[name] })
		for name := range ran {
			if !rights[name] {
				t.Fatalf("Redis ran %s, which queue.Rights lacks", name)
			}
		}
		return len(left) == 0
	}, "every right is used; left over: %v", &left)
}

// used are the commands that a Redis has run since its counts were reset, those of scripts too, but for those that
// every user may run, the test's own and its replicas'.
func used(t *testing.T, redis *testkit.RedisServer) map[string]bool {
	t.Helper()
	ran := map[string]bool{}
	stats := fmt.Sprint(redis.Admin(t, "INFO", "commandstats"))
	for _, found := range regexp.MustCompile(`cmdstat_([^:]+):calls=(\d+)`).FindAllStringSubmatch(stats, -1) {
		ran[found[1]] = found[2] != "0"
	}
	own := []string{"hello", "auth", "config|resetstat", "replconf", "psync"}
	maps.DeleteFunc(ran, func(name string, ran bool) bool {
		return !ran || slices.Contains(own, name) || strings.HasPrefix(name, "acl|")
	})
	return ran
}
