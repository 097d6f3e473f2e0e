package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"recarga/internal/api"
	"recarga/internal/api/keys"
	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

// outside finds what a page would load from another host.
var outside = regexp.MustCompile(
	`(?i)(?:src|href|action)\s*=\s*["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//|@import`)

func TestPagesAskNoOtherHost(t *testing.T) {
	s := serveQueues(t, true)
	for _, path := range []string{"/", "/docs", "/docs/", "/queues", "/queues/", "/queues/queues/topups",
		"/queues/queues/topups/tasks/a.b"} {
		t.Run(path, func(t *testing.T) {
			got := s.get(adminKey, path).want(http.StatusOK)
			if found := outside.Find(got.body); found != nil {
				t.Errorf("%s in %s", found, got.body)
			}
			if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
				t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
			}
			checkPolicy(t, got.header.Get("Content-Security-Policy"))
		})
	}
}

// checkPolicy allows no host but our own, and no script that is not in the page as it was served.
func checkPolicy(t *testing.T, policy string) {
	t.Helper()
	if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "://") ||
		strings.Contains(policy, "*") {
		t.Errorf("policy %q", policy)
	}
	for directive := range strings.SplitSeq(policy, ";") {
		name, sources, _ := strings.Cut(strings.TrimSpace(directive), " ")
		if name == "script-src" && strings.Contains(sources, "unsafe") {
			t.Errorf("scripts: %q", sources)
		}
	}
}

// TestPagesWorkInABrowser: the policy does not break the pages.
func TestPagesWorkInABrowser(t *testing.T) {
	s := serveQueues(t, true)
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword("admin", adminKey)
	tests := []struct{ path, shows string }{
		{"/docs", "Place an order"},
		{"/queues/queues/topups?status=pending", "ORD-1"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), testkit.Chromium(t), "--headless", "--no-sandbox", "--disable-gpu",
				"--disable-quic",
				"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
				"--user-data-dir="+t.TempDir(), "--virtual-time-budget=5000", "--dump-dom", at.String()+tt.path).Output()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(out), tt.shows) {
				t.Errorf("%s does not show %q: %s", tt.path, tt.shows, out)
			}
		})
	}
}

func TestDocsNeedNoKey(t *testing.T) {
	s := serve(t)
	for _, path := range []string{"/docs", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/openapi.json"} {
		s.send("GET", path, "").want(http.StatusOK)
	}
	s.send("GET", "/queues", "").want(http.StatusNotFound) // there is no queue to show
}

// queuesOf makes the page of the queues in a Redis, which need not be there before the page is asked for.
func queuesOf(t *testing.T, addr string) func(queue.PageOptions) queue.Page {
	t.Helper()
	q, err := queue.OpenUnchecked(t.Context(), "redis://"+addr, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q.Page
}

// serveQueues has one order's task in its queue, and one that failed.
func serveQueues(t *testing.T, readOnly bool) *server {
	t.Helper()
	redis := asynq.RedisClientOpt{Addr: testkit.Redis(t).Addr()}
	queue := asynq.NewClient(redis)
	defer func() { _ = queue.Close() }()
	r, err := topup.ParseRequest([]byte(order("ORD-1", `"metadata":{"note":"call 5537686660"}`,
		`"callback_url":"https://shop.example/?token=secret"`)))
	if err != nil {
		t.Fatal(err)
	}
	task, err := tasks.NewPurchase(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := queue.Enqueue(task); err != nil {
		t.Fatal(err)
	}
	if _, err := queue.Enqueue(asynq.NewTask(tasks.TypePurchase, []byte("call 5537686660"),
		asynq.Queue(tasks.QueueTopups), asynq.TaskID("ODD"))); err != nil {
		t.Fatal(err)
	}
	return serve(t, func(c *api.Config) { c.Queues, c.QueuesReadOnly = queuesOf(t, redis.Addr), readOnly })
}

func TestQueuesMaskTheirTasks(t *testing.T) {
	s := serveQueues(t, true)
	for _, path := range []string{"/queues/api/queues/topups/pending_tasks", "/queues/api/queues/topups/tasks/ORD-1",
		"/queues/api/queues/topups/tasks/ODD"} {
		body := string(s.get(adminKey, path).want(http.StatusOK).body)
		for _, secret := range []string{"553768", "secret", "call "} {
			if strings.Contains(body, secret) {
				t.Errorf("%s shows %s: %s", path, secret, body)
			}
		}
	}
	var task struct{ ID, Payload string }
	decode(t, s.get(adminKey, "/queues/api/queues/topups/tasks/ORD-1").body, &task)
	want := `{"amount":10,"callback_url":"***","caller":"default","distributor_transaction_id":"ORD-1","metadata":{"note":"***"},"phone_number":"******6660","product_id":"MOVISTAR_TAE"}`
	if task.ID != "ORD-1" || task.Payload != want {
		t.Errorf("%+v", task)
	}
}

// TestQueuesMaskErrorTexts lets a task fail with a phone number in its error.
func TestQueuesMaskErrorTexts(t *testing.T) {
	addr := testkit.Redis(t).Addr()
	redis := asynq.RedisClientOpt{Addr: addr}
	worker := asynq.NewServer(redis, asynq.Config{Queues: map[string]int{"topups": 1}, LogLevel: asynq.FatalLevel})
	failing := func(texts ...string) asynq.HandlerFunc {
		return func(context.Context, *asynq.Task) error {
			return fmt.Errorf("%s: %w", strings.Join(texts, " "), asynq.SkipRetry)
		}
	}
	if err := worker.Start(failing("no line 5537686660 or +52 55 3768 6660 at 192.168.100.200:80")); err != nil {
		t.Fatal(err)
	}
	defer worker.Shutdown()
	queue := asynq.NewClient(redis)
	defer func() { _ = queue.Close() }()
	if _, err := queue.Enqueue(asynq.NewTask("x", nil, asynq.Queue("topups"), asynq.TaskID("A"))); err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(c *api.Config) { c.Queues = queuesOf(t, addr) })
	var task struct {
		State string
		Error string `json:"error_message"`
	}
	testkit.Eventually(t, 30*time.Second, func() bool {
		decode(t, s.get(adminKey, "/queues/api/queues/topups/tasks/A").body, &task)
		return task.State == "archived"
	}, "the task does not fail")
	if strings.Contains(task.Error, "3768") || !strings.Contains(task.Error, "6660") ||
		!strings.Contains(task.Error, "192.168.100.200") {
		t.Errorf("error text %q", task.Error)
	}
}

func TestQueuesAreTheOperators(t *testing.T) {
	s := serveQueues(t, true)
	tests := []struct {
		name   string
		header []string
		status int
	}{
		{"no key", nil, 401},
		{"a shop's key", []string{"Authorization", "Bearer " + shopKey}, 401},
		{"unknown key", []string{"Authorization", "Bearer x"}, 401},
		{"admin key", []string{"Authorization", "Bearer " + adminKey}, 200},
		{"admin key as password", []string{"Authorization", basic("anybody", adminKey)}, 200},
		{"a shop's key as password", []string{"Authorization", basic("anybody", shopKey)}, 401},
		{"no password", []string{"Authorization", basic(adminKey, "")}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/queues", "/queues/api/queues", "/queues/static/js/none.js"} {
				got := s.send("GET", path, "", tt.header...).want(tt.status)
				if tt.status == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
					t.Errorf("a browser is not asked for a key: %q", got.header.Get("WWW-Authenticate"))
				}
			}
		})
	}
}

func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func TestQueuesWithoutAdminKey(t *testing.T) {
	s := serve(t, func(c *api.Config) {
		c.NoAdminKey = true
		c.Queues, c.Callers = queuesOf(t, testkit.Redis(t).Addr()), keys.Static(shopKey, "", "")
	})
	if p := s.get(shopKey, "/queues").want(http.StatusForbidden).problem(); !strings.Contains(p.Detail,
		"RECARGA_ADMIN_KEY") {
		t.Errorf("detail %q", p.Detail)
	}
}

func TestQueuesButtons(t *testing.T) {
	const pause = "/queues/api/queues/topups:pause"
	admin := []string{"Authorization", "Bearer " + adminKey}
	t.Run("read-only", func(t *testing.T) {
		serveQueuesTo(t, true, pause, http.StatusMethodNotAllowed, admin...)
	})
	t.Run("pressed by hand", func(t *testing.T) {
		serveQueuesTo(t, false, pause, http.StatusNoContent, append(admin, "Sec-Fetch-Site", "same-origin")...)
	})
	t.Run("pressed by another site", func(t *testing.T) {
		serveQueuesTo(t, false, pause, http.StatusForbidden, append(admin, "Sec-Fetch-Site", "cross-site")...)
	})
	t.Run("pressed by another origin", func(t *testing.T) {
		serveQueuesTo(t, false, pause, http.StatusForbidden, append(admin, "Origin", "https://evil.example")...)
	})
}

func serveQueuesTo(t *testing.T, readOnly bool, path string, status int, header ...string) {
	t.Helper()
	s := serveQueues(t, readOnly)
	if got := s.send("POST", path, "", header...); got.status != status {
		t.Errorf("POST %s is %d, want %d: %s", path, got.status, status, got.body)
	}
}

// TestHome needs no key, says what this is, and names only what there is.
func TestHome(t *testing.T) {
	for _, queues := range []bool{true, false} {
		s := serve(t)
		if queues {
			s = serveQueues(t, true)
		}
		page := string(s.send("GET", "/", "").want(http.StatusOK).body)
		if strings.Contains(page, `href="/queues"`) != queues || !strings.Contains(page, "Recarga") {
			t.Errorf("with queues %v: %s", queues, page)
		}
		for _, link := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			s.get(adminKey, link[1]).want(http.StatusOK)
		}
		s.send("GET", "/nothing", "").want(http.StatusNotFound)
	}
}
