package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"recarga/distributor"
	"recarga/internal/httpclient"
	"recarga/internal/journal"
	"recarga/internal/params"
)

// The phases of a process.
const (
	PhaseStarting = "starting"
	PhaseRunning  = "running"
	PhaseStopping = "shutting down"
)

const (
	// askTimeout bounds what a probe waits for a dependency.
	askTimeout = 2 * time.Second
	// readyTimeout bounds what AskReady waits for.
	readyTimeout = 5 * time.Second
	// stuckAfter is how long a loop may stand still while all it needs answers: longer than any of its
	// steps takes, and than the operating system takes to notice a connection that has died.
	stuckAfter = 5 * time.Minute
)

// Health is what a process says of itself: whether it lives (/healthz) and can do its work (/readyz).
type Health struct {
	roles []string

	// entered receives when a phase has begun.
	entered chan struct{}

	mu    sync.Mutex
	phase string
	// dependencies by name.
	dependencies map[string]dependency
	// beats are when each loop came round last.
	beats map[string]time.Time

	asking sync.Mutex // guards what follows
	// recent is the answer to strangers, of the moment askedAt.
	recent  report
	askedAt time.Time
}

// dependency is something that a process works with.
type dependency struct {
	// required: without it the process cannot do its work.
	required bool
	// ask returns why it is not there. Nil while it has not been opened: then err is why.
	ask func(context.Context) error
	err error
	// risks are how it may lose what was confirmed; nil: it does not say.
	risks func() []journal.Risk
}

// condition is a dependency as a probe shows it.
type condition struct {
	Name     string `json:"name"`            // database, redis or distributor
	Required bool   `json:"required"`        // without it the process is not ready
	OK       bool   `json:"ok"`              // it answers
	Error    string `json:"error,omitempty"` // why it is not OK
	// Risks are how it may lose what was confirmed.
	Risks []string `json:"risks,omitempty"`
}

// report is what the probes answer to ?verbose.
type report struct {
	// OK is what the probe says.
	OK           bool        `json:"ok"`
	Phase        string      `json:"phase"`        // one of the phases of a process
	Roles        []string    `json:"roles"`        // api, worker
	Dependencies []condition `json:"dependencies"` // by name
	// Stuck are loops that do not move although they could.
	Stuck []string `json:"stuck,omitempty"`
}

// NewHealth is that of a process that is starting.
func NewHealth(roles []string) *Health {
	return &Health{roles: roles, phase: PhaseStarting, dependencies: map[string]dependency{},
		beats: map[string]time.Time{}, entered: make(chan struct{}, 1)}
}

// Enter notes the process's phase.
func (h *Health) Enter(phase string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase = phase
	select {
	case h.entered <- struct{}{}:
	default: // it has not been taken yet
	}
}

// now is the process's phase.
func (h *Health) now() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.phase
}

// buys reports whether the process is a worker.
func (h *Health) buys() bool { return slices.Contains(h.roles, workerRole) }

func (h *Health) set(name string, d dependency) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dependencies[name] = d
}

// beat notes that a loop has come round.
func (h *Health) beat(loop string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beats[loop] = time.Now()
}

// requested notes the result of a request to the distributor. The distributor is never asked for the
// probe's own sake: it counts requests.
func (h *Health) requested(r distributor.Request) {
	err := r.Err
	switch {
	case err != nil:
	case r.Call == "login" && (r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden):
		err = distributor.ErrCredentials
	case httpclient.MayRecover(r.Status):
		err = fmt.Errorf("HTTP status %d", r.Status)
	}
	if err != nil {
		err = fmt.Errorf("last %s, at %s: %w", r.Call, time.Now().UTC().Format(time.RFC3339), err)
	}
	// Without them a worker can buy nothing.
	required := errors.Is(err, distributor.ErrCredentials) && h.buys()
	h.set("distributor", dependency{required: required, ask: func(context.Context) error { return err }})
}

// ask asks all dependencies at once.
func (h *Health) ask(ctx context.Context) report {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	h.mu.Lock()
	all, beats, phase := maps.Clone(h.dependencies), maps.Clone(h.beats), h.phase
	h.mu.Unlock()
	names := slices.Sorted(maps.Keys(all))
	r := report{OK: phase == PhaseRunning, Phase: phase, Roles: h.roles, Dependencies: make([]condition, len(names))}
	var asking sync.WaitGroup
	for i, name := range names {
		asking.Go(func() { r.Dependencies[i] = all[name].condition(ctx, name) })
	}
	asking.Wait()
	answering := true
	for _, c := range r.Dependencies {
		r.OK = r.OK && (c.OK || !c.Required)
		answering = answering && (c.OK || c.Name == "distributor")
	}
	for _, loop := range slices.Sorted(maps.Keys(beats)) {
		if answering && time.Since(beats[loop]) > stuckAfter {
			r.Stuck = append(r.Stuck, fmt.Sprintf("%s, for %s", loop, time.Since(beats[loop]).Round(time.Second)))
		}
	}
	return r
}

func (d dependency) condition(ctx context.Context, name string) condition {
	c := condition{Name: name, Required: d.required}
	err := d.err
	if d.ask != nil {
		err = d.ask(ctx)
	}
	if c.OK = err == nil; !c.OK {
		c.Error = err.Error()
	}
	if d.risks != nil {
		for _, r := range d.risks() {
			c.Risks = append(c.Risks, r.Text)
		}
	}
	return c
}

// up says which dependencies answer, for the metrics.
func (h *Health) up(ctx context.Context) map[string]bool {
	up := map[string]bool{}
	for _, c := range h.ask(ctx).Dependencies {
		up[c.Name] = c.OK
	}
	return up
}

// live answers 200 unless a loop does not move although all that it needs answers: then a restart may
// help. It helps against no dependency that is away, so none of them counts.
func (h *Health) live(w http.ResponseWriter, r *http.Request) {
	report := h.ask(r.Context())
	report.OK = report.alive()
	answerProbe(w, r, report, "ok", "stuck: "+strings.Join(report.Stuck, "; "))
}

// recentFor is how old an answer to a stranger may be.
const recentFor = time.Second

// alive is live for strangers, on the address of the API: it says no more than that, and asks the dependencies at most
// once in recentFor, however many ask.
func (h *Health) alive(w http.ResponseWriter, r *http.Request) {
	h.asking.Lock()
	if time.Since(h.askedAt) > recentFor {
		h.recent, h.askedAt = h.ask(context.WithoutCancel(r.Context())), time.Now()
	}
	report := h.recent
	h.asking.Unlock()
	status, text := http.StatusOK, "ok"
	if !report.alive() {
		status, text = http.StatusServiceUnavailable, "stuck"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // whoever asks may be gone
}

// ready answers 200 when the process can do its work.
func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	report := h.ask(r.Context())
	answerProbe(w, r, report, "ready"+report.atRisk(), "not ready: "+report.whyNot())
}

// atRisk says what may be lost although the process is ready.
func (r report) atRisk() (says string) {
	for _, c := range r.Dependencies {
		for _, risk := range c.Risks {
			says += "; " + c.Name + ": " + risk
		}
	}
	return says
}

// whyNot says why the process is not ready.
func (r report) whyNot() string {
	var why []string
	if r.Phase != PhaseRunning {
		why = append(why, r.Phase)
	}
	for _, c := range r.Dependencies {
		if c.Required && !c.OK {
			why = append(why, c.Name+": "+c.Error)
		}
	}
	return strings.Join(why, "; ")
}

// alive is what /healthz says: no loop stands still that could move.
func (r report) alive() bool { return len(r.Stuck) == 0 || r.Phase == PhaseStopping }

func answerProbe(w http.ResponseWriter, r *http.Request, report report, good, bad string) {
	status, text := http.StatusOK, good
	if !report.OK {
		status, text = http.StatusServiceUnavailable, bad
	}
	if !r.URL.Query().Has("verbose") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintln(w, text) // whoever asks may be gone
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report)
}

// Mount adds the probes to a process's pages.
func (h *Health) Mount(mux *http.ServeMux) {
	mux.Handle("GET /healthz", params.Only(http.HandlerFunc(h.live), refuseQuery, "verbose"))
	mux.Handle("GET /readyz", params.Only(http.HandlerFunc(h.ready), refuseQuery, "verbose"))
}

// AskReady asks a process on this machine for its readiness; addr is its RECARGA_METRICS_ADDR. The error is its answer
// where it is not ready.
func AskReady(ctx context.Context, addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1" // it listens on all addresses
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return "", err
	}
	res, err := httpclient.Guard{}.RoundTrip(req) // it has no redirects
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(answer)))
	}
	return strings.TrimSpace(string(answer)), err
}
