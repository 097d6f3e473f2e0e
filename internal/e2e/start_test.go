package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"recarga/internal/testkit"
	"recarga/topup"
)

// probe is what a probe answers to ?verbose.
type probe struct {
	OK           bool
	Phase        string
	Dependencies []struct {
		Name, Error  string
		Required, OK bool
	}
}

func (p *process) probe(t testing.TB, path string) (status int, answer probe) {
	t.Helper()
	status, body := p.page(t, path+"?verbose")
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%s: %v: %s", path, err, body)
	}
	return status, answer
}

// TestStartInAnyOrder: processes that are started before their database and Redis live, say what they wait
// for, and go on by themselves when it is there.
func TestStartInAnyOrder(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	redis, database := testkit.Redis(t), testkit.PostgresOwn(t)
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DATABASE_URL"] = redis.URL(), database.URL()
	redis.Stop()
	database.Stop()
	worker, api := w.launch(t, "worker"), w.launch(t, "api")
	for _, p := range []*process{worker, api} {
		p.await(p.listening)
		testkit.Eventually(t, patience, func() bool {
			_, ready := p.probe(t, "/readyz")
			return len(ready.Dependencies) == 2 && strings.Contains(ready.Dependencies[0].Error, "refused") &&
				strings.Contains(ready.Dependencies[1].Error, "refused")
		}, "it says what it waits for")
		if status, live := p.probe(t, "/healthz"); status != http.StatusOK || !live.OK || live.Phase != "starting" {
			t.Errorf("waiting, /healthz is %d %+v", status, live)
		}
		if status, ready := p.probe(t, "/readyz"); status != http.StatusServiceUnavailable || ready.OK {
			t.Errorf("waiting, /readyz is %d %+v", status, ready)
		}
		if up, ok := p.metric(t, `recarga_dependency_up{dependency="database"}`); !ok || up != 0 {
			t.Errorf("waiting, the database counts as %v (notified: %t)", up, ok)
		}
	}
	redis.Start()
	testkit.Eventually(t, patience, func() bool {
		_, ready := worker.probe(t, "/readyz")
		return ready.Dependencies[1].OK && !ready.Dependencies[0].OK && !ready.OK
	}, "it waits for the database only")
	database.Start()
	for _, p := range []*process{worker, api} {
		p.await(p.ready)
		for _, dependency := range []string{"database", "redis"} {
			p.says(t, `"dependency":"`+dependency)
			if n := strings.Count(p.log(), `"msg":"waiting for a dependency to start","dependency":"`+dependency); n != 1 {
				t.Errorf("said %d times that it waits for %s:\n%s", n, dependency, p.log())
			}
		}
		if status, ready := p.probe(t, "/readyz"); status != http.StatusOK || !ready.OK {
			t.Errorf("/readyz is %d %+v", status, ready)
		}
	}
	place(t, api.client(), order("START-1", "5537686660"))
	w.notified(t, settled(t, api.client(), "START-1"))
}

// TestAPIWithoutRedis: the book of record alone accepts orders, also before Redis has ever answered; they are bought
// when there is one. A Redis that takes no writes counts as away.
func TestAPIWithoutRedis(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	redis := testkit.Redis(t)
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"] = redis.URL()
	redis.Stop()
	api := w.start(t, "api")
	place(t, api.client(), order("NOREDIS-1", "5537686660"))
	if status, ready := api.probe(t, "/readyz"); status != http.StatusOK || ready.Dependencies[1].OK ||
		ready.Dependencies[1].Required {
		t.Errorf("without Redis, /readyz is %d %+v", status, ready)
	}
	redis.Start()
	worker := w.start(t, "worker")
	w.notified(t, settled(t, api.client(), "NOREDIS-1"))
	testkit.Eventually(t, patience, func() bool {
		_, ready := api.probe(t, "/readyz")
		return ready.Dependencies[1].OK
	}, "it sees that Redis is there")
	client := goredis.NewClient(&goredis.Options{Addr: redis.Addr()})
	defer func() { _ = client.Close() }()
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if status, body := worker.page(t, "/readyz"); status != http.StatusServiceUnavailable ||
		!strings.Contains(body, "OOM") {
		t.Errorf("with a full Redis, /readyz of the worker is %d %s", status, body)
	}
	if up, ok := worker.metric(t, `recarga_dependency_up{dependency="redis"}`); !ok || up != 0 {
		t.Errorf("full, Redis counts as %v (notified: %t)", up, ok)
	}
}

// TestWorkerWithoutRedis: a worker that waits for Redis ends the orders whose time is over, which need none.
func TestWorkerWithoutRedis(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	redis := testkit.Redis(t)
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"] = redis.URL()
	redis.Stop()
	api, worker := w.start(t, "api"), w.launch(t, "worker")
	soon := order("NOREDIS-1", "5537686660")
	over := time.Now().Add(time.Second)
	soon.ExpiresAt = &over
	place(t, api.client(), order("NOREDIS-2", "5537686660"))
	place(t, api.client(), soon)
	d := settled(t, api.client(), soon.ID)
	if d.State != topup.StateFailed || d.Reason != topup.ReasonExpired {
		t.Errorf("%s is %s/%s", d.ID, d.State, d.Reason)
	}
	w.notified(t, d)
	redis.Start()
	worker.await(worker.ready)
	d = settled(t, api.client(), "NOREDIS-2")
	judge(t, d, w.charges()[d.ID])
	w.notified(t, d)
}

// TestStartEndsAtOnce: what no waiting fixes ends the start, with the setting's name and status 2.
func TestStartEndsAtOnce(t *testing.T) {
	t.Parallel()
	locked, evicting := testkit.Redis(t, "--requirepass", "geheim"), testkit.Redis(t, "--maxmemory-policy", "allkeys-lru")
	database := testkit.Postgres(t).URL()
	nowhere := database[:strings.LastIndex(database, "/")] + "/nowhere"
	for name, tc := range map[string]struct{ setting, value, want string }{
		"redis password": {"RECARGA_REDIS_URL", strings.Replace(locked.URL(), "redis://", "redis://:wrong@", 1),
			"RECARGA_REDIS_URL: redis at "},
		"no password": {"RECARGA_REDIS_URL", locked.URL(), "NOAUTH"},
		"eviction":    {"RECARGA_REDIS_URL", evicting.URL(), "noeviction"},
		"no database": {"RECARGA_DATABASE_URL", nowhere, `"nowhere" does not exist`},
		"no folder":   {"RECARGA_DATABASE_URL", "sqlite:/nowhere/at/all.db", "RECARGA_DATABASE_URL: sqlite: folder"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.env[tc.setting] = tc.value
			out := w.run(t, "serve")
			if out.status != 2 || !strings.Contains(out.stderr, tc.want) || strings.Contains(out.stderr, "waiting for") {
				t.Errorf("status %d, want 2 and %q:\n%s", out.status, tc.want, out.stderr)
			}
		})
	}
}

// TestOneEmbeddedQueue: a second process with an embedded queue on the same file is refused, since neither would obey
// the other's pause; one after the other, and several on one Redis, are fine.
func TestOneEmbeddedQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.start(t, "serve")
	for _, command := range []string{"serve", "api", "worker"} {
		out := w.run(t, command)
		if out.status != 2 || !strings.Contains(out.stderr, "another process with an embedded queue runs on the database") {
			t.Errorf("a second %s: status %d, want 2:\n%s", command, out.status, out.stderr)
		}
	}
	first.kill()
	w.start(t, "serve").terminate()
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	api := w.start(t, "api")
	w.start(t, "worker")
	w.notified(t, settled(t, api.client(), place(t, api.client(), order("TWO-1", "5537686660")).ID))
}

// TestStopWhileWaiting: a process that waits for its database is asked to stop, and stops.
func TestStopWhileWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"] = "redis://127.0.0.1:1/0"
	p := w.launch(t, "serve")
	p.await(p.listening)
	p.says(t, "waiting for a dependency")
	if status := p.terminate(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, p.log())
	}
}

// TestNotReadyWhileStopping: a process that waits for a purchase under way lives and is not ready.
func TestNotReadyWhileStopping(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_DISTRIBUTOR_TIMEOUT"], w.env["RECARGA_SHUTDOWN_TIMEOUT"] = "20s", "40s"
	p := w.start(t, "serve")
	place(t, p.client(), order("STOP-1", "5500000000")) // approved after 5 s
	testkit.Eventually(t, patience, func() bool {
		return len(w.vendor.Purchases()) == 1 || get(t, p.client(), "STOP-1").State == "submitting"
	}, "the purchase is under way")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.says(t, "shutting down")
	if status, body := p.page(t, "/readyz"); status != http.StatusServiceUnavailable ||
		!strings.Contains(body, "shutting down") {
		t.Errorf("/readyz is %d %s", status, body)
	}
	if status, body := p.page(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz is %d %s", status, body)
	}
}
