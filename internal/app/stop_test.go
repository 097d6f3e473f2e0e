package app

import (
	"context"
	"errors"
	"io"
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

// TestLeave: a process that is asked to stop serves on for the delay. It says that it is not ready, and each answer ends
// its connection; one that was kept takes another request until then. A worker alone has nobody to wait for.
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

// TestStopsWithin: a service manager that is asked for so long never cuts a stop off. The shipped unit waits as long by
// itself.
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
