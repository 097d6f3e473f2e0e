package queue_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

// TestManaged: a hosted Redis that permits no command by which it describes itself. It is opened, served, watched, paused and
// shown, and what is not known is said.
func TestManaged(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t).User(t, "~asynq:*", "~recarga:*", "&asynq:*", "&recarga:*", "+@all", "-@admin", "-@dangerous",
		"-config", "-info", "-client", "-memory", "-script", "-time")
	var said bytes.Buffer
	q, err := queue.Open(t.Context(), url, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	for _, unknown := range []string{"its eviction policy", "its time"} {
		if !strings.Contains(said.String(), unknown) {
			t.Errorf("says nothing of %s: %s", unknown, said.String())
		}
	}
	calls, handler := recorded(done)
	serve(t, q, handler)
	enqueue := func(id string) {
		persist(t, func() error { return q.EnqueueOrder(t.Context(), request(topup.ID(id)), time.Time{}) })
	}
	enqueue("M-1")
	next(t, calls)
	if err := q.Pause(t.Context(), tasks.QueueTopups); err != nil {
		t.Fatal(err)
	}
	enqueue("M-2")
	health, err := q.Watch(t.Context())
	if h := health.Queues[tasks.QueueTopups]; err != nil || !h.Paused || h.Depth["pending"] != 1 || !health.SkewUnknown {
		t.Errorf("watched: %+v, %v", health, err)
	}
	showsQueues(t, q)
	if err := q.Resume(t.Context(), tasks.QueueTopups); err != nil {
		t.Fatal(err)
	}
	next(t, calls)
	if used, most := health.MemoryUsed, health.MemoryMax; used != 0 || most != 0 {
		t.Errorf("memory %d of %d", used, most)
	}
}

// showsQueues asks asynq's page for the queues, as its script does.
func showsQueues(t *testing.T, q *queue.Queue) {
	t.Helper()
	page := q.Page(queue.PageOptions{Root: "/queues", Payload: func([]byte) string { return "" },
		Result: func([]byte) string { return "" }})
	defer func() { _ = page.Close() }()
	answer := httptest.NewRecorder()
	page.ServeHTTP(answer, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/queues/api/queues", nil))
	if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), `"queue":"topups","memory_usage_bytes":0,"size":1`) {
		t.Errorf("the page of the queues: %d %s", answer.Code, answer.Body)
	}
}

// TestProtectedMode: a Redis without a password that takes connections of its own machine alone says so before it is
// asked, and hangs up.
func TestProtectedMode(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	server.Admin(t, "CONFIG", "SET", "bind", "* -::*")
	_, port, _ := net.SplitHostPort(server.Addr())
	addr := net.JoinHostPort(elsewhere(t), port)
	_, err := queue.Open(t.Context(), "redis://"+addr+"/0", quiet)
	if err == nil || !strings.Contains(err.Error(), "redis at "+addr+" is in protected mode") || queue.Unavailable(err) {
		t.Errorf("open: %v", err)
	}
	server.Admin(t, "CONFIG", "SET", "requirepass", "secret")
	open(t, "redis://:secret@"+addr+"/0")
}

// elsewhere is an address of this machine that is not its loopback's.
func elsewhere(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if network, ok := addr.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.To4() != nil {
			return network.IP.String()
		}
	}
	t.Skip("this machine has no address but its loopback's")
	return ""
}

// TestTakes: what a worker needs of Redis is tried, and what fails is named.
func TestTakes(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	for rules, want := range map[string]string{
		"~asynq:* ~recarga:* &recarga:* &asynq:* +@all":                "",
		"~asynq:* ~recarga:* &recarga:* &asynq:* +@all -eval -evalsha": "a script that writes asynq:asked: NOPERM",
		"~asynq:{*} ~recarga:* &recarga:* &asynq:* +@all":              "a script that writes asynq:asked: NOPERM",
		"~asynq:* &recarga:* &asynq:* +@all":                           "a script that writes recarga:asked: NOPERM",
		"~asynq:asked ~asynq:{topups}:* ~recarga:* &recarga:* +@all":   "a script that writes asynq:{webhooks}:asked: NOPERM",
		"~asynq:* ~recarga:* &asynq:* +@all":                           "a message in recarga:asked: NOPERM",
	} {
		url := server.User(t, strings.Fields(rules)...)
		q, err := queue.OpenUnchecked(t.Context(), url, quiet)
		if err != nil {
			t.Fatal(err)
		}
		err = q.Takes(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", rules, err, want)
		}
		_ = q.Close()
	}
	q := open(t, queue.Embedded)
	if err := q.Takes(t.Context()); err != nil {
		t.Error(err)
	}
}
