package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/topup"
)

// asynqmonVersion is the one that `go install …@latest` gives; it brings an older asynq than ours.
const asynqmonVersion = "v0.7.2"

// asynqmon is asynq's stand-alone web page, in a process of its own.
type asynqmon struct {
	t   *testing.T
	url string
}

// startAsynqmon builds it as its users do, and runs it on a Redis.
func startAsynqmon(t *testing.T, redisURL string) *asynqmon {
	t.Helper()
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "install",
		"github.com/hibiken/asynqmon/cmd/asynqmon@"+asynqmonVersion)
	build.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("install asynqmon: %v\n%s", err, out)
	}
	port := strconv.Itoa(testkit.FreePort(t))
	cmd := exec.Command(filepath.Join(folder, "asynqmon"), "--port", port, "--redis-url", redisURL)
	begin(t, cmd, func([]byte) {})
	m := &asynqmon{t, "http://127.0.0.1:" + port}
	testkit.Eventually(t, patience, func() bool {
		status, _ := m.call(http.MethodGet, "/api/queues", nil)
		return status == http.StatusOK
	}, "asynqmon answers")
	return m
}

// call asks asynqmon's own API, as its page does. The status is 0 where nobody answers.
func (m *asynqmon) call(method, path string, body any) (status int, answer string) {
	encoded, err := json.Marshal(body)
	if err != nil {
		m.t.Error(err)
	}
	status, answer, err = try(m.t.Context(), http.DefaultClient, method, m.url+path, string(encoded))
	if err != nil {
		return 0, ""
	}
	return status, answer
}

// press presses a button of a queue, which must do something.
func (m *asynqmon) press(method, button string, body any) {
	m.t.Helper()
	if status, answer := m.call(method, "/api/queues/topups"+button, body); status < 200 || status > 299 {
		m.t.Errorf("%s %s: HTTP %d: %s", method, button, status, answer)
	}
}

// tasks are the ids of a queue's tasks in a state, at most a page.
func (m *asynqmon) tasks(state string) (ids []string) {
	m.t.Helper()
	status, answer := m.call(http.MethodGet, "/api/queues/topups/"+state+"_tasks?size=100", nil)
	var page struct {
		Tasks []struct {
			ID string `json:"id"`
		} `json:"tasks"`
	}
	if err := json.Unmarshal([]byte(answer), &page); status != http.StatusOK || err != nil {
		m.t.Errorf("%s tasks: HTTP %d: %v: %s", state, status, err, answer)
	}
	for _, task := range page.Tasks {
		ids = append(ids, task.ID)
	}
	return ids
}

// TestAsynqmonBeside runs the stand-alone asynqmon on the Redis of a running recarga. It shows what is
// there; and every button that can be pressed is pressed on orders, waiting or under way: none is charged
// twice, none is lost, and each checkout is notified.
func TestAsynqmonBeside(t *testing.T) {
	testkit.Deep(t) // to link asynqmon takes a twentieth of the time of all tests
	t.Parallel()
	w := newWorld(t, func(c *sandbox.Config) { c.LatencyMinMS, c.LatencyMaxMS, c.ApproveDelayMS = 5, 50, 2000 })
	redis := testkit.Redis(t)
	w.env["RECARGA_REDIS_URL"] = redis.URL()
	c := w.start(t, "serve").client()
	m := startAsynqmon(t, redis.URL())

	m.press(http.MethodPost, ":pause", nil)
	fates := []topup.Phone{"5537686660", "5500001091", "5500000051", "5500000000", "5500000501"}
	const orders = 40
	var ids []topup.ID
	for i := range orders {
		ids = append(ids, place(t, c, order(fmt.Sprintf("TOOL-%02d", i), fates[i%len(fates)])).ID)
	}
	if n := len(m.tasks("pending")); n != orders {
		t.Errorf("asynqmon shows %d waiting tasks, want %d", n, orders)
	}
	m.looks(orders)
	m.pressWaiting()
	if n := len(w.vendor.Purchases()); n != 0 {
		t.Errorf("%d were bought while the queue was paused", n)
	}
	m.press(http.MethodPost, ":resume", nil)
	stop := m.pressOnAndOn()
	for i := range orders {
		ids = append(ids, place(t, c, order(fmt.Sprintf("FLOW-%02d", i), fates[i%len(fates)])).ID)
	}
	testkit.Eventually(t, patience, func() bool { return len(w.vendor.Purchases()) >= orders/4 }, "some are bought")
	stop()
	for _, id := range ids {
		o := settled(t, c, id)
		w.notified(t, o)
		judge(t, o, w.charges()[id])
	}
}

// looks looks at everything that asynqmon shows.
func (m *asynqmon) looks(waiting int) {
	m.t.Helper()
	for path, want := range map[string]string{
		"/":                                `id="root"`,
		"/api/queues":                      `"queue":"topups"`,
		"/api/queues/topups":               `"paused":true`,
		"/api/queue_stats":                 `"topups":[`,
		"/api/queues/topups/tasks/TOOL-00": `"type":"topup:purchase"`,
		"/api/servers":                     `"queue_priorities":{"topups":`,
		"/api/redis_info":                  `"redis_version"`,
		"/api/scheduler_entries":           `"entries":[]`,
	} {
		if status, answer := m.call(http.MethodGet, path, nil); status != http.StatusOK ||
			!strings.Contains(answer, want) {
			m.t.Errorf("%s: HTTP %d, want one with %s: %.300s", path, status, want, answer)
		}
	}
	var queue struct {
		Current struct{ Pending int }
	}
	_, answer := m.call(http.MethodGet, "/api/queues/topups", nil)
	if err := json.Unmarshal([]byte(answer), &queue); err != nil || queue.Current.Pending != waiting {
		m.t.Errorf("%d tasks wait, want %d: %v", queue.Current.Pending, waiting, err)
	}
}

// pressWaiting presses each button for tasks that wait, on tasks of its own.
func (m *asynqmon) pressWaiting() {
	m.t.Helper()
	some := func(ids ...string) map[string][]string { return map[string][]string{"task_ids": ids} }
	m.press(http.MethodPost, "/pending_tasks/TOOL-00:archive", nil)
	m.press(http.MethodDelete, "/pending_tasks/TOOL-01", nil)
	m.press(http.MethodPost, "/pending_tasks:batch_archive", some("TOOL-02", "TOOL-03", "TOOL-04", "TOOL-05"))
	m.press(http.MethodPost, "/pending_tasks:batch_delete", some("TOOL-06", "TOOL-07", "TOOL-08"))
	m.press(http.MethodPost, "/archived_tasks/TOOL-00:run", nil)
	m.press(http.MethodDelete, "/archived_tasks/TOOL-02", nil)
	m.press(http.MethodPost, "/archived_tasks:batch_run", some("TOOL-03"))
	m.press(http.MethodPost, "/archived_tasks:batch_delete", some("TOOL-04"))
	m.press(http.MethodPost, "/pending_tasks:archive_all", nil)
	m.press(http.MethodPost, "/archived_tasks/TOOL-09:run", nil)
	m.press(http.MethodPost, "/archived_tasks/TOOL-10:run", nil)
	m.press(http.MethodDelete, "/pending_tasks:delete_all", nil)
	m.press(http.MethodPost, "/archived_tasks:run_all", nil)
	m.press(http.MethodPost, "/pending_tasks/TOOL-20:archive", nil)
	m.press(http.MethodDelete, "/archived_tasks:delete_all", nil)
	m.press(http.MethodPost, "/pending_tasks/TOOL-21:archive", nil) // stays
}

// pressOnAndOn presses, while orders flow, what it can of the tasks that it finds, until it is stopped. A
// task that has moved on meanwhile is nobody's fault.
func (m *asynqmon) pressOnAndOn() (stop func()) {
	ctx, cancel := context.WithCancel(m.t.Context())
	ended := make(chan map[string]int)
	go func() {
		pressed := map[string]int{}
		for ctx.Err() == nil {
			m.pressRound(pressed)
		}
		ended <- pressed
	}()
	return func() {
		cancel()
		pressed := <-ended
		_, _ = m.call(http.MethodPost, "/api/queues/topups:resume", nil) // refused where it is not paused
		m.t.Logf("pressed while orders flowed: %v", pressed)
		for _, button := range []string{"cancel", "cancel_all", "pause", "resume"} {
			if pressed[button] == 0 {
				m.t.Errorf("%q was never pressed on anything", button)
			}
		}
	}
}

func (m *asynqmon) pressRound(pressed map[string]int) {
	click := func(what, method, button string) {
		if status, _ := m.call(method, "/api/queues/topups"+button, nil); status >= 200 && status <= 299 {
			pressed[what]++
		}
	}
	for _, id := range m.tasks("active") {
		click("cancel", http.MethodPost, "/active_tasks/"+id+":cancel")
	}
	click("cancel_all", http.MethodPost, "/active_tasks:cancel_all")
	for state, buttons := range map[string][]string{"pending": {"archive"}, "scheduled": {"run", "archive"},
		"retry": {"run", "archive"}, "archived": {"run"}} {
		for i, id := range m.tasks(state) {
			if i%5 == 4 {
				click(state+" delete", http.MethodDelete, "/"+state+"_tasks/"+id)
				continue
			}
			button := buttons[i%len(buttons)]
			click(state+" "+button, http.MethodPost, "/"+state+"_tasks/"+id+":"+button)
		}
	}
	click("pause", http.MethodPost, ":pause")
	click("resume", http.MethodPost, ":resume")
	click("archived run_all", http.MethodPost, "/archived_tasks:run_all")
	click("retry run_all", http.MethodPost, "/retry_tasks:run_all")
}
