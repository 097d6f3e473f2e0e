package app

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/internal/testkit"
)

// TestShutdownOrder: parts end in the opposite order of their start, once.
func TestShutdownOrder(t *testing.T) {
	n := &Node{health: NewHealth(nil)}
	var ended []int
	for i := range 4 {
		n.onShutdown(func() { ended = append(ended, i) })
	}
	n.Shutdown()
	n.Shutdown()
	if !slices.Equal(ended, []int{3, 2, 1, 0}) {
		t.Errorf("ended in the order %v", ended)
	}
}

// TestLeave: a process that is asked to stop serves on for the delay. It says that it is not ready, and each answer
// ends its connection; one that was kept takes another request until then.
func TestLeave(t *testing.T) {
	s := settings(t)
	s.ShutdownDelay = time.Hour
	n, err := started(t, s, both)
	if err != nil {
		t.Fatal(err)
	}
	kept := &http.Client{Transport: &http.Transport{MaxIdleConns: 1}}
	defer kept.CloseIdleConnections()
	if res := ask(t, kept, n.APIURL+"/v1/products", s.APIKey); res.StatusCode != http.StatusOK || res.Close {
		t.Errorf("before the stop: %s, closes %t", res.Status, res.Close)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Wait(ctx) }()
	stop()
	testkit.Eventually(t, testkit.Patience, func() bool {
		status, body := get(t, n.MetricsURL+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, PhaseStopping)
	}, "it says that it is not ready")
	testkit.Eventually(t, testkit.Patience, func() bool {
		res := ask(t, kept, n.APIURL+"/v1/products", s.APIKey)
		if res.StatusCode != http.StatusOK {
			t.Errorf("in the delay: %s", res.Status)
		}
		return res.Close
	}, "answers end their connections")
	if status, body := get(t, n.APIURL+"/healthz"); status != http.StatusOK {
		t.Errorf("in the delay, /healthz is %d %s", status, body)
	}
	cause := errors.New("the listener has ended")
	n.failed <- cause
	if err := <-ended; !errors.Is(err, cause) {
		t.Errorf("the delay ended with %v", err)
	}
}

func ask(t *testing.T, client *http.Client, url, key string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res
}

// TestWorkerStopsAtOnce: the delay is the API's.
func TestWorkerStopsAtOnce(t *testing.T) {
	s := settings(t)
	s.ShutdownDelay = time.Hour
	n, err := started(t, s, Roles{Worker: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	ended := make(chan error, 1)
	go func() { ended <- n.Wait(ctx) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-testkit.Hung():
		t.Fatal("it waits")
	}
}

// TestStopsWithin: a service manager that waits for so long cuts no stop off, as docs/operations.md says.
func TestStopsWithin(t *testing.T) {
	s := settings(t)
	s.ShutdownDelay = 7 * time.Second
	for name, c := range map[string]struct {
		roles Roles
		want  time.Duration
	}{
		"api": {Roles{API: true}, 22 * time.Second}, "worker": {Roles{Worker: true}, 170 * time.Second},
		"serve": {both, 187 * time.Second},
	} {
		if got := (&Node{settings: s, roles: c.roles}).stopsWithin(); got != c.want {
			t.Errorf("%s stops within %s, want %s", name, got, c.want)
		}
	}
}

// TestIdleTimeout: a connection is kept as long as it is set, and no longer: so short a time ends it before a second
// request.
func TestIdleTimeout(t *testing.T) {
	for idle, want := range map[time.Duration]int{time.Nanosecond: 1, time.Hour: 2} {
		s := settings(t)
		s.HTTPIdleTimeout = idle
		n, err := started(t, s, Roles{API: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, url := range []string{n.APIURL, n.MetricsURL} {
			if got := answersOnOne(t, strings.TrimPrefix(url, "http://")); got != want {
				t.Errorf("idle for %s, %s answers %d requests on a connection, want %d", idle, url, got, want)
			}
		}
		n.Shutdown()
	}
}

// answersOnOne sends two requests on one connection, the second after the answer to the first, and counts the answers.
func answersOnOne(t *testing.T, addr string) (answers int) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for range 2 {
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return answers
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers
		}
		_, _ = io.Copy(io.Discard, res.Body)
		answers++
	}
	return answers
}
