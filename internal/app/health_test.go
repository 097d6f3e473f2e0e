package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"recarga/distributor"
)

func up(context.Context) error { return nil }

func down(context.Context) error { return errors.New("connection refused") }

func TestProbes(t *testing.T) {
	for name, tc := range map[string]struct {
		phase            string
		database, redis  dependency
		stillFor         time.Duration
		login            int // the status of the last login; 0: none was made
		live, ready      int
		liveSays, readys string
	}{
		"starting": {PhaseStarting, dependency{required: true, err: errors.New("not opened yet")},
			dependency{ask: up}, 0, 0, 200, 503, "ok", "not ready: starting; database: not opened yet"},
		"running": {PhaseRunning, dependency{required: true, ask: up}, dependency{required: true, ask: up}, 0,
			200, 200, 200, "ok", "ready"},
		"database away": {PhaseRunning, dependency{required: true, ask: down}, dependency{required: true, ask: up},
			time.Hour, 0, 200, 503, "ok", "not ready: database: connection refused"},
		"redis away, worker": {PhaseRunning, dependency{required: true, ask: up}, dependency{required: true, ask: down}, 0,
			0, 200, 503, "ok", "not ready: redis: connection refused"},
		"redis away, API": {PhaseRunning, dependency{required: true, ask: up}, dependency{ask: down}, 0, 0, 200, 200,
			"ok", "ready"},
		"a loop stands still": {PhaseRunning, dependency{required: true, ask: up}, dependency{required: true, ask: up},
			6 * time.Minute, 0, 503, 200, "stuck: sweep, for 6m0s", "ready"},
		"a slow loop": {PhaseRunning, dependency{required: true, ask: up}, dependency{required: true, ask: up},
			4 * time.Minute, 0, 200, 200, "ok", "ready"},
		"shutting down": {PhaseStopping, dependency{required: true, ask: up}, dependency{required: true, ask: up},
			6 * time.Minute, 0, 200, 503, "ok", "not ready: shutting down"},
		"distributor refuses": {PhaseRunning, dependency{required: true, ask: up}, dependency{required: true, ask: up}, 0,
			401, 200, 503, "ok", "not ready: distributor: last login"},
		"distributor is wrong": {PhaseRunning, dependency{required: true, ask: up}, dependency{required: true, ask: up},
			6 * time.Minute, 500, 503, 200, "stuck", "ready"},
	} {
		t.Run(name, func(t *testing.T) {
			h := NewHealth([]string{"worker"})
			h.set("database", tc.database)
			h.set("redis", tc.redis)
			h.Enter(tc.phase)
			h.beat("sweep")
			h.beats["sweep"] = time.Now().Add(-tc.stillFor)
			if tc.login != 0 {
				h.requested(distributor.Request{Call: "login", Status: tc.login})
			}
			mux := http.NewServeMux()
			h.Mount(mux)
			for path, want := range map[string]struct {
				status int
				says   string
			}{"/healthz": {tc.live, tc.liveSays}, "/readyz": {tc.ready, tc.readys}} {
				answer := httptest.NewRecorder()
				mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
				if answer.Code != want.status || !strings.HasPrefix(answer.Body.String(), want.says) {
					t.Errorf("%s: %d %s, want %d %s", path, answer.Code, answer.Body, want.status, want.says)
				}
			}
			answer := httptest.NewRecorder()
			mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz?verbose", nil))
			if refused := strings.Contains(answer.Body.String(),
				fmt.Sprintf(`"name":"distributor","required":%t,"ok":false`, tc.login == 401)); refused != (tc.login >= 400) {
				t.Errorf("of a login of status %d: %s", tc.login, answer.Body)
			}
		})
	}
}

func TestOpsPagesRefuseOtherParameters(t *testing.T) {
	h := NewHealth(nil)
	h.Enter(PhaseRunning)
	pages := opsPages(h, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for target, want := range map[string]int{
		"/metrics": 200, "/metrics?name[]=a&name[]=b": 200, "/metrics?name=a": 400,
		"/healthz?verbose": 200, "/healthz?verbos": 400, "/readyz?verbose=1": 200, "/readyz?verbose&verbose": 400,
		"/readyz?a=%zz": 400,
	} {
		answer := httptest.NewRecorder()
		pages.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, target, nil))
		if answer.Code != want {
			t.Errorf("%s: %d %s, want %d", target, answer.Code, answer.Body, want)
		}
	}
}
