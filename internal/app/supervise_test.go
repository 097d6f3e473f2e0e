package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/testkit"
)

// supervised is a supervisor without an API, whose service manager is the test: heard returns the next message.
func supervised(t *testing.T) (s *supervisor, heard func() string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "notify-") // the address of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	address := &net.UnixAddr{Name: filepath.Join(folder, "socket"), Net: "unixgram"}
	socket, err := net.ListenUnixgram(address.Net, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", address.Name)
	s = &supervisor{
		health: NewHealth([]string{"worker"}), log: slog.New(slog.DiscardHandler), watchdog: time.Minute,
		stopsWithin: 3 * time.Minute, api: func() string { return "" },
	}
	return s, func() string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(testkit.Patience)); err != nil {
			t.Fatal(err)
		}
		message := make([]byte, 1<<12)
		n, err := socket.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		return string(message[:n])
	}
}

// TestSupervisor: what the service manager is notified of in each phase. Not a word that the process lives while a loop
// stands still, and not that it is ready before it is.
func TestSupervisor(t *testing.T) {
	s, heard := supervised(t)
	h := s.health
	database := func(ask func(context.Context) error) func() {
		return func() { h.set("database", dependency{required: true, ask: ask}) }
	}
	sweptBefore := func(d time.Duration) func() {
		return func() { h.beats["sweep"] = time.Now().Add(-d) }
	}
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"starting", func() { h.set("database", dependency{required: true, err: errors.New("not\nopened")}) },
			"EXTEND_TIMEOUT_USEC=30000000\nWATCHDOG=1\nSTATUS=not ready: starting; database: not opened"},
		{"still starting", func() {}, "EXTEND_TIMEOUT_USEC=30000000\nWATCHDOG=1"},
		{"running, not ready", func() { database(down)(); h.Enter(PhaseRunning) },
			"EXTEND_TIMEOUT_USEC=30000000\nWATCHDOG=1\nSTATUS=not ready: database: connection refused"},
		{"ready", database(up), "READY=1\nWATCHDOG=1\nSTATUS=ready"},
		{"still ready", func() {}, "WATCHDOG=1"},
		{"a loop stands still", sweptBefore(6 * time.Minute), "STATUS=stuck: sweep, for 6m0s"},
		{"and for want of the database", database(down), "WATCHDOG=1\nSTATUS=not ready: database: connection refused"},
		{"and not any more", database(up), "STATUS=stuck: sweep, for 6m0s"},
		{"it moves", sweptBefore(0), "WATCHDOG=1\nSTATUS=ready"},
		{"shutting down", func() { sweptBefore(6 * time.Minute)(); h.Enter(PhaseStopping) },
			"STOPPING=1\nEXTEND_TIMEOUT_USEC=180000000\nWATCHDOG=1\nSTATUS=shutting down"},
		{"still shutting down", database(down), "WATCHDOG=1"},
	} {
		step.do()
		s.turn(t.Context())
		if diff := cmp.Diff(step.want, heard()); diff != "" {
			t.Errorf("%s: %s", step.what, diff)
		}
	}
}

// TestSupervisorAsksTheAPI: an API that takes no more requests is not alive, once it has shown that it can be asked.
func TestSupervisorAsksTheAPI(t *testing.T) {
	const alive = "READY=1\nWATCHDOG=1\nSTATUS=ready"
	answering, frozen := bound(t), bound(t)
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: testkit.Patience}
	go func() { _ = server.Serve(answering) }()
	t.Cleanup(func() { _ = server.Close() })
	for name, c := range map[string]struct {
		addr     string
		watchdog time.Duration
		answered bool
		want     string
		proven   bool // afterwards
	}{
		"answers": {answering.Addr().String(), 4 * testkit.Patience, false, alive, true},
		"nobody accepts": {frozen.Addr().String(), 40 * time.Millisecond, true,
			"READY=1\nSTATUS=stuck: the API has not answered for 10ms", true},
		"perhaps a firewall":  {frozen.Addr().String(), 40 * time.Millisecond, false, alive, false},
		"cut off":             {"127.0.0.1:1", 4 * testkit.Patience, true, alive, true},
		"nobody watches":      {frozen.Addr().String(), 0, true, "READY=1\nSTATUS=ready", true},
		"a worker has no API": {"", time.Minute, false, alive, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, heard := supervised(t)
			s.api, s.watchdog, s.answered = func() string { return c.addr }, c.watchdog, c.answered
			s.health.Enter(PhaseRunning)
			s.turn(t.Context())
			if diff := cmp.Diff(c.want, heard()); diff != "" || s.answered != c.proven {
				t.Errorf("answered %t: %s", s.answered, diff)
			}
		})
	}
}

func bound(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// TestSupervisorRuns: the manager hears of each phase, the last one too, and in between that the process lives.
func TestSupervisorRuns(t *testing.T) {
	s, heard := supervised(t)
	s.watchdog = 2 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.run(ctx) }()
	for _, step := range []struct {
		do   func()
		want []string
	}{
		{func() {}, []string{"EXTEND_TIMEOUT_USEC=30000000\nWATCHDOG=1\nSTATUS=not ready: starting"}},
		{func() { s.health.Enter(PhaseRunning) }, []string{"READY=1\nWATCHDOG=1\nSTATUS=ready", "WATCHDOG=1", "WATCHDOG=1"}},
	} {
		step.do()
		for _, want := range step.want {
			if got := heard(); got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
	}
	s.health.Enter(PhaseStopping)
	stop()
	got := ""
	for got = heard(); got == "WATCHDOG=1"; got = heard() {
	}
	if want := "STOPPING=1\nEXTEND_TIMEOUT_USEC=180000000\nWATCHDOG=1\nSTATUS=shutting down"; got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
	<-ended
}
