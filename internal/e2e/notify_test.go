package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"recarga/internal/testkit"
)

// serviceManager stands in for systemd: the socket of its unit.
type serviceManager struct {
	t      *testing.T
	socket *net.UnixConn
	heard  []string // lines
}

// newServiceManager listens at an address, of which the programs of the world are notified.
func newServiceManager(t *testing.T, w *world, address string, watchdog time.Duration) *serviceManager {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	w.env["NOTIFY_SOCKET"], w.env["WATCHDOG_USEC"] = address, fmt.Sprint(watchdog.Microseconds())
	return &serviceManager{t: t, socket: socket}
}

// hear waits for a message with this beginning of a line, and returns all lines until then.
func (m *serviceManager) hear(want string) (lines []string) {
	m.t.Helper()
	if err := m.socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
		m.t.Fatal(err)
	}
	for message := make([]byte, 4<<10); ; {
		n, err := m.socket.Read(message)
		if err != nil {
			m.t.Fatalf("no %s: %v; heard %q", want, err, m.heard)
		}
		new := strings.Split(string(message[:n]), "\n")
		m.heard, lines = append(m.heard, new...), append(lines, new...)
		if slices.ContainsFunc(new, func(line string) bool { return strings.HasPrefix(line, want) }) {
			return lines
		}
	}
}

// TestServiceManager is what systemd hears of a service of Type=notify with a watchdog: that it needs more time while
// its Redis is not there, READY once it is ready, that it lives, and how long its stop may take.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	redis := testkit.Redis(t)
	folder, err := os.MkdirTemp("", "recarga-notify-") // the address of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_SHUTDOWN_DELAY"] = redis.URL(), "1s"
	m := newServiceManager(t, w, filepath.Join(folder, "notify"), 2*time.Second)
	redis.Stop()
	p := w.launch(t, "serve")
	lines := m.hear("STATUS=not ready: starting; redis: redis at ")
	if !slices.Contains(lines, "EXTEND_TIMEOUT_USEC=30000000") {
		t.Errorf("waiting, it says %q", lines)
	}
	p.await(p.listening)
	status, body := p.page(t, "/readyz")
	if status != http.StatusServiceUnavailable || slices.Contains(m.heard, "READY=1") {
		t.Errorf("without Redis, /readyz is %d %s; heard %q", status, body, m.heard)
	}
	redis.Start()
	m.hear("READY=1")
	if status, body := p.page(t, "/readyz"); status != http.StatusOK {
		t.Errorf("said to be ready, /readyz is %d %s", status, body)
	}
	for range 2 {
		if lines := m.hear("WATCHDOG=1"); slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "EXTEND_TIMEOUT_USEC=") || line == "READY=1"
		}) {
			t.Errorf("ready, it says %q", lines)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// Delay 1 s, requests 10 s, purchases 20 s, a webhook 15 s, and 5 s.
	if lines := m.hear("EXTEND_TIMEOUT_USEC="); !slices.Contains(lines, "STOPPING=1") ||
		!slices.Contains(lines, "EXTEND_TIMEOUT_USEC=51000000") {
		t.Errorf("stopping, it says %q", lines)
	}
	m.hear("WATCHDOG=1")
	p.ended()
}

// TestServiceManagerAbstract: the socket may have an abstract address, and the service no watchdog. That it is not
// there any more is no reason to end.
func TestServiceManagerAbstract(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	m := newServiceManager(t, w, fmt.Sprintf("@recarga-%d-notify", os.Getpid()), 0)
	delete(w.env, "WATCHDOG_USEC")
	p := w.launch(t, "api")
	if lines := m.hear("READY=1"); slices.Contains(lines, "WATCHDOG=1") {
		t.Errorf("nobody watches, it says %q", lines)
	}
	p.await(p.ready)
	_ = m.socket.Close()
	if status := p.terminate(); status != 0 || !strings.Contains(p.log(), "the service manager cannot be notified") {
		t.Errorf("exit status %d:\n%s", status, p.log())
	}
}
